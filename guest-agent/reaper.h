/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Process 1 reaps every child, its own and orphans. Nothing else in the agent waits for a process.
 *
 * Who starts a program that starts another (crun) learns the second one's pid from a file, perhaps
 * after it has ended: while anybody holds the reaper, the end of an unknown process is remembered,
 * and a watch for it fires at once. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct loop;
struct reaper;
struct reaper_watch;

enum { REAPER_ORPHANS_MAX = 1024 };

struct reaper_exit {
    pid_t pid;
    int status;    /* what a shell would say: the code, or 128 + signal */
    int signal;    /* that ended it, or 0 */
    int64_t at_ns; /* wall clock */
};

typedef void reaper_fn(void *user, const struct reaper_exit *exit);

/* Takes SIGCHLD: before there are threads. */
int reaper_new(struct loop *loop, struct reaper **ret, struct error *err)
    __attribute__((warn_unused_result));
void reaper_free(struct reaper *reaper); /* its watches have been freed */
static inline void reaper_freep(struct reaper **p)
{
    if (*p)
        reaper_free(*p);
}
/* fn runs once, from the loop. Of a child that was started just now, on the loop's thread: an end
 * that is remembered under its number is another's. */
struct reaper_watch *reaper_watch_started(struct reaper *reaper, pid_t pid, reaper_fn *fn,
                                          void *user);
/* Of a process that somebody else has started: its end may be remembered already. */
struct reaper_watch *reaper_watch(struct reaper *reaper, pid_t pid, reaper_fn *fn, void *user);
void reaper_unwatch(struct reaper_watch *watch); /* at any time, NULL too */
/* From here until the release ends are remembered; the mark is that of this moment. */
size_t reaper_hold(struct reaper *reaper);
/* A process that began after the mark has this number: an end that is older is another's. */
struct reaper_mark {
    pid_t pid;
    size_t mark;
};
void reaper_forget(struct reaper *reaper, const struct reaper_mark *before);
void reaper_release(struct reaper *reaper);
