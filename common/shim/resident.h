/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Private to common/shim: the process that `start` leaves behind. */
#include "shim/shim_main.h"

struct resident {
    const struct shim *shim;
    const struct bootstrap *bootstrap;
    const char *group;
    const char *socket;
    int listen_fd; /* taken by resident_run(); resident_fork() leaves the caller's copy to it */
    struct bootstrap_options runtime_options;
};

/* The bundle's log FIFO, or /dev/null. */
int resident_open_log(const char *bundle);
/* Returns in the parent; the child daemonises, serves and exits. */
int resident_fork(struct resident *resident, struct error *err) __attribute__((warn_unused_result));
int resident_run(struct resident *resident, struct error *err) __attribute__((warn_unused_result));
