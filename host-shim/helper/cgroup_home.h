/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The cgroup in which kubelet accounts for the pod: the machine lives in a group of its own below
 * it, in every hierarchy of the node but v1's `devices`. What was made is noted in the sandbox's
 * directory. */
#include <sys/types.h>

struct error;
struct request;

/* Nothing to do without a cgroup_parent. All threads of pid move. */
int cgroup_home_enter(const struct request *request, pid_t pid, struct error *err)
    __attribute__((warn_unused_result));
/* Removes what enter() made. The machine's own group still in use after a second is a failure,
 * which can be tried again. */
int cgroup_home_leave(const struct request *request, struct error *err)
    __attribute__((warn_unused_result));
