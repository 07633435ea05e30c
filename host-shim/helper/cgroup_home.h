/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The cgroup in which kubelet accounts for the pod: the machine lives in a group of its own below
 * it, in every hierarchy of the node. What was made is noted in the sandbox's directory. */
#include <sys/types.h>

struct error;
struct request;

/* Nothing to do without a cgroup_parent. All threads of pid move. */
int cgroup_home_enter(const struct request *request, pid_t pid, struct error *err)
    __attribute__((warn_unused_result));
/* Removes what enter() made, as far as it is empty. */
void cgroup_home_leave(const struct request *request);
