/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A container's figures in the form that this node's containerd reads: its own metrics collector on
 * a cgroup v1 node unmarshals only v1, so the node's version decides, not the guest's. */
#include <stddef.h>
#include <stdint.h>

struct container_sample {
    uint64_t cpu_usage_ns, cpu_user_ns, cpu_system_ns;
    uint64_t memory_usage;
    uint64_t memory_limit; /* all ones: none */
    uint64_t memory_anon, memory_inactive_file;
    uint64_t page_faults, major_page_faults;
    uint64_t pids_current, pids_limit;
};

enum cgroup_version { CGROUP_V1 = 1, CGROUP_V2 = 2 };

/* Of the node: v2 if /sys/fs/cgroup is the unified hierarchy. */
enum cgroup_version stats_node_version(void);
const char *stats_type_url(enum cgroup_version version);
/* A packed Metrics message; the caller frees. */
uint8_t *stats_encode(enum cgroup_version version, const struct container_sample *sample,
                      size_t *ret_length);
