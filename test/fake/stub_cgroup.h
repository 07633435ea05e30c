/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The control groups of a stub guest: one directory named after it in each hierarchy of the node
 * (version 1), or in the one that there is (version 2). */
#include <sys/types.h>

struct error;

/* Makes the directories; those that an earlier guest of this name left are emptied first. */
int stub_cgroup_make(const char *name, struct error *err) __attribute__((warn_unused_result));
int stub_cgroup_enter(const char *name, pid_t pid, struct error *err)
    __attribute__((warn_unused_result));
/* After the guest has its cgroup namespace. Version 2 wants no process beside child groups. */
int stub_cgroup_settle(const char *name, pid_t pid, struct error *err)
    __attribute__((warn_unused_result));
/* In the guest: shows its own groups, and only them, at `target`. Never the hybrid arrangement,
 * which crun refuses. */
int stub_cgroup_mount(const char *target, struct error *err) __attribute__((warn_unused_result));
/* Thaws and kills what is left, then removes; waits some seconds for the dying. */
void stub_cgroup_sweep(const char *name);
