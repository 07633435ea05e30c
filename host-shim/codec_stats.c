/* SPDX-License-Identifier: Apache-2.0 */
/* containerd's collector on a cgroup v1 node unmarshals only v1 metrics; CRI takes either. */
#include "codec_stats.h"

#include "base/scoped.h"
#include "cgroup1.pb-c.h"
#include "cgroup2.pb-c.h"
#include "usage.h"

static void encode_v1(const struct usage *usage, struct codec_stats *ret)
{
    Cgroup1__Metrics metrics = CGROUP1__METRICS__INIT;
    Cgroup1__CPUStat cpu = CGROUP1__CPUSTAT__INIT;
    Cgroup1__CPUUsage times = CGROUP1__CPUUSAGE__INIT;
    Cgroup1__MemoryStat memory = CGROUP1__MEMORY_STAT__INIT;
    Cgroup1__MemoryEntry entry = CGROUP1__MEMORY_ENTRY__INIT;
    Cgroup1__PidsStat pids = CGROUP1__PIDS_STAT__INIT;

    times.total = usage->user_ns + usage->system_ns;
    times.user = usage->user_ns;
    times.kernel = usage->system_ns;
    cpu.usage = &times;
    entry.usage = usage->memory;
    entry.limit = usage->memory_limit;
    memory.usage = &entry;
    memory.rss = memory.total_rss = usage->anonymous;
    memory.inactive_file = memory.total_inactive_file = usage->inactive_file;
    memory.pg_fault = memory.total_pg_fault = usage->faults;
    memory.pg_maj_fault = memory.total_pg_maj_fault = usage->major_faults;
    memory.hierarchical_memory_limit = usage->memory_limit;
    pids.current = usage->processes;
    metrics.cpu = &cpu;
    metrics.memory = &memory;
    metrics.pids = &pids;
    ret->type_url = "io.containerd.cgroups.v1.Metrics";
    ret->value = xalloc(cgroup1__metrics__get_packed_size(&metrics));
    ret->length = cgroup1__metrics__pack(&metrics, ret->value);
}

static void encode_v2(const struct usage *usage, struct codec_stats *ret)
{
    Cgroup2__Metrics metrics = CGROUP2__METRICS__INIT;
    Cgroup2__CPUStat cpu = CGROUP2__CPUSTAT__INIT;
    Cgroup2__MemoryStat memory = CGROUP2__MEMORY_STAT__INIT;
    Cgroup2__PidsStat pids = CGROUP2__PIDS_STAT__INIT;

    cpu.usage_usec = (usage->user_ns + usage->system_ns) / 1000;
    cpu.user_usec = usage->user_ns / 1000;
    cpu.system_usec = usage->system_ns / 1000;
    memory.usage = usage->memory;
    memory.usage_limit = usage->memory_limit;
    memory.anon = usage->anonymous;
    memory.inactive_file = usage->inactive_file;
    memory.pgfault = usage->faults;
    memory.pgmajfault = usage->major_faults;
    pids.current = usage->processes;
    metrics.cpu = &cpu;
    metrics.memory = &memory;
    metrics.pids = &pids;
    ret->type_url = "io.containerd.cgroups.v2.Metrics";
    ret->value = xalloc(cgroup2__metrics__get_packed_size(&metrics));
    ret->length = cgroup2__metrics__pack(&metrics, ret->value);
}

void codec_stats(const struct usage *usage, struct codec_stats *ret)
{
    if (usage_is_unified())
        encode_v2(usage, ret);
    else
        encode_v1(usage, ret);
}
