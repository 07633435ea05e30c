/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Private to common/shim: the process that `start` leaves behind. */
#include "shim/shim_main.h"

struct resident {
    const struct shim *shim;
    const struct bootstrap *bootstrap;
    const char *group;
    const char *socket;
    int listen_fd; /* taken by resident_run(); resident_start() makes it */
    struct bootstrap_options runtime_options;
};

/* The bundle's log FIFO, or /dev/null. */
int resident_open_log(const char *bundle);
/* Forks the process that claims the socket and serves. Returns in the parent when somebody listens:
 * that process, or an older one, and then the new one has ended. Only who serves ever owns the
 * socket's file: containerd may kill `start` at any moment, and then it is not left behind. */
int resident_start(struct resident *resident, struct error *err)
    __attribute__((warn_unused_result));
int resident_run(struct resident *resident, struct error *err) __attribute__((warn_unused_result));
