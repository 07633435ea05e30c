/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The cgroup in which kubelet accounts for the pod: the machine lives in a group of its own below
 * it, in every hierarchy of the node but v1's `devices`. What was made is noted in the sandbox's
 * directory. */
#include <sys/types.h>

struct error;
struct request;

/* The machine's processes: QEMU, and its TPM if it has one, which libvirt accounts to nobody. */
struct cgroup_members {
    pid_t pids[2]; /* 0: none */
};

/* Nothing to do without a cgroup_parent. All threads of them move. */
int cgroup_home_enter(const struct request *request, const struct cgroup_members *members,
                      struct error *err) __attribute__((warn_unused_result));
/* Removes what enter() made. The machine's own group still in use after a second is a failure,
 * which can be tried again. */
int cgroup_home_leave(const struct request *request, struct error *err)
    __attribute__((warn_unused_result));
