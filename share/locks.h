/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Calls of flock() that wait. Each has a thread of its own, which does nothing else, so that no
 * other request waits behind it; the thread's result comes back by a descriptor. */
#include <stdint.h>

enum { LOCKS_WAITERS_MAX = 64 };

struct locks;
struct error;
typedef void locks_done_fn(void *user, uint64_t unique, int failed);

int locks_new(struct locks **ret, struct error *err);
/* Cancels all and waits for them. */
void locks_free(struct locks *locks);

/* 0: `done` will be called with that number. Or a negative errno. */
int locks_wait(struct locks *locks, int fd, int operation, uint64_t unique);
/* The guest's process got a signal. Nothing, if nobody waits by that number. */
void locks_interrupt(struct locks *locks, uint64_t unique);

int locks_fd(const struct locks *locks); /* readable: call locks_collect() */
/* After how many milliseconds to call locks_collect() all the same; -1: not. */
int locks_timeout(const struct locks *locks);
void locks_collect(struct locks *locks, locks_done_fn *done, void *user);
