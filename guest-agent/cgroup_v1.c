/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"

#define ROOT "/sys/fs/cgroup/"

/* The kernel's "no limit" is the largest multiple of a page. */
static const uint64_t UNLIMITED = (uint64_t) 1 << 62;

static int stats(const char *path, struct cgroup_stats *ret, struct error *err)
{
    uint64_t user = 0, system = 0;
    const struct cgroup_field cpu[] = {{"user", &user}, {"system", &system}};
    const struct cgroup_field memory[] = {
        {"total_rss", &ret->memory_anon},
        {"total_inactive_file", &ret->memory_inactive_file},
        {"total_pgfault", &ret->page_faults},
        {"total_pgmajfault", &ret->major_page_faults},
    };
    uint64_t tick_ns = 1000000000u / (uint64_t) sysconf(_SC_CLK_TCK);

    *ret = (struct cgroup_stats){0};
    cgroup_fields(ROOT "cpuacct%s/cpuacct.stat", path, cpu, ARRAY_LENGTH(cpu));
    cgroup_fields(ROOT "memory%s/memory.stat", path, memory, ARRAY_LENGTH(memory));
    ret->cpu_user_ns = user * tick_ns;
    ret->cpu_system_ns = system * tick_ns;
    ret->cpu_usage_ns = cgroup_number(0, ROOT "cpuacct%s/cpuacct.usage", path);
    ret->memory_usage = cgroup_number(0, ROOT "memory%s/memory.usage_in_bytes", path);
    ret->memory_limit = cgroup_number(UINT64_MAX, ROOT "memory%s/memory.limit_in_bytes", path);
    if (ret->memory_limit > UNLIMITED)
        ret->memory_limit = UINT64_MAX;
    ret->pids_current = cgroup_number(0, ROOT "pids%s/pids.current", path);
    ret->pids_limit = cgroup_number(0, ROOT "pids%s/pids.max", path);
    return 0;
}

static uint64_t oom_kills(const char *path)
{
    uint64_t count = 0;
    const struct cgroup_field fields[] = {{"oom_kill", &count}};

    cgroup_fields(ROOT "memory%s/memory.oom_control", path, fields, 1);
    return count;
}

static int open_oom(const char *path)
{
    scoped(freep) char *control = xformat(ROOT "memory%s/memory.oom_control", path);
    scoped(freep) char *subscribe = xformat(ROOT "memory%s/cgroup.event_control", path);
    scoped(closep) int control_fd = open(control, O_RDONLY | O_CLOEXEC);
    scoped(closep) int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct error ignored;
    char line[64];

    if (control_fd < 0 || event < 0)
        return -1;
    (void) snprintf(line, sizeof(line), "%d %d", event, control_fd);
    if (file_put(subscribe, line, &ignored) < 0)
        return -1;
    return take_fd(event);
}

static void thaw(const char *path)
{
    scoped(freep) char *state = xformat(ROOT "freezer%s/freezer.state", path);
    struct error ignored;

    (void) !file_put(state, "THAWED", &ignored);
}

/* Links to hierarchies of several controllers are left out: they would be joined twice. */
static size_t open_exec(const char *path, int ret[CGROUP_FDS_MAX])
{
    DIR *hierarchies = opendir(ROOT);
    size_t count = 0;

    for (struct dirent *entry;
         hierarchies && count < CGROUP_FDS_MAX && (entry = readdir(hierarchies));) {
        scoped(freep) char *file = NULL;

        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        file = xformat(ROOT "%s%s/cgroup.procs", entry->d_name, path);
        ret[count] = open(file, O_WRONLY | O_CLOEXEC);
        count += ret[count] >= 0;
    }
    if (hierarchies)
        closedir(hierarchies);
    return count;
}

static int freeze(const char *path, enum cgroup_motion motion, struct error *err)
{
    scoped(freep) char *group = xformat(ROOT "freezer%s", path);
    scoped(freep) char *state = xformat("%s/freezer.state", group);

    if (mkdir(group, 0755) < 0 && errno != EEXIST)
        return error_errno(err, errno, "make '%s'", group);
    return file_put(state, motion == CGROUP_FROZEN ? "FROZEN" : "THAWED", err);
}

const struct cgroup_version cgroup_v1 = {
    .number = 1,
    .stats = stats,
    .oom_kills = oom_kills,
    .open_oom = open_oom,
    .thaw = thaw,
    .open_exec = open_exec,
    .freeze = freeze,
    .processes = ROOT "pids%s/cgroup.procs",
};
