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
#include "shim/publisher.h"
#include "spec_rules.h"
#include "task_private.h"
#include "volumes.h"

enum {
    TERMINATION_MESSAGE_MAX = 4096,
    HOLD_EXECS_MS = 2000, /* an init's exit, for the exits of its execs */
    HOLD_OOM_MS = 1000,   /* any, for the event that says why */
    OOMS_KEPT = 64,       /* by the guest, of one container */
};

struct agent_process task_name(const struct task *task)
{
    const struct task_entry *entry = task->entry;

    return (struct agent_process){
        .container_id = entry->parent ? entry->parent->id : entry->id,
        .exec_id = entry->parent ? entry->id : "",
        .terminal = entry->terminal,
        .has_stdin = entry->stdin_path && entry->stdin_path[0],
        .has_stdout = entry->stdout_path && entry->stdout_path[0],
        .has_stderr = !entry->terminal && entry->stderr_path && entry->stderr_path[0],
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
    bring_free(task->bring);
    task_remove_shares(task);
    free(task->tree);
    rootfs_free(task->rootfs);
    guest_spec_free(task->spec);
    pipes_free(task->pipes);
    source_free(task->drain_limit);
    source_free(task->create_limit);
    source_free(task->hold_limit);
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

static void leave_oom_file(const struct task *task)
{
    scoped(freep) char *path = xformat("%s/oom", task->entry->bundle);
    scoped(closep) int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);

    if (fd < 0)
        log_warn("%s: %m", path);
}

static void tell_oom(struct task *task)
{
    task->ooms_told++;
    if (task->tasks->oom_files)
        leave_oom_file(task);
    events_oom(task->tasks->publisher, task->entry);
}

static bool has_active_execs(const struct task *task)
{
    for (const struct task_entry *entry = task->entry->execs; entry; entry = entry->next) {
        const struct task *exec = entry->user;

        if (entry->state == TASK_RUNNING || exec->starting || exec->has_held_exit)
            return true;
    }
    return false;
}

static void on_hold_limit(void *user)
{
    struct task *task = user;

    source_free(take_ptr(task->hold_limit));
    if (!task->execs_over && has_active_execs(task))
        task->execs_over = true;
    else
        task->oom_over = true;
    task_let_exit(task);
}

/* True: come back later, at the limit at the latest. */
static bool hold(struct task *task, uint64_t limit_ms)
{
    struct error err;

    return task->hold_limit || loop_after(task->tasks->loop, limit_ms, on_hold_limit, task,
                                          &task->hold_limit, &err) == 0;
}

static void on_published(void *user)
{
    struct tasks *tasks = user;

    for (struct task_entry *entry = tasks->table.first; entry; entry = entry->next) {
        if (entry->user)
            task_let_exit(entry->user);
    }
}

/* CRI takes the reason from an event and the code from Wait: whoever is told the code first never
 * hears the reason. */
static bool must_wait_for_oom(struct task *task)
{
    struct tasks *tasks = task->tasks;

    if (task->entry->parent || !task->held.oom_killed || task->oom_over)
        return false;
    if (task->ooms_told == 0)
        tell_oom(task);
    if (publisher_pending(tasks->publisher) == 0 || !hold(task, HOLD_OOM_MS))
        return false;
    publisher_flush(tasks->publisher, HOLD_OOM_MS, on_published, tasks);
    return true;
}

static void stop(struct task *task)
{
    struct tasks *tasks = task->tasks;

    source_free(take_ptr(task->hold_limit));
    task->has_held_exit = false;
    task_exited(task->entry, task->held.exit_status, task->held.exited_at_ns);
    task_settle_sample(task);
    if (task->pipes)
        pipes_exited(task->pipes);
    events_exit(tasks->publisher, task->entry);
    tasks->exited(tasks->user, task->entry);
    if (!task->pipes || pipes_have_arrived(task->pipes))
        task_acknowledge(task);
    if (task->entry->parent)
        task_let_exit(task->entry->parent->user);
    pod_changed(tasks->pod);
}

void task_let_exit(struct task *task)
{
    if (!task->has_held_exit || task->starting || task->entry->state == TASK_CREATING)
        return;
    if (!task->entry->parent && !task->execs_over && has_active_execs(task) &&
        hold(task, HOLD_EXECS_MS))
        return;
    if (!must_wait_for_oom(task))
        stop(task);
}

static void acknowledge(struct tasks *tasks, const char *container_id, const char *exec_id)
{
    struct agent_ask ask = {.link = pod_link(tasks->pod)};
    struct exit_record record = {.container_id = container_id, .exec_id = exec_id};

    agent_ack(&ask, &record);
}

void task_acknowledge(struct task *task)
{
    struct agent_process name = task_name(task);

    if (task->owes_ack)
        acknowledge(task->tasks, name.container_id, name.exec_id);
    task->owes_ack = false;
}

static void take_record(struct task *task, const struct exit_record *record)
{
    task->owes_ack = true;
    if (task->entry->state == TASK_STOPPED) { /* told again after a reconnect */
        if (!task->pipes || pipes_have_arrived(task->pipes))
            task_acknowledge(task);
        return;
    }
    if (task->has_held_exit)
        return;
    if (!task->entry->parent)
        write_termination_message(task, record);
    task->has_held_exit = true;
    task->held = (struct exit_record){.exit_status = record->exit_status,
                                      .exited_at_ns = record->exited_at_ns,
                                      .oom_killed = record->oom_killed};
    task_let_exit(task);
}

void tasks_exited(struct tasks *tasks, const struct exit_record *record)
{
    struct task_entry *entry;
    struct error err;

    if (task_table_find(&tasks->table, record->container_id, record->exec_id, &entry, &err) == 0 &&
        entry->user) {
        take_record(entry->user, record);
        return;
    }
    log_debug("an exit of what is not known here: '%s' '%s'", record->container_id,
              record->exec_id);
    acknowledge(tasks, record->container_id, record->exec_id);
}

/* After a reconnect the guest tells all of them again, of which it keeps the last ones. */
void tasks_oom(struct tasks *tasks, const char *container_id)
{
    struct task_entry *entry;
    struct error err;
    struct task *task;

    if (task_table_find(&tasks->table, container_id, NULL, &entry, &err) < 0 || !entry->user)
        return;
    task = entry->user;
    if (++task->ooms_retold > task->ooms_told)
        tell_oom(task);
}

void tasks_retold(struct tasks *tasks)
{
    for (struct task_entry *entry = tasks->table.first; entry; entry = entry->next) {
        struct task *task = entry->user;

        if (!task)
            continue;
        task->ooms_retold = 0;
        if (task->ooms_told > OOMS_KEPT)
            task->ooms_told = OOMS_KEPT;
    }
}

static bool is_quiet(const struct task *task)
{
    const struct task_entry *entry = task->entry;

    if (entry->state == TASK_CREATED && entry->parent)
        return !task->starting;
    if (entry->state == TASK_CREATING)
        return true; /* ends with an error */
    return entry->state == TASK_STOPPED && (!task->pipes || pipes_have_arrived(task->pipes));
}

bool tasks_are_quiet(const struct tasks *tasks)
{
    for (const struct task_entry *entry = tasks->table.first; entry; entry = entry->next) {
        if (!entry->user)
            continue;
        if (!is_quiet(entry->user))
            return false;
        for (const struct task_entry *exec = entry->execs; exec; exec = exec->next) {
            if (!is_quiet(exec->user))
                return false;
        }
    }
    return true;
}

/* The truth where there is no record: 255, not a signal that nobody saw. */
static void stop_unknown(struct task *task)
{
    if (!task->has_held_exit) {
        log_warn("the guest left no exit code of '%s' '%s': 255",
                 task->entry->parent ? task->entry->parent->id : task->entry->id,
                 task->entry->parent ? task->entry->id : "");
        task->held = (struct exit_record){.exit_status = 255, .exited_at_ns = clock_wall_ns()};
    }
    stop(task);
}

static void die(struct task *task)
{
    struct error err;

    if (task->entry->state == TASK_CREATING) {
        error_set(&err, STATUS_UNAVAILABLE, "the pod has ended");
        task_create_failed(task, &err);
        return;
    }
    task->is_in_guest = false;
    for (struct task_entry *exec = task->entry->execs; exec; exec = exec->next)
        die(exec->user);
    if (task->entry->state == TASK_RUNNING || task->entry->state == TASK_PAUSED ||
        (task->entry->state == TASK_CREATED && !task->entry->parent))
        stop_unknown(task);
    if (task->pipes)
        pipes_end(task->pipes); /* let readers see the rest and the end */
}

void task_give_up(struct task *task)
{
    log_warn("'%s' is killed while its guest is frozen and out of reach", task->entry->id);
    task_leave_behind(task);
    die(task);
}

void tasks_all_dead(struct tasks *tasks)
{
    struct task_entry *next;

    leftovers_clear(tasks->leftovers);
    for (struct task_entry *entry = tasks->table.first; entry; entry = next) {
        next = entry->next;
        if (entry->user)
            die(entry->user);
    }
}
