/* SPDX-License-Identifier: Apache-2.0 */
#include "joiner.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "io/loop.h"
#include "link.h"

enum { JOIN_EVERY_MS = 1000 };

struct joiner {
    struct joiner_options options;
    struct link_listener listener;
    struct channel *joining;
    struct source *next; /* attempt to join */
    uint64_t attempted_ms;
};

/* Whatever has failed, attempts keep their distance. */
static void join_soon(struct joiner *joiner)
{
    uint64_t since = clock_monotonic_ms() - joiner->attempted_ms;

    source_rearm(joiner->next, since < JOIN_EVERY_MS ? JOIN_EVERY_MS - since : 0);
}

/* It has been used for long enough: another one first. */
static void on_due(void *user, struct channel *channel)
{
    (void) channel;
    join_soon(user);
}

static void on_joined(void *user, struct channel *channel, const struct error *err)
{
    struct joiner *joiner = user;
    const char *class = channel_class_name(joiner->options.class);
    struct error fault;

    joiner->joining = NULL;
    if (err) {
        log_debug("no %s connection: %s", class, err->message);
        channel_free(channel);
        join_soon(joiner);
        return;
    }
    source_rearm(joiner->next, LOOP_NEVER);
    channel_on_replacement_due(channel, on_due, joiner);
    if (joiner->options.adopt(joiner->options.user, channel, &fault) < 0) {
        log_warn("no %s connection: %s", class, fault.message);
        join_soon(joiner);
    }
}

/* One that is still waiting for a first answer is given up: where packets were lost TCP waits ever
 * longer. One that has it goes on, however slow the guest is, and ends by itself. */
static void on_next(void *user)
{
    struct joiner *joiner = user;
    struct channel *control = link_control(joiner->options.link);
    struct error err;

    joiner->attempted_ms = clock_monotonic_ms();
    if (joiner->joining && channel_is_reached(joiner->joining))
        return;
    channel_free(take_ptr(joiner->joining));
    if (!control) /* the listener hears of the next one */
        return;
    if (channel_join(control, joiner->options.class, on_joined, joiner, &joiner->joining, &err) < 0)
        log_debug("no %s connection: %s", channel_class_name(joiner->options.class), err.message);
    source_rearm(joiner->next, JOIN_EVERY_MS);
}

/* What joined an older control ends with it: it is replaced before that. */
static void on_link(struct link_listener *listener, struct rpc_channel *control,
                    struct rpc_channel *bulk)
{
    struct joiner *joiner = container_of(listener, struct joiner, listener);

    (void) bulk;
    channel_free(take_ptr(joiner->joining));
    if (control)
        source_rearm(joiner->next, 0);
}

int joiner_new(const struct joiner_options *options, struct joiner **ret, struct error *err)
{
    scoped(joiner_freep) struct joiner *joiner = xnew(struct joiner);

    joiner->options = *options;
    if (loop_after(options->loop, LOOP_NEVER, on_next, joiner, &joiner->next, err) < 0)
        return -1;
    joiner->listener.changed = on_link;
    link_listen(options->link, &joiner->listener);
    *ret = take_ptr(joiner);
    return 0;
}

void joiner_free(struct joiner *joiner)
{
    if (!joiner)
        return;
    if (joiner->listener.changed)
        link_leave(joiner->options.link, &joiner->listener);
    channel_free(joiner->joining);
    source_free(joiner->next);
    free(joiner);
}

void joiner_lost(struct joiner *joiner)
{
    join_soon(joiner);
}
