/* SPDX-License-Identifier: Apache-2.0 */
#include "reaper.h"

#include <assert.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/scoped.h"
#include "io/child.h"
#include "io/loop.h"

struct reaper_watch {
    struct reaper *reaper;
    struct reaper_watch *next, **link;
    pid_t pid;
    reaper_fn *fn;
    void *user;
    struct reaper_exit exit; /* it had ended before the watch began */
    struct source *late;
};

struct reaper {
    struct loop *loop;
    struct source *signal;
    struct reaper_watch *watches;
    unsigned holds;
    struct reaper_exit orphans[REAPER_ORPHANS_MAX]; /* a ring, the oldest falls out */
    size_t orphan_count;
};

static struct reaper_watch *find(struct reaper *reaper, pid_t pid)
{
    for (struct reaper_watch *watch = reaper->watches; watch; watch = watch->next) {
        if (watch->pid == pid && !watch->late)
            return watch;
    }
    return NULL;
}

static void remember(struct reaper *reaper, const struct reaper_exit *exit)
{
    if (reaper->holds > 0)
        reaper->orphans[reaper->orphan_count++ % REAPER_ORPHANS_MAX] = *exit;
}

static int wait_status(const siginfo_t *info)
{
    return info->si_code == CLD_EXITED ? (info->si_status & 0xff) << 8 : info->si_status;
}

static void reap(void *user)
{
    struct reaper *reaper = user;
    siginfo_t info;

    for (;;) {
        struct reaper_exit exit = {.at_ns = clock_wall_ns()};
        struct reaper_watch *watch;

        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
            return;
        exit.pid = info.si_pid;
        exit.signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
        exit.status = exit.signal ? 128 + exit.signal : info.si_status;
        watch = find(reaper, exit.pid);
        if (watch)
            watch->fn(watch->user, &exit);
        else if (!child_adopt_exit(exit.pid, wait_status(&info)))
            remember(reaper, &exit);
    }
}

int reaper_new(struct loop *loop, struct reaper **ret, struct error *err)
{
    scoped(reaper_freep) struct reaper *reaper = xnew(struct reaper);

    reaper->loop = loop;
    if (loop_watch_signal(loop, SIGCHLD, reap, reaper, &reaper->signal, err) < 0)
        return -1;
    *ret = take_ptr(reaper);
    return 0;
}

void reaper_free(struct reaper *reaper)
{
    if (!reaper)
        return;
    assert(!reaper->watches);
    if (reaper->signal)
        source_free(reaper->signal);
    free(reaper);
}

static void deliver_late(void *user)
{
    struct reaper_watch *watch = user;
    struct reaper_exit exit = watch->exit;

    watch->fn(watch->user, &exit);
}

/* The youngest: a number may have been used twice. */
static bool take_orphan(struct reaper *reaper, pid_t pid, struct reaper_exit *ret)
{
    size_t count = reaper->orphan_count;

    for (size_t i = 0; i < REAPER_ORPHANS_MAX && i < count; i++) {
        struct reaper_exit *orphan = &reaper->orphans[(count - 1 - i) % REAPER_ORPHANS_MAX];

        if (orphan->pid == pid) {
            *ret = *orphan;
            orphan->pid = 0;
            return true;
        }
    }
    return false;
}

struct reaper_watch *reaper_watch_started(struct reaper *reaper, pid_t pid, reaper_fn *fn,
                                          void *user)
{
    struct reaper_watch *watch = xnew(struct reaper_watch);

    watch->reaper = reaper;
    watch->pid = pid;
    watch->fn = fn;
    watch->user = user;
    watch->next = reaper->watches;
    if (watch->next)
        watch->next->link = &watch->next;
    watch->link = &reaper->watches;
    reaper->watches = watch;
    return watch;
}

struct reaper_watch *reaper_watch(struct reaper *reaper, pid_t pid, reaper_fn *fn, void *user)
{
    struct reaper_watch *watch = reaper_watch_started(reaper, pid, fn, user);
    struct error err;

    if (take_orphan(reaper, pid, &watch->exit) &&
        loop_after(reaper->loop, 0, deliver_late, watch, &watch->late, &err) < 0)
        abort();
    return watch;
}

void reaper_unwatch(struct reaper_watch *watch)
{
    if (!watch)
        return;
    if (watch->late)
        source_free(watch->late);
    *watch->link = watch->next;
    if (watch->next)
        watch->next->link = watch->link;
    free(watch);
}

size_t reaper_hold(struct reaper *reaper)
{
    reaper->holds++;
    return reaper->orphan_count;
}

void reaper_forget(struct reaper *reaper, const struct reaper_mark *before)
{
    size_t count = reaper->orphan_count;

    for (size_t i = 0; i < REAPER_ORPHANS_MAX && i < count; i++) {
        struct reaper_exit *orphan = &reaper->orphans[(count - 1 - i) % REAPER_ORPHANS_MAX];

        if (count - 1 - i < before->mark && orphan->pid == before->pid)
            orphan->pid = 0;
    }
}

void reaper_release(struct reaper *reaper)
{
    assert(reaper->holds > 0);
    if (--reaper->holds == 0)
        reaper->orphan_count = 0;
}
