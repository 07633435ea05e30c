/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One container: what may be done with it when (a table), and who does it (crun, the kernel). */
#include <stdbool.h>
#include <stddef.h>

#include "process.h"

struct cgroup_stats;
struct console_size;
struct container;
struct error;
struct manifest_slot;
struct mounts_file;
struct pod;
struct rootfs_layer;
struct share_name;

enum container_state {
    CONTAINER_CREATING,
    CONTAINER_CREATED,
    CONTAINER_RUNNING,
    CONTAINER_PAUSED,
    CONTAINER_STOPPED,
    CONTAINER_STATES,
};

enum container_op {
    CONTAINER_START,
    CONTAINER_EXEC,
    CONTAINER_KILL,
    CONTAINER_PAUSE,
    CONTAINER_RESUME,
    CONTAINER_UPDATE,
    CONTAINER_DELETE,
    CONTAINER_OPS,
};

enum { CONTAINER_SPEC_MAX = 1024 * 1024, CONTAINER_EXECS_MAX = 512 };

const char *container_op_name(enum container_op op); /* "start" */
/* The table. */
int container_allow(enum container_state state, enum container_op op, const char *id,
                    struct error *err) __attribute__((warn_unused_result));

/* process: init, or the exec; NULL with an error. Runs once, later, unless the call itself failed.
 */
typedef void container_done_fn(void *user, struct process *process, const struct error *err);

struct container_options {
    const char *id;
    const void *spec; /* JSON */
    size_t spec_length;
    const struct rootfs_layer *layers;
    size_t layer_count;
    const struct mounts_file *files;
    size_t file_count;
    const struct share_name *shared; /* what mounts_shared() found, opened */
    size_t shared_count;
    unsigned wanted;                  /* enum streams_wanted */
    const struct manifest_slot *slot; /* that it takes, of a sealed pod's manifest; NULL: none */
};
int container_create(struct pod *pod, const struct container_options *options,
                     container_done_fn *done, void *user, struct error *err)
    __attribute__((warn_unused_result));
struct container *container_find(const struct pod *pod, const char *id, struct error *err);
struct container *container_next(const struct container *container);
int container_start(struct container *container, container_done_fn *done, void *user,
                    struct error *err) __attribute__((warn_unused_result));

struct exec_options {
    const char *id;
    const void *process; /* JSON */
    size_t process_length;
    unsigned wanted;
    struct console_size size;
};
int container_exec(struct container *container, const struct exec_options *options,
                   container_done_fn *done, void *user, struct error *err)
    __attribute__((warn_unused_result));
/* exec_id "": init. */
struct process *container_process(const struct container *container, const char *exec_id,
                                  struct error *err);
/* Before a container's program runs nobody could handle a signal: any is SIGKILL then. */
int container_kill(struct container *container, struct process *process, int signum,
                   struct error *err) __attribute__((warn_unused_result));
int container_kill_all(struct container *container, int signum, struct error *err)
    __attribute__((warn_unused_result));
int container_pause(struct container *container, container_done_fn *done, void *user,
                    struct error *err) __attribute__((warn_unused_result));
int container_resume(struct container *container, container_done_fn *done, void *user,
                     struct error *err) __attribute__((warn_unused_result));
struct container_resources {
    const void *json;
    size_t length;
};
int container_update(struct container *container, const struct container_resources *resources,
                     container_done_fn *done, void *user, struct error *err)
    __attribute__((warn_unused_result));
/* During `done` the process still tells its record; then all of it is gone. One that is being
 * created is cancelled: its create ends with ABORTED. */
int container_delete(struct container *container, container_done_fn *done, void *user,
                     struct error *err) __attribute__((warn_unused_result));
int container_delete_exec(struct container *container, struct process *process, struct error *err)
    __attribute__((warn_unused_result));

int container_stats(struct container *container, struct cgroup_stats *ret, struct error *err)
    __attribute__((warn_unused_result));
int container_pids(struct container *container, pid_t **ret, size_t *ret_count, struct error *err)
    __attribute__((warn_unused_result));
/* The machine's end. */
void container_power_off(struct container *container, int signum);
bool container_has_ended(const struct container *container);
/* Lets go of everything without a word; processes are not killed. */
void container_free(struct container *container);
