/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How much of the host a machine uses, seen from outside: its process and its cgroup. */
#include <stdbool.h>
#include <stdint.h>

struct error;
struct machine_process;

struct usage {
    uint64_t user_ns, system_ns;
    uint64_t memory;       /* bytes charged to its cgroup; its resident set if it has none */
    uint64_t memory_limit; /* UINT64_MAX: none */
    uint64_t inactive_file;
    uint64_t anonymous;
    uint64_t faults, major_faults;
    uint64_t processes;
};

/* NOT_FOUND: the process is gone, whoever has its number by now. */
int usage_read(const struct machine_process *machine, struct usage *ret, struct error *err)
    __attribute__((warn_unused_result));
/* Is cgroup v2 the node's only tree? Decides which metrics containerd expects. */
bool usage_is_unified(void);
