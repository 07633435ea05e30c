/* SPDX-License-Identifier: Apache-2.0 */
#include "leftovers.h"

#include <signal.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "codec_agent.h"
#include "io/loop.h"
#include "link.h"

enum { PAUSE_MIN_MS = 200, PAUSE_MAX_MS = 5000, ARRIVAL_MS = 2000 };

struct leftover {
    struct leftover *next;
    struct leftovers *all;
    struct link *link;
    char *container_id, *exec_id;
    enum leftover_kind kind;
    uint64_t pause_ms;
    struct source *timer;
    struct link_call *call;
};

struct leftovers {
    struct loop *loop;
    struct leftover *first;
};

static void leftover_free(struct leftover *leftover)
{
    struct leftover **p = &leftover->all->first;

    while (*p != leftover)
        p = &(*p)->next;
    *p = leftover->next;
    link_cancel(leftover->call);
    source_free(leftover->timer);
    free(leftover->container_id);
    free(leftover->exec_id);
    free(leftover);
}

static struct agent_process name_of(const struct leftover *leftover)
{
    return (struct agent_process){.container_id = leftover->container_id,
                                  .exec_id = leftover->exec_id};
}

static void try_later(struct leftover *leftover)
{
    source_rearm(leftover->timer, leftover->pause_ms);
    leftover->pause_ms = leftover->pause_ms * 2 < PAUSE_MAX_MS ? leftover->pause_ms * 2
                                                               : PAUSE_MAX_MS;
}

static void on_deleted(void *user, const struct agent_reply *reply, const struct error *err)
{
    struct leftover *leftover = user;

    leftover->call = NULL;
    if (err && err->status != STATUS_NOT_FOUND) {
        log_debug("'%s' '%s' is still in the guest: %s", leftover->container_id, leftover->exec_id,
                  err->message);
        try_later(leftover);
    } else if (err && leftover->kind == LEFTOVER_ON_ITS_WAY) {
        leftover->kind = LEFTOVER_THERE;
        source_rearm(leftover->timer, ARRIVAL_MS);
    } else {
        leftover_free(leftover);
    }
}

static void begin(void *user);

/* Whatever the answer to Kill: what does not run cannot be killed, and Delete will say. Without one
 * it is asked again, so that it is the first that a guest hears which was out of reach. */
static void on_killed(void *user, const struct agent_reply *reply, const struct error *err)
{
    struct leftover *leftover = user;
    struct agent_ask ask = {.link = leftover->link, .done = on_deleted, .user = leftover};
    struct agent_process name = name_of(leftover);

    if (err && err->status == STATUS_DEADLINE_EXCEEDED) {
        begin(leftover);
        return;
    }
    leftover->call = agent_delete(&ask, &name);
}

static void begin(void *user)
{
    struct leftover *leftover = user;
    struct agent_ask ask = {.link = leftover->link, .done = on_killed, .user = leftover};
    struct agent_process name = name_of(leftover);

    leftover->call = agent_kill(&ask, &name, SIGKILL,
                                leftover->exec_id[0] ? AGENT_KILL_ONE : AGENT_KILL_ALL);
}

struct leftovers *leftovers_new(struct loop *loop)
{
    struct leftovers *leftovers = xnew(struct leftovers);

    leftovers->loop = loop;
    return leftovers;
}

void leftovers_free(struct leftovers *leftovers)
{
    if (!leftovers)
        return;
    leftovers_clear(leftovers);
    free(leftovers);
}

static struct leftover *find(const struct leftovers *leftovers, const char *container_id,
                             const char *exec_id)
{
    struct leftover *leftover = leftovers->first;

    while (leftover && (!text_equal(leftover->container_id, container_id) ||
                        !text_equal(leftover->exec_id, exec_id)))
        leftover = leftover->next;
    return leftover;
}

void leftovers_add(struct leftovers *leftovers, struct link *link, const char *container_id,
                   const char *exec_id, enum leftover_kind kind)
{
    struct leftover *leftover = find(leftovers, container_id, exec_id);
    struct error err;

    if (leftover)
        return;
    leftover = xnew(struct leftover);
    leftover->all = leftovers;
    leftover->link = link;
    leftover->container_id = xstrdup(container_id);
    leftover->exec_id = xstrdup(exec_id);
    leftover->kind = kind;
    leftover->pause_ms = PAUSE_MIN_MS;
    if (loop_after(leftovers->loop, 0, begin, leftover, &leftover->timer, &err) < 0)
        abort(); /* no memory for a timer */
    leftover->next = leftovers->first;
    leftovers->first = leftover;
}

bool leftovers_has(const struct leftovers *leftovers, const char *container_id, const char *exec_id)
{
    return find(leftovers, container_id, exec_id) != NULL;
}

void leftovers_clear(struct leftovers *leftovers)
{
    while (leftovers->first)
        leftover_free(leftovers->first);
}
