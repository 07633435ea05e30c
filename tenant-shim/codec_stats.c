/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_stats.h"

#include <linux/magic.h>
#include <stdbool.h>
#include <sys/vfs.h>

#include "base/scoped.h"
#include "cgroup1.pb-c.h"
#include "cgroup2.pb-c.h"

/* A node does not change it while a shim lives, and every Stats asks. */
enum cgroup_version stats_node_version(void)
{
    static enum cgroup_version version;
    static bool known;
    struct statfs fs;

    if (!known)
        version = statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC
                      ? CGROUP_V2
                      : CGROUP_V1;
    known = true;
    return version;
}

const char *stats_type_url(enum cgroup_version version)
{
    return version == CGROUP_V2 ? "io.containerd.cgroups.v2.Metrics"
                                : "io.containerd.cgroups.v1.Metrics";
}

static uint8_t *pack(const ProtobufCMessage *message, size_t *ret_length)
{
    uint8_t *data;

    *ret_length = protobuf_c_message_get_packed_size(message);
    data = xalloc(*ret_length + 1);
    protobuf_c_message_pack(message, data);
    return data;
}

static uint8_t *encode_v1(const struct container_sample *s, size_t *ret_length)
{
    Cgroup1__Metrics metrics = CGROUP1__METRICS__INIT;
    Cgroup1__PidsStat pids = CGROUP1__PIDS_STAT__INIT;
    Cgroup1__CPUStat cpu = CGROUP1__CPUSTAT__INIT;
    Cgroup1__CPUUsage usage = CGROUP1__CPUUSAGE__INIT;
    Cgroup1__MemoryStat memory = CGROUP1__MEMORY_STAT__INIT;
    Cgroup1__MemoryEntry entry = CGROUP1__MEMORY_ENTRY__INIT;

    pids.current = s->pids_current;
    pids.limit = s->pids_limit;
    usage.total = s->cpu_usage_ns;
    usage.kernel = s->cpu_system_ns;
    usage.user = s->cpu_user_ns;
    cpu.usage = &usage;
    entry.usage = s->memory_usage;
    entry.limit = s->memory_limit;
    memory.usage = &entry;
    memory.rss = memory.total_rss = s->memory_anon;
    memory.inactive_file = memory.total_inactive_file = s->memory_inactive_file;
    memory.pg_fault = memory.total_pg_fault = s->page_faults;
    memory.pg_maj_fault = memory.total_pg_maj_fault = s->major_page_faults;
    memory.hierarchical_memory_limit = s->memory_limit;
    metrics.pids = &pids;
    metrics.cpu = &cpu;
    metrics.memory = &memory;
    return pack(&metrics.base, ret_length);
}

static uint8_t *encode_v2(const struct container_sample *s, size_t *ret_length)
{
    Cgroup2__Metrics metrics = CGROUP2__METRICS__INIT;
    Cgroup2__PidsStat pids = CGROUP2__PIDS_STAT__INIT;
    Cgroup2__CPUStat cpu = CGROUP2__CPUSTAT__INIT;
    Cgroup2__MemoryStat memory = CGROUP2__MEMORY_STAT__INIT;

    pids.current = s->pids_current;
    pids.limit = s->pids_limit;
    cpu.usage_usec = s->cpu_usage_ns / 1000;
    cpu.user_usec = s->cpu_user_ns / 1000;
    cpu.system_usec = s->cpu_system_ns / 1000;
    memory.anon = s->memory_anon;
    memory.inactive_file = s->memory_inactive_file;
    memory.pgfault = s->page_faults;
    memory.pgmajfault = s->major_page_faults;
    memory.usage = s->memory_usage;
    memory.usage_limit = s->memory_limit;
    metrics.pids = &pids;
    metrics.cpu = &cpu;
    metrics.memory = &memory;
    return pack(&metrics.base, ret_length);
}

uint8_t *stats_encode(enum cgroup_version version, const struct container_sample *sample,
                      size_t *ret_length)
{
    return version == CGROUP_V2 ? encode_v2(sample, ret_length) : encode_v1(sample, ret_length);
}
