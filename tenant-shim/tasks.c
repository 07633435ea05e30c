/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "codec_events.h"
#include "io/loop.h"
#include "leftovers.h"
#include "link.h"
#include "pids.h"
#include "pod.h"
#include "pod_stdio.h"
#include "rootfs.h"
#include "spec_rules.h"
#include "task_private.h"

enum { TERMINATION_MESSAGE_MAX = 4096 };

struct agent_process task_name(const struct task *task)
{
    const struct task_entry *entry = task->entry;

    return (struct agent_process){
        .container_id = entry->parent ? entry->parent->id : entry->id,
        .exec_id = entry->parent ? entry->id : "",
        .terminal = entry->terminal,
        .has_stdin = entry->stdin_path && entry->stdin_path[0],
        .has_stdout = entry->stdout_path && entry->stdout_path[0],
        .has_stderr = entry->stderr_path && entry->stderr_path[0],
        .width = task->width,
        .height = task->height,
    };
}

struct task *task_new(struct tasks *tasks, struct task_entry *entry, const struct task_io *io,
                      struct error *err)
{
    struct task *task = xnew(struct task);

    if (parked_new(&task->parked, err) < 0) {
        free(task);
        return NULL;
    }
    task->tasks = tasks;
    task->entry = entry;
    entry->user = task;
    entry->pid = parked_pid(task->parked);
    entry->stdin_path = xstrdup(io->stdin_path);
    entry->stdout_path = xstrdup(io->stdout_path);
    entry->stderr_path = xstrdup(io->stderr_path);
    entry->terminal = io->terminal;
    return task;
}

static void answer_cancelled(struct task *task, struct task_answer *answer)
{
    struct task_answer was = *answer;
    struct error err;

    *answer = (struct task_answer){0};
    if (!was.done)
        return;
    error_set(&err, STATUS_CANCELLED, "'%s' was deleted meanwhile", task->entry->id);
    was.done(was.call, task->entry, &err);
}

void task_leave_behind(struct task *task)
{
    struct tasks *tasks = task->tasks;
    struct agent_process name = task_name(task);

    if (task->is_in_guest && pod_state(tasks->pod) != POD_DEAD)
        leftovers_add(tasks->leftovers, pod_link(tasks->pod), name.container_id, name.exec_id,
                      task->asks ? LEFTOVER_ON_ITS_WAY : LEFTOVER_THERE);
    task->is_in_guest = false;
}

void task_free(struct task *task)
{
    if (task->starting)
        task_leave_behind(task);
    while (task->entry->execs)
        task_free(task->entry->execs->user);
    while (task->asks) {
        struct ask *ask = task->asks;

        task->asks = ask->next;
        link_cancel(ask->link_call);
        answer_cancelled(task, &ask->answer);
        free(ask);
    }
    answer_cancelled(task, &task->creating);
    answer_cancelled(task, &task->deleting);
    rootfs_free(task->rootfs);
    guest_spec_free(task->spec);
    pipes_free(task->pipes);
    source_free(task->drain_limit);
    source_free(task->create_limit);
    free(task->process);
    free(task->termination_log);
    task_table_remove(&task->tasks->table, task->entry);
    parked_free(task->parked);
    free(task);
}

void tasks_clear(struct tasks *tasks)
{
    struct task_entry *next;

    for (struct task_entry *entry = tasks->table.first; entry; entry = next) {
        next = entry->next;
        if (entry->user)
            task_free(entry->user);
    }
}

/* ---- exits ------------------------------------------------------------------------------------
 */

/* The file is containerd's or kubelet's, named in the spec that they made. */
static void write_termination_message(const struct task *task, const struct exit_record *record)
{
    size_t length = record->message_length;
    int fd;

    if (!task->termination_log || !record->message || length == 0)
        return;
    if (length > TERMINATION_MESSAGE_MAX)
        length = TERMINATION_MESSAGE_MAX;
    fd = open(task->termination_log, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || write(fd, record->message, length) != (ssize_t) length)
        log_warn("the termination message of '%s' cannot be written: %m", task->entry->id);
    if (fd >= 0)
        close(fd);
}

static void tell_oom(struct task *task)
{
    if (!task->oom_told)
        events_oom(task->tasks->publisher, task->entry);
    task->oom_told = true;
}

void task_stop(struct task *task, const struct exit_record *record)
{
    struct tasks *tasks = task->tasks;

    if (task->entry->state == TASK_STOPPED)
        return;
    if (!task->entry->parent) {
        write_termination_message(task, record);
        if (record->oom_killed)
            tell_oom(task);
    }
    task_exited(task->entry, record->exit_status, record->exited_at_ns);
    if (task->pipes)
        pipes_exited(task->pipes);
    events_exit(tasks->publisher, task->entry);
    tasks->exited(tasks->user, task->entry);
}

static void acknowledge(struct tasks *tasks, const struct exit_record *record)
{
    struct agent_ask ask = {.link = pod_link(tasks->pod)};

    agent_ack(&ask, record);
}

void tasks_exited(struct tasks *tasks, const struct exit_record *record)
{
    struct task_entry *entry;
    struct task *task;
    struct error err;

    acknowledge(tasks, record);
    if (task_table_find(&tasks->table, record->container_id, record->exec_id, &entry, &err) < 0 ||
        !entry->user) {
        log_debug("an exit of what is not known here: %s", err.message);
        return;
    }
    task = entry->user;
    if (!task->starting) {
        task_stop(task, record);
        return;
    }
    task->has_held_exit = true;
    task->held = *record;
    task->held.message = NULL;
    write_termination_message(task, record);
}

void tasks_oom(struct tasks *tasks, const char *container_id)
{
    struct task_entry *entry;
    struct error err;

    if (task_table_find(&tasks->table, container_id, NULL, &entry, &err) == 0 && entry->user)
        tell_oom(entry->user);
}

static void die(struct task *task, uint32_t exit_status)
{
    struct exit_record record = {.exit_status = exit_status, .exited_at_ns = clock_wall_ns()};
    struct error err;

    if (task->entry->state == TASK_CREATING) {
        error_set(&err, STATUS_UNAVAILABLE, "the pod has ended");
        task_create_failed(task, &err);
        return;
    }
    task->is_in_guest = false;
    for (struct task_entry *exec = task->entry->execs; exec; exec = exec->next)
        die(exec->user, exit_status);
    if (task->entry->state == TASK_RUNNING || task->entry->state == TASK_PAUSED ||
        (task->entry->state == TASK_CREATED && !task->entry->parent))
        task_stop(task, &record);
    if (task->pipes)
        pipes_end(task->pipes); /* let readers see the rest and the end */
}

void tasks_all_dead(struct tasks *tasks, uint32_t exit_status)
{
    struct task_entry *next;

    leftovers_clear(tasks->leftovers);
    for (struct task_entry *entry = tasks->table.first; entry; entry = next) {
        next = entry->next;
        if (entry->user)
            die(entry->user, exit_status);
    }
}
