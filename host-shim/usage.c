/* SPDX-License-Identifier: Apache-2.0 */
/* CPU time comes from the process itself: libvirt leaves cpuacct alone on cgroup v1, and a machine
 * is exactly one process. Memory comes from its cgroup, which also counts what the kernel holds for
 * it. */
#include "usage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "machine.h"
#include "watch.h"

enum { FILE_MAX = 64 * 1024, PATH_SIZE = 768 };
#define CGROUP_ROOT   "/sys/fs/cgroup"
#define CGROUP2_MAGIC 0x63677270

static int read_process(pid_t pid, struct usage *ret, struct error *err)
{
    scoped(freep) char *text = NULL;
    uint64_t user, system, minor, major, tick = 1000000000u / (uint64_t) sysconf(_SC_CLK_TCK);
    int64_t resident;
    const char *after;
    char path[64];
    size_t length;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
    if (file_read(path, FILE_MAX, &text, &length, err) < 0)
        return -1;
    after = strrchr(text, ')');
    /* Fields 10, 12, 14, 15 and 24 of stat(5). */
    if (!after || sscanf(after + 1,
                         " %*c %*d %*d %*d %*d %*d %*u %" SCNu64 " %*u %" SCNu64 " %*u %" SCNu64
                         " %" SCNu64 " %*d %*d %*d %*d %*d %*d %*u %*u %" SCNd64,
                         &minor, &major, &user, &system, &resident) != 5)
        return error_set(err, STATUS_INTERNAL, "cannot read the times of process %d", (int) pid);
    ret->user_ns = user * tick;
    ret->system_ns = system * tick;
    ret->faults = minor;
    ret->major_faults = major;
    ret->memory = resident > 0 ? (uint64_t) resident * (uint64_t) sysconf(_SC_PAGESIZE) : 0;
    ret->anonymous = ret->memory;
    ret->processes = 1;
    return 0;
}

/* The line of /proc/<pid>/cgroup that counts memory. */
static int find_group(pid_t pid, bool unified, char path[PATH_SIZE], struct error *err)
{
    scoped(freep) char *text = NULL;
    char *save = NULL;
    size_t length;

    snprintf(path, PATH_SIZE, "/proc/%d/cgroup", (int) pid);
    if (file_read(path, FILE_MAX, &text, &length, err) < 0)
        return -1;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;

        if (!group)
            continue;
        *group++ = '\0';
        if (!text_equal(controllers + 1, unified ? "" : "memory"))
            continue;
        if (text_equal(group, "/"))
            break;
        return text_format(path, PATH_SIZE, err, "%s%s%s", CGROUP_ROOT, unified ? "" : "/memory",
                           group);
    }
    return error_set(err, STATUS_NOT_FOUND, "process %d has no memory cgroup", (int) pid);
}

static uint64_t read_value(const char *directory, const char *name, uint64_t otherwise)
{
    scoped(freep) char *text = NULL;
    char path[PATH_SIZE + 64];
    struct error err;
    uint64_t value;
    size_t length;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (file_read(path, FILE_MAX, &text, &length, &err) < 0)
        return otherwise;
    text[strcspn(text, "\n")] = '\0';
    return text_to_u64(text, &value) ? value : otherwise; /* "max" is no number */
}

static uint64_t read_field(const char *directory, const char *field)
{
    scoped(freep) char *text = NULL;
    char path[PATH_SIZE + 64], *save = NULL;
    size_t length, wanted = strlen(field);
    struct error err;

    snprintf(path, sizeof(path), "%s/memory.stat", directory);
    if (file_read(path, FILE_MAX, &text, &length, &err) < 0)
        return 0;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        uint64_t value;

        if (strncmp(line, field, wanted) == 0 && line[wanted] == ' ')
            return text_to_u64(line + wanted + 1, &value) ? value : 0;
    }
    return 0;
}

int usage_read(const struct machine_process *machine, struct usage *ret, struct error *err)
{
    bool unified = usage_is_unified();
    struct usage usage = {.memory_limit = UINT64_MAX};
    char group[PATH_SIZE];
    struct error none;

    if (read_process(machine->pid, &usage, err) < 0)
        return -1;
    if (watch_start_time(machine->pid) != machine->start_time)
        return error_set(err, STATUS_NOT_FOUND, "the machine is gone");
    if (find_group(machine->pid, unified, group, &none) == 0) {
        usage.memory = read_value(group, unified ? "memory.current" : "memory.usage_in_bytes",
                                  usage.memory);
        usage.memory_limit = read_value(group, unified ? "memory.max" : "memory.limit_in_bytes",
                                        UINT64_MAX);
        usage.inactive_file = read_field(group, unified ? "inactive_file" : "total_inactive_file");
        usage.anonymous = read_field(group, unified ? "anon" : "total_rss");
    }
    *ret = usage;
    return 0;
}

bool usage_is_unified(void)
{
    struct statfs fs;

    return statfs(CGROUP_ROOT, &fs) == 0 && fs.f_type == CGROUP2_MAGIC;
}
