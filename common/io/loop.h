/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The one event loop: descriptors, timers, signals, children. An adapter over libevent_core.
 * All mutable state belongs to the thread that runs the loop; other threads may only loop_post().
 */
#include <stdint.h>
#include <sys/types.h>

struct error;
struct loop;
struct source; /* freeing it removes it; safe inside any callback, its own included */

typedef void loop_fn(void *user);
typedef void loop_fd_fn(void *user, uint32_t events);

enum loop_events {
    LOOP_READ = 1,
    LOOP_WRITE = 2,
};

/* Also ignores SIGPIPE, for the whole process: a vanished reader is an errno, not our death. */
int loop_new(struct loop **ret, struct error *err) __attribute__((warn_unused_result));
void loop_free(struct loop *loop);
static inline void loop_freep(struct loop **p)
{
    if (*p)
        loop_free(*p);
}
int loop_run(struct loop *loop, struct error *err) __attribute__((warn_unused_result));
void loop_quit(struct loop *loop);
/* Runs what is ready, waiting at most timeout_ms for the first thing. For tests and synchronous
 * tools. */
int loop_turn(struct loop *loop, uint64_t timeout_ms, struct error *err)
    __attribute__((warn_unused_result));

/* The descriptor stays the caller's; free the source before closing it. Level-triggered. A hang-up
 * or an error shows as LOOP_READ (and LOOP_WRITE if watched). */
int loop_watch_fd(struct loop *loop, int fd, uint32_t events, loop_fd_fn *fn, void *user,
                  struct source **ret, struct error *err) __attribute__((warn_unused_result));
void source_set_events(struct source *source, uint32_t events); /* 0 pauses */
/* By pidfd; fires once when the process has exited (it is not reaped here). */
int loop_watch_child(struct loop *loop, pid_t pid, loop_fn *fn, void *user, struct source **ret,
                     struct error *err) __attribute__((warn_unused_result));
/* Blocks the signal in the calling thread and reads a signalfd: call before starting threads. */
int loop_watch_signal(struct loop *loop, int signum, loop_fn *fn, void *user, struct source **ret,
                      struct error *err) __attribute__((warn_unused_result));
/* As a delay: not at all, until it is armed with another. */
#define LOOP_NEVER UINT64_MAX
/* Once. The source stays valid until freed; source_rearm() starts it anew. */
int loop_after(struct loop *loop, uint64_t delay_ms, loop_fn *fn, void *user, struct source **ret,
               struct error *err) __attribute__((warn_unused_result));
void source_rearm(struct source *source, uint64_t delay_ms);
void source_free(struct source *source);
static inline void source_freep(struct source **p)
{
    if (*p)
        source_free(*p);
}
/* The one call other threads may make. Runs fn on the loop, in order; what is pending when the loop
 * is freed does not run. */
void loop_post(struct loop *loop, loop_fn *fn, void *user);
