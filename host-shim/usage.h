/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How much of the host a machine uses, seen from outside: its process and its cgroup. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

struct usage {
    uint64_t user_ns, system_ns;
    uint64_t memory;       /* bytes charged to its cgroup; its resident set if it has none */
    uint64_t memory_limit; /* UINT64_MAX: none */
    uint64_t inactive_file;
    uint64_t anonymous;
    uint64_t faults, major_faults;
    uint64_t processes;
};

int usage_read(pid_t pid, struct usage *ret, struct error *err) __attribute__((warn_unused_result));
/* Is cgroup v2 the node's only tree? Decides which metrics containerd expects. */
bool usage_is_unified(void);
