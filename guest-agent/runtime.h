/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* crun, as a short-lived program under a deadline. It is a child of ours and reaped by the reaper;
 * what it starts becomes our child when it exits. An exec is not its business: launch.h. */
#include <stdint.h>
#include <sys/types.h>

struct error;
struct loop;
struct reaper;
struct runtime;
struct runtime_job;

enum { RUNTIME_DEADLINE_MS = 30 * 1000 };

struct runtime_options {
    const char *program;   /* "crun": found in PATH */
    const char *directory; /* for its state and logs; exists */
};

int runtime_new(struct loop *loop, struct reaper *reaper, const struct runtime_options *options,
                struct runtime **ret, struct error *err) __attribute__((warn_unused_result));
void runtime_free(struct runtime *runtime); /* its jobs have been freed */
/* Where create left the container's seccomp program, if its spec has one. The caller frees. */
char *runtime_filter_path(const struct runtime *runtime, const char *container_id);

/* pid: of the process that create started, else 0. err NULL: it worked. Once. The job is
 * freed by its owner, in here or later. */
typedef void runtime_done_fn(void *user, pid_t pid, const struct error *err);

struct runtime_process {
    const char *container_id;
    const char *bundle;
    const char *pid_file;       /* a path where nothing is; removed afterwards */
    const char *console_socket; /* NULL: no terminal */
    int fds[3];                 /* of the new process; -1: /dev/null. Borrowed */
};

enum runtime_verb { RUNTIME_START, RUNTIME_DELETE, RUNTIME_PAUSE, RUNTIME_RESUME };

int runtime_create(struct runtime *runtime, const struct runtime_process *process,
                   runtime_done_fn *done, void *user, struct runtime_job **ret, struct error *err)
    __attribute__((warn_unused_result));
int runtime_verb(struct runtime *runtime, enum runtime_verb verb, const char *container_id,
                 runtime_done_fn *done, void *user, struct runtime_job **ret, struct error *err)
    __attribute__((warn_unused_result));
/* resources: a file with OCI LinuxResources. */
struct runtime_update {
    const char *container_id;
    const char *resources;
};
int runtime_update(struct runtime *runtime, const struct runtime_update *update,
                   runtime_done_fn *done, void *user, struct runtime_job **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Kills what still runs; done is not called any more. */
void runtime_job_free(struct runtime_job *job);
