/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Tasks and their execs as containerd sees them: states, what is legal when, who waits. No effects:
 * the shims embed an entry in their own task and act. */
#include <stdbool.h>
#include <stdint.h>
#include "ttrpc/call.h"

struct error;

enum task_state { TASK_CREATING, TASK_CREATED, TASK_RUNNING, TASK_PAUSED, TASK_STOPPED };

enum task_op {
    TASK_OP_START,
    TASK_OP_KILL,
    TASK_OP_PAUSE,
    TASK_OP_RESUME,
    TASK_OP_EXEC,
    TASK_OP_UPDATE,
    TASK_OP_RESIZE,
    TASK_OP_DELETE,
    TASK_OPS
};

/* A process: the init of a task or one of its execs. */
struct task_entry {
    struct task_entry *next;
    struct task_entry *parent; /* the task of an exec, NULL for a task */
    struct task_entry *execs;  /* of a task */
    char *id;                  /* container id; of an exec: exec id */
    enum task_state state;
    uint32_t pid;
    uint32_t exit_status;
    int64_t exited_at_ns;
    char *bundle, *stdin_path, *stdout_path, *stderr_path; /* as given; State returns them */
    bool terminal;
    struct call_list waiters; /* parked Wait calls */
    void *user;               /* the shim's own task or process */
};

struct task_table {
    struct task_entry *first;
    unsigned count;
};

enum { TASK_TABLE_MAX = 1024, TASK_EXECS_MAX = 1024 };

/* ALREADY_EXISTS, INVALID_ARGUMENT (the id), RESOURCE_EXHAUSTED. Starts in TASK_CREATING. */
int task_table_add(struct task_table *table, const char *id, struct task_entry **ret,
                   struct error *err) __attribute__((warn_unused_result));
/* Starts in TASK_CREATED: registering is all that Exec does. */
int task_table_add_exec(struct task_entry *task, const char *exec_id, struct task_entry **ret,
                        struct error *err) __attribute__((warn_unused_result));
/* exec_id "" or NULL: the task itself. NOT_FOUND with a sentence. */
int task_table_find(const struct task_table *table, const char *id, const char *exec_id,
                    struct task_entry **ret, struct error *err) __attribute__((warn_unused_result));
/* Waiters fail with NOT_FOUND; a task takes its execs along. */
void task_table_remove(struct task_table *table, struct task_entry *entry);
void task_table_clear(struct task_table *table);

/* FAILED_PRECONDITION "cannot start task 'x': it is running"; Kill of what has exited is NOT_FOUND
 * (containerd takes that for success). */
int task_allow(const struct task_entry *entry, enum task_op op, struct error *err)
    __attribute__((warn_unused_result));
void task_set_state(struct task_entry *entry, enum task_state state);
/* TASK_STOPPED for good, once; a second call is ignored (an exit code never changes). */
bool task_exited(struct task_entry *entry, uint32_t exit_status, int64_t exited_at_ns);
const char *task_state_name(enum task_state state);
