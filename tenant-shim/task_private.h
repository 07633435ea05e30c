/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Shared by task.c (what is asked for) and tasks.c (what happens). */
#include "task.h"

struct bring;
struct share_request;
struct guest_spec;
struct link_call;
struct manifest_slot;
struct parked;
struct pipes;
struct rootfs;
struct source;

/* A question to the guest on behalf of a caller. */
struct ask {
    struct ask *next;
    struct task *task;
    struct link_call *link_call;
    void (*after)(struct task *task, const struct agent_reply *reply); /* on success; may be NULL */
    void (*failed)(struct task *task);                                 /* likewise */
    struct task_answer answer;
};

struct task {
    struct tasks *tasks;
    struct task_entry *entry;
    struct parked *parked;
    struct pipes *pipes;
    struct ask *asks;

    const struct manifest_slot *slot; /* what it is in a sealed pod, or NULL; borrowed */
    char *tree;                       /* where the root is on this node, or NULL */
    struct bring *bring;              /* during creation, with the five below */
    struct share_request *sharing;
    struct rootfs *rootfs;
    struct guest_spec *spec;
    struct task_answer creating;
    struct source *create_limit;
    bool is_in_guest; /* Create or Exec was sent: something may be there to delete */

    char **shares; /* names of its live shares */
    size_t share_count;

    char *process; /* of an exec: JSON */
    uint32_t width, height;
    bool resize_due;   /* the size changed after it went out with the start */
    bool stdin_closed; /* before there was a stdin */
    char *termination_log;

    bool starting;
    bool has_held_exit; /* told later: task_let_exit() knows what it waits for */
    struct exit_record held;
    bool execs_over, oom_over; /* these have been waited for long enough */
    struct source *hold_limit;
    bool owes_ack;                   /* its record is here, its output perhaps not */
    unsigned ooms_told, ooms_retold; /* retold: of this connection */

    struct task_answer deleting;
    struct source *drain_limit;

    struct container_sample sample;
    uint64_t sampled_ms; /* 0: never */
};

/* Whatever the guest has under this name goes, though nobody waits. */
void task_leave_behind(struct task *task);
struct task *task_new(struct tasks *tasks, struct task_entry *entry, const struct task_io *io,
                      struct error *err);
/* Killed where nobody hears it: 255, and the guest is told when it can be reached again. */
void task_give_up(struct task *task);
/* Answers what is under way with CANCELLED; the entry goes too. */
void task_free(struct task *task);
/* The steps of a creation, each of which goes on to the next. */
int task_add_shares(struct task *task, struct error *err);
int task_bring_volumes(struct task *task, struct error *err);
void task_remove_shares(struct task *task);
/* Answers the creation with err; nothing stays. */
void task_create_failed(struct task *task, const struct error *err);
/* A held exit: applied when nothing that must be told before it is still to come. */
void task_let_exit(struct task *task);
/* The record can go if the output is here, or nobody wants it. */
void task_acknowledge(struct task *task);
void task_io_changed(void *user);
struct agent_process task_name(const struct task *task);
/* What has ended holds no memory and no process; its times stay. */
void task_settle_sample(struct task *task);
