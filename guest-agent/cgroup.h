/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A container's control group, read directly. Two kernels' interfaces behind one table: a virtual
 * machine has version 2, a stub guest version 1. Paths are as in the OCI spec ("/cleave/ID"). */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

enum { CGROUP_PIDS_MAX = 32768, CGROUP_FDS_MAX = 24 };

struct cgroup_stats {
    uint64_t cpu_usage_ns, cpu_user_ns, cpu_system_ns;
    uint64_t memory_usage, memory_limit; /* limit all ones: none */
    uint64_t memory_anon, memory_inactive_file;
    uint64_t page_faults, major_page_faults;
    uint64_t pids_current, pids_limit; /* limit 0: none */
};

enum cgroup_motion { CGROUP_THAWED, CGROUP_FROZEN };

struct cgroup_version {
    unsigned number;
    int (*stats)(const char *path, struct cgroup_stats *ret, struct error *err);
    uint64_t (*oom_kills)(const char *path); /* so far; 0 if unknown */
    /* A descriptor that becomes readable at an OOM event (read it empty), -1 if there is none. */
    int (*open_oom)(const char *path);
    void (*thaw)(const char *path);
    /* Makes the group if it is not there; what is below it stops and goes on with it. */
    int (*freeze)(const char *path, enum cgroup_motion motion, struct error *err);
    /* Ends all at once, those too that are being forked; NULL: it has no such file. */
    int (*kill)(const char *path, struct error *err);
    /* Makes the group, and lets it have so much memory more than what it cannot give back now.
     * NULL: a stub guest's memory is not ours to divide. */
    int (*limit)(const char *path, uint64_t more, struct error *err);
    /* What a process that is to join needs open: the group's directory, or cgroup.procs of each
     * hierarchy. The number of descriptors, at most CGROUP_FDS_MAX; 0: there is no such group. */
    size_t (*open_exec)(const char *path, int ret[CGROUP_FDS_MAX]);
    const char *processes; /* directory with cgroup.procs, a format with the path */
};

extern const struct cgroup_version cgroup_v1;
extern const struct cgroup_version cgroup_v2;

const struct cgroup_version *cgroup_detect(void);
/* Process ids in the group; the caller frees. An absent group is empty. */
int cgroup_pids(const struct cgroup_version *version, const char *path, pid_t **ret,
                size_t *ret_count, struct error *err) __attribute__((warn_unused_result));
/* To every process of the group but one. SIGKILL leaves none, however they fork. */
struct cgroup_signal {
    int signum;
    pid_t except; /* 0: none */
};
void cgroup_signal(const struct cgroup_version *version, const char *path,
                   const struct cgroup_signal *signal);

/* For the two files: numbers out of small files; `otherwise` if there is no such file or number. */
uint64_t cgroup_number(uint64_t otherwise, const char *format, const char *path)
    __attribute__((format(printf, 2, 0)));
/* "key value" lines. */
struct cgroup_field {
    const char *key;
    uint64_t *to;
};
void cgroup_fields(const char *format, const char *path, const struct cgroup_field *fields,
                   size_t count) __attribute__((format(printf, 1, 0)));
