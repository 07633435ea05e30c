/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_events.h"

#include "events.pb-c.h"

/* protobuf-c's empty string instead of NULL. */
static char *text(const char *value)
{
    return (char *) (value ? value : protobuf_c_empty_string);
}

static char *container_of_entry(const struct task_entry *entry)
{
    return entry->parent ? entry->parent->id : entry->id;
}

static void stamp(Ttrpc__Timestamp *to, int64_t ns)
{
    ttrpc__timestamp__init(to);
    to->seconds = ns / 1000000000;
    to->nanos = (int32_t) (ns % 1000000000);
}

void events_create(struct publisher *publisher, const struct task_entry *task)
{
    Events__TaskCreate event = EVENTS__TASK_CREATE__INIT;
    Events__TaskIO io = EVENTS__TASK_IO__INIT;

    io.stdin = text(task->stdin_path);
    io.stdout = text(task->stdout_path);
    io.stderr = text(task->stderr_path);
    io.terminal = task->terminal;
    event.container_id = task->id;
    event.bundle = text(task->bundle);
    event.io = &io;
    event.pid = task->pid;
    publisher_send(publisher, "/tasks/create", &event.base);
}

void events_start(struct publisher *publisher, const struct task_entry *entry)
{
    Events__TaskStart start = EVENTS__TASK_START__INIT;
    Events__TaskExecStarted exec = EVENTS__TASK_EXEC_STARTED__INIT;

    if (!entry->parent) {
        start.container_id = entry->id;
        start.pid = entry->pid;
        publisher_send(publisher, "/tasks/start", &start.base);
        return;
    }
    exec.container_id = entry->parent->id;
    exec.exec_id = entry->id;
    exec.pid = entry->pid;
    publisher_send(publisher, "/tasks/exec-started", &exec.base);
}

void events_exit(struct publisher *publisher, const struct task_entry *entry)
{
    Events__TaskExit event = EVENTS__TASK_EXIT__INIT;
    Ttrpc__Timestamp at;

    stamp(&at, entry->exited_at_ns);
    event.container_id = container_of_entry(entry);
    event.id = entry->id;
    event.pid = entry->pid;
    event.exit_status = entry->exit_status;
    event.exited_at = &at;
    publisher_send(publisher, "/tasks/exit", &event.base);
}

void events_delete(struct publisher *publisher, const struct task_entry *task)
{
    Events__TaskDelete event = EVENTS__TASK_DELETE__INIT;
    Ttrpc__Timestamp at;

    stamp(&at, task->exited_at_ns);
    event.container_id = task->id;
    event.id = task->id;
    event.pid = task->pid;
    event.exit_status = task->exit_status;
    event.exited_at = &at;
    publisher_send(publisher, "/tasks/delete", &event.base);
}

void events_exec_added(struct publisher *publisher, const struct task_entry *exec)
{
    Events__TaskExecAdded event = EVENTS__TASK_EXEC_ADDED__INIT;

    event.container_id = exec->parent->id;
    event.exec_id = exec->id;
    publisher_send(publisher, "/tasks/exec-added", &event.base);
}

void events_oom(struct publisher *publisher, const struct task_entry *task)
{
    Events__TaskOOM event = EVENTS__TASK_OOM__INIT;

    event.container_id = task->id;
    publisher_send(publisher, "/tasks/oom", &event.base);
}

void events_paused(struct publisher *publisher, const struct task_entry *task)
{
    Events__TaskPaused event = EVENTS__TASK_PAUSED__INIT;

    event.container_id = task->id;
    publisher_send(publisher, "/tasks/paused", &event.base);
}

void events_resumed(struct publisher *publisher, const struct task_entry *task)
{
    Events__TaskResumed event = EVENTS__TASK_RESUMED__INIT;

    event.container_id = task->id;
    publisher_send(publisher, "/tasks/resumed", &event.base);
}
