/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* For container*.c only. */
#include "container.h"
#include "pod.h"

struct js;
struct runtime_job;
struct source;

struct container {
    struct pod *pod;
    struct container *next;
    char *id;
    char *directory; /* the bundle */
    char *cgroup;
    char **layers;  /* digests of those that it holds, NULL-terminated; NULL: none */
    char *pid_path; /* of a PID namespace that it shares; NULL: one of its own */
    enum container_state state;
    struct js *exec_defaults;         /* what an exec takes from the spec */
    const struct manifest_slot *slot; /* of a sealed pod's manifest; NULL: none */
    bool lives_in_slot;               /* until its init has ended */
    struct js *slot_process;          /* that each exec is made of; NULL: any exec may be */
    struct process *init;
    struct process *execs;
    size_t exec_count;

    /* The one operation in progress. */
    struct runtime_job *job;
    enum container_op op;
    container_done_fn *done;
    void *user;
    char *file; /* resources.json of an update */

    struct error *failure; /* of a create that is being cleaned up after */
    container_done_fn *deleted;
    void *deleted_user;
    bool runtime_gone; /* crun has deleted it */

    int oom_fd;
    struct source *oom_source, *oom_timer;
    uint64_t ooms;   /* kills that were published */
    uint64_t oom_ms; /* the last of them, on the monotonic clock */
};

/* container_slot.c: what the pod's manifest says of it. */
int container_take_slot(struct container *container, const struct manifest_slot *slot,
                        struct error *err) __attribute__((warn_unused_result));
void container_note_process(struct container *container, const struct js *process);
void container_slot_started(struct container *container);
void container_slot_told(struct container *container, const struct process *process);
void container_leave_slot(struct container *container, unsigned exit_status); /* again: nothing */
/* In place: an exec of the manifest's, with what the container has. */
struct exec_options;
int container_seal_exec(const struct container *container, const struct exec_options *options,
                        struct js **process, struct error *err) __attribute__((warn_unused_result));
void container_watch_oom(struct container *container);
void container_unwatch_oom(struct container *container);
/* Publishes what is new. */
void container_check_oom(struct container *container);
/* After the end of init: what it left, if that did not end with it. */
void container_kill_rest(struct container *container);
/* All processes that were started have ended. */
bool container_is_empty(const struct container *container);
/* A deletion that waited for that goes on. */
void container_delete_continue(struct container *container);
/* After a failed create: undo it, then tell. */
void container_undo(struct container *container, const struct error *err);
/* Where on the scratch disk it writes, whether that is there or not; NULL: there is no disk. The
 * caller frees. */
char *container_disk(const struct container *container);
struct confine_options;
void container_confinement(const struct container *container, unsigned wanted, char **ret_root,
                           struct confine_options *ret);
extern const struct process_events container_process_events;
