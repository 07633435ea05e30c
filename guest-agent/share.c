/* SPDX-License-Identifier: Apache-2.0 */
#include "share.h"

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/loop.h"
#include "io/replay.h"
#include "io/shuttle.h"
#include "secure/channel.h"
#include "share_device.h"
#include "share_opening.h"

struct asked { /* for names to be opened */
    struct asked *next;
    struct share *share;
    char *container;
    struct share_opening *opening;
    share_opened_fn *done; /* NULL: withdrawn, but its thread cannot be called back */
    void *user;
};

struct share {
    struct loop *loop;
    uint64_t outage_ms;
    struct share_device *device;
    struct replay *replay;
    struct shuttle_state state;
    struct channel *channel; /* NULL: requests wait */
    struct shuttle *shuttle;
    struct source *outage; /* armed while there is no connection */
    bool over;
    struct error why;
    struct asked *asked;
    size_t asked_count;
};

static void disconnect(struct share *share)
{
    channel_free(take_ptr(share->channel)); /* first of all, for it drives the shuttle */
    shuttle_free(take_ptr(share->shuttle));
}

/* After that the shuttle of a later connection has nothing to do but to say so. */
static void give_up(struct share *share, const char *why)
{
    if (share->over)
        return;
    share->over = true;
    error_set(&share->why, STATUS_FAILED_PRECONDITION, "the pod's live volumes are over: %s", why);
    log_error("the pod's live volumes are given up, their files give I/O errors: %s", why);
    replay_end(share->replay);
    share_device_abort(share->device);
    source_rearm(share->outage, LOOP_NEVER);
}

static void on_outage(void *user)
{
    struct share *share = user;
    scoped(freep) char *why = xformat("there was no connection to the tenant's node for %llu ms",
                                      (unsigned long long) share->outage_ms);

    give_up(share, why);
}

static void lose(struct share *share, const struct error *err)
{
    log_info("the pod's share is not connected%s%s", err ? ": " : "", err ? err->message : "");
    disconnect(share);
    if (!share->over)
        source_rearm(share->outage, share->outage_ms);
}

/* Its peer may have said before that nothing follows. */
static void on_channel_end(void *user, struct channel *channel, const struct error *err)
{
    struct share *share = user;

    (void) channel;
    if (!shuttle_tell(share->shuttle))
        lose(share, err);
}

static void on_over(void *user, enum shuttle_outcome outcome, const struct error *err)
{
    static const char *const reasons[] = {
        [SHUTTLE_PEER_ENDED] = "the tenant's node has ended them",
        [SHUTTLE_PEER_BROKE] = "the connection's peer broke the rules",
        [SHUTTLE_OWN_ENDED] = "the mount is gone",
    };
    struct share *share = user;

    if (outcome != SHUTTLE_OWN_ENDED) /* else it ends behind the last word */
        channel_free(take_ptr(share->channel));
    if (!share->over && replay_has_ended(share->replay))
        outcome = SHUTTLE_OWN_ENDED; /* although nobody was there to hear it */
    if (outcome == SHUTTLE_LOST)
        lose(share, err);
    else
        give_up(share, err ? err->message : reasons[outcome]);
}

int share_new(struct loop *loop, const struct share_options *options, struct share **ret,
              struct error *err)
{
    scoped(share_freep) struct share *share = xnew(struct share);

    share->loop = loop;
    share->outage_ms = options->outage_ms ? options->outage_ms : SHARE_OUTAGE_MS;
    if (loop_after(loop, share->outage_ms, on_outage, share, &share->outage, err) < 0 ||
        share_device_new(options->place, &share->device, err) < 0)
        return -1;
    share->replay = replay_new();
    share->state = (struct shuttle_state){.end = &share_device_end,
                                          .user = share->device,
                                          .fd = share_device_fd(share->device),
                                          .replay = share->replay};
    *ret = take_ptr(share);
    return 0;
}

static void forget(struct asked *asked)
{
    struct asked **link = &asked->share->asked;

    while (*link != asked)
        link = &(*link)->next;
    *link = asked->next;
    asked->share->asked_count--;
    share_opening_free(asked->opening);
    free(asked->container);
    free(asked->user);
    free(asked);
}

void share_free(struct share *share)
{
    if (!share)
        return;
    disconnect(share);
    if (share->device)
        share_device_abort(share->device); /* for those who wait in a look-up */
    while (share->asked)
        forget(share->asked);
    share_device_free(share->device);
    replay_free(share->replay);
    source_free(share->outage);
    free(share);
}

int share_carry(struct share *share, struct channel *channel, struct error *err)
{
    struct shuttle_options options = {
        .loop = share->loop, .state = &share->state, .over = on_over, .user = share};

    disconnect(share);
    share->channel = channel;
    if (shuttle_new(&options, &share->shuttle, err) < 0 ||
        channel_carry(channel, share->shuttle, err) < 0) {
        lose(share, err);
        return -1;
    }
    channel_on_end(channel, on_channel_end, share);
    source_rearm(share->outage, LOOP_NEVER);
    log_info("the pod's share is connected");
    return 0;
}

void share_end_waiting(struct share *share)
{
    if (!share->channel)
        give_up(share, "the pod ends while there is no connection");
}

int share_check(const struct share *share, struct error *err)
{
    if (!share->over)
        return 0;
    *err = share->why;
    return -1;
}

static void on_opened(void *user, const struct share_name *names, size_t count,
                      const struct error *err)
{
    struct asked *asked = user;

    if (asked->done)
        asked->done(asked->user, names, count, err);
    forget(asked);
}

int share_open(struct share *share, const struct share_wish *wish, share_opened_fn *done,
               void *user, struct error *err)
{
    scoped(freep) void *taken = user;
    struct share_opening *opening;
    struct asked *asked;

    if (share_check(share, err) < 0)
        return -1;
    if (share->asked_count >= SHARE_OPENINGS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED,
                         "the live volumes of %d containers are being looked up, and the tenant's "
                         "node does not answer",
                         SHARE_OPENINGS_MAX);
    if (share_opening_new(share->loop, share_device_root(share->device), wish->names, wish->count,
                          &opening, err) < 0)
        return -1;
    asked = xnew(struct asked);
    *asked = (struct asked){.next = share->asked,
                            .share = share,
                            .container = xstrdup(wish->container),
                            .opening = opening,
                            .done = done,
                            .user = take_ptr(taken)};
    share->asked = asked;
    share->asked_count++;
    share_opening_on_done(opening, on_opened, asked);
    return 0;
}

bool share_withdraw(struct share *share, const char *container)
{
    bool found = false;
    struct error err;

    error_set(&err, STATUS_ABORTED, "container '%.100s' was deleted meanwhile", container);
    for (struct asked *asked = share->asked; asked; asked = asked->next) {
        share_opened_fn *done = asked->done;

        if (!done || !text_equal(asked->container, container))
            continue;
        asked->done = NULL;
        found = true;
        done(asked->user, NULL, 0, &err);
    }
    return found;
}
