/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_task.h"

#include "base/scoped.h"
#include "codec_stats.h"
#include "task.pb-c.h"

static char *text(const char *value)
{
    return (char *) (value ? value : protobuf_c_empty_string);
}

static Ttrpc__Timestamp stamp(int64_t ns)
{
    Ttrpc__Timestamp at = TTRPC__TIMESTAMP__INIT;

    at.seconds = ns / 1000000000;
    at.nanos = (int32_t) (ns % 1000000000);
    return at;
}

void codec_reply_create(struct call *call, const struct task_entry *entry)
{
    Task__CreateTaskResponse reply = TASK__CREATE_TASK_RESPONSE__INIT;

    reply.pid = entry->pid;
    call_reply(call, &reply);
}

void codec_reply_start(struct call *call, const struct task_entry *entry)
{
    Task__StartResponse reply = TASK__START_RESPONSE__INIT;

    reply.pid = entry->pid;
    call_reply(call, &reply);
}

void codec_reply_delete(struct call *call, const struct task_entry *entry)
{
    Task__DeleteResponse reply = TASK__DELETE_RESPONSE__INIT;
    Ttrpc__Timestamp at = stamp(entry->exited_at_ns);

    reply.pid = entry->pid;
    reply.exit_status = entry->exit_status;
    reply.exited_at = &at;
    call_reply(call, &reply);
}

void codec_reply_wait(struct call *call, const struct task_entry *entry)
{
    Task__WaitResponse reply = TASK__WAIT_RESPONSE__INIT;
    Ttrpc__Timestamp at = stamp(entry->exited_at_ns);

    reply.exit_status = entry->exit_status;
    reply.exited_at = &at;
    call_reply(call, &reply);
}

void codec_reply_state(struct call *call, const struct task_entry *entry)
{
    static const Task__Status status[] = {
        [TASK_CREATING] = TASK__STATUS__UNKNOWN, [TASK_CREATED] = TASK__STATUS__CREATED,
        [TASK_RUNNING] = TASK__STATUS__RUNNING,  [TASK_PAUSED] = TASK__STATUS__PAUSED,
        [TASK_STOPPED] = TASK__STATUS__STOPPED,
    };
    const struct task_entry *task = entry->parent ? entry->parent : entry;
    Task__StateResponse reply = TASK__STATE_RESPONSE__INIT;
    Ttrpc__Timestamp at = stamp(entry->exited_at_ns);

    reply.id = task->id;
    reply.bundle = text(task->bundle);
    reply.pid = entry->pid;
    reply.status = status[entry->state];
    reply.stdin = text(entry->stdin_path);
    reply.stdout = text(entry->stdout_path);
    reply.stderr = text(entry->stderr_path);
    reply.terminal = entry->terminal;
    reply.exit_status = entry->exit_status;
    if (entry->state == TASK_STOPPED)
        reply.exited_at = &at;
    if (entry->parent)
        reply.exec_id = entry->id;
    call_reply(call, &reply);
}

void codec_reply_pids(struct call *call, const struct task_entry *entry)
{
    Task__PidsResponse reply = TASK__PIDS_RESPONSE__INIT;
    Task__ProcessInfo processes[1 + TASK_EXECS_MAX], *list[1 + TASK_EXECS_MAX];

    for (const struct task_entry *e = entry; e; e = e == entry ? entry->execs : e->next) {
        if (e != entry && e->state != TASK_RUNNING)
            continue;
        task__process_info__init(&processes[reply.n_processes]);
        processes[reply.n_processes].pid = e->pid;
        list[reply.n_processes] = &processes[reply.n_processes];
        reply.n_processes++;
    }
    reply.processes = list;
    call_reply(call, &reply);
}

void codec_reply_stats(struct call *call, const struct container_sample *sample)
{
    enum cgroup_version version = stats_node_version();
    Task__StatsResponse reply = TASK__STATS_RESPONSE__INIT;
    Ttrpc__Any any = TTRPC__ANY__INIT;
    scoped(freep) uint8_t *value = stats_encode(version, sample, &any.value.len);

    any.type_url = (char *) stats_type_url(version);
    any.value.data = value;
    reply.stats = &any;
    call_reply(call, &reply);
}
