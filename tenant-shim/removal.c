/* SPDX-License-Identifier: Apache-2.0 */
#include "removal.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "host_half.h"
#include "io/loop.h"
#include "provision.h"

enum {
    REMOVAL_MS = 20 * 1000, /* in all: kubelet allows StopPodSandbox 2 min */
    PAUSE_MS = 1000,
};

struct removal {
    struct loop *loop;
    struct host_half *half;
    removal_done_fn *done;
    void *user;
    int hold; /* of its tombstone, if reserved; else -1 */
    struct provision *provision;
    struct source *next; /* attempt, or the word that it is over */
    uint64_t end_ms;     /* 0: not begun */
    bool over;
};

static void let_go(struct removal *removal)
{
    closep(&removal->hold);
    removal->hold = -1;
}

static void leave_to_reaper(struct removal *removal)
{
    struct error err;

    let_go(removal);
    if (host_half_bury(removal->half, &err) < 0)
        log_error("the host half may be left over: %s", err.message);
}

/* Before anything is said about the end of what ran there, here or by whoever starts it elsewhere.
 */
static void fence(struct removal *removal)
{
    struct error err;

    if (host_half_revoke(removal->half, &err) < 0)
        log_error("the lease cannot be revoked on disk, only in this process: %s", err.message);
}

static void end(struct removal *removal)
{
    removal->over = true;
    source_rearm(removal->next, 0);
}

static void on_deleted(void *user, const struct provision_answer *answer, const struct error *err)
{
    struct removal *removal = user;

    if (!err) {
        removal_finish(removal);
        return;
    }
    log_warn("removal of the host half: %s", err->message);
    source_rearm(removal->next, PAUSE_MS);
}

static void attempt(struct removal *removal)
{
    struct provision_options options = {.program = removal->half->program,
                                        .conf_path = removal->half->conf_path,
                                        .cri_sandbox_id = removal->half->cri_sandbox_id};
    uint64_t now = clock_monotonic_ms();
    struct error err;

    provision_free(take_ptr(removal->provision));
    if (now >= removal->end_ms) {
        removal_bury(removal);
        return;
    }
    options.deadline_ms = removal->end_ms - now;
    if (provision_delete(removal->loop, &options, on_deleted, removal, &removal->provision, &err) <
        0) {
        log_warn("removal of the host half: %s", err.message);
        removal_bury(removal);
    }
}

static void on_next(void *user)
{
    struct removal *removal = user;

    if (removal->over)
        removal->done(removal->user);
    else
        attempt(removal);
}

int removal_new(struct loop *loop, struct host_half *half, removal_done_fn *done, void *user,
                struct removal **ret, struct error *err)
{
    scoped(removal_freep) struct removal *removal = xnew(struct removal);

    removal->loop = loop;
    removal->half = half;
    removal->done = done;
    removal->user = user;
    removal->hold = -1;
    if (loop_after(loop, LOOP_NEVER, on_next, removal, &removal->next, err) < 0)
        return -1;
    *ret = take_ptr(removal);
    return 0;
}

void removal_free(struct removal *removal)
{
    if (!removal)
        return;
    removal_abandon(removal);
    provision_free(removal->provision);
    source_free(removal->next);
    free(removal);
}

int removal_reserve(struct removal *removal, struct error *err)
{
    return host_half_hold(removal->half, &removal->hold, err);
}

void removal_abandon(struct removal *removal)
{
    if (removal->hold >= 0)
        leave_to_reaper(removal);
}

void removal_begin(struct removal *removal)
{
    if (removal->over || removal->end_ms != 0)
        return;
    fence(removal);
    removal->end_ms = clock_monotonic_ms() + REMOVAL_MS;
    attempt(removal);
}

void removal_bury(struct removal *removal)
{
    if (removal->over)
        return;
    provision_free(take_ptr(removal->provision));
    leave_to_reaper(removal);
    end(removal);
}

void removal_finish(struct removal *removal)
{
    struct error err;

    if (removal->over)
        return;
    fence(removal);
    removal->half->state = HOST_HALF_REMOVED;
    if (host_half_write(removal->half, &err) < 0 || host_half_finish(removal->half, &err) < 0)
        log_warn("%s", err.message);
    let_go(removal);
    end(removal);
}
