/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"

#define ROOT "/sys/fs/cgroup"

static int stats(const char *path, struct cgroup_stats *ret, struct error *err)
{
    uint64_t usage = 0, user = 0, system = 0;
    const struct cgroup_field cpu[] = {
        {"usage_usec", &usage}, {"user_usec", &user}, {"system_usec", &system}};
    const struct cgroup_field memory[] = {
        {"anon", &ret->memory_anon},
        {"inactive_file", &ret->memory_inactive_file},
        {"pgfault", &ret->page_faults},
        {"pgmajfault", &ret->major_page_faults},
    };

    *ret = (struct cgroup_stats){0};
    cgroup_fields(ROOT "%s/cpu.stat", path, cpu, ARRAY_LENGTH(cpu));
    cgroup_fields(ROOT "%s/memory.stat", path, memory, ARRAY_LENGTH(memory));
    ret->cpu_usage_ns = usage * 1000;
    ret->cpu_user_ns = user * 1000;
    ret->cpu_system_ns = system * 1000;
    ret->memory_usage = cgroup_number(0, ROOT "%s/memory.current", path);
    ret->memory_limit = cgroup_number(UINT64_MAX, ROOT "%s/memory.max", path);
    ret->pids_current = cgroup_number(0, ROOT "%s/pids.current", path);
    ret->pids_limit = cgroup_number(0, ROOT "%s/pids.max", path);
    return 0;
}

static uint64_t oom_kills(const char *path)
{
    uint64_t count = 0;
    const struct cgroup_field fields[] = {{"oom_kill", &count}};

    cgroup_fields(ROOT "%s/memory.events", path, fields, 1);
    return count;
}

static int open_oom(const char *path)
{
    scoped(freep) char *file = xformat(ROOT "%s/memory.events", path);
    scoped(closep) int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (fd < 0 || inotify_add_watch(fd, file, IN_MODIFY) < 0)
        return -1;
    return take_fd(fd);
}

static void thaw(const char *path)
{
    scoped(freep) char *state = xformat(ROOT "%s/cgroup.freeze", path);
    struct error ignored;

    (void) !file_put(state, "0", &ignored);
}

static int make_group(const char *group, struct error *err)
{
    if (mkdir(group, 0755) < 0 && errno != EEXIST)
        return error_errno(err, errno, "make '%s'", group);
    return 0;
}

static int freeze(const char *path, enum cgroup_motion motion, struct error *err)
{
    scoped(freep) char *group = xformat(ROOT "%s", path);
    scoped(freep) char *state = xformat("%s/cgroup.freeze", group);

    if (make_group(group, err) < 0)
        return -1;
    return file_put(state, motion == CGROUP_FROZEN ? "1" : "0", err);
}

static int kill_all(const char *path, struct error *err)
{
    scoped(freep) char *file = xformat(ROOT "%s/cgroup.kill", path);

    return file_put(file, "1", err);
}

static uint64_t unreclaimable(const char *path)
{
    uint64_t anon = 0, shmem = 0, stacks = 0, tables = 0, slab = 0;
    const struct cgroup_field fields[] = {
        {"anon", &anon},
        {"shmem", &shmem},
        {"kernel_stack", &stacks},
        {"pagetables", &tables},
        {"slab_unreclaimable", &slab},
    };

    cgroup_fields(ROOT "%s/memory.stat", path, fields, ARRAY_LENGTH(fields));
    return anon + shmem + stacks + tables + slab;
}

static int limit(const char *path, uint64_t more, struct error *err)
{
    scoped(freep) char *group = xformat(ROOT "%s", path);
    scoped(freep) char *file = xformat(ROOT "%s/memory.max", path);
    scoped(freep) char *value = NULL;

    if (make_group(group, err) < 0)
        return -1;
    if (file_put(ROOT "/cgroup.subtree_control", "+memory", err) < 0)
        return -1;
    value = xformat("%" PRIu64, unreclaimable(path) + more);
    return file_put(file, value, err);
}

static size_t open_exec(const char *path, int ret[CGROUP_FDS_MAX])
{
    scoped(freep) char *group = xformat(ROOT "%s", path);

    ret[0] = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return ret[0] >= 0;
}

const struct cgroup_version cgroup_v2 = {
    .number = 2,
    .stats = stats,
    .oom_kills = oom_kills,
    .open_oom = open_oom,
    .thaw = thaw,
    .freeze = freeze,
    .kill = kill_all,
    .limit = limit,
    .open_exec = open_exec,
    .processes = ROOT "%s/cgroup.procs",
};
