/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_task.h"

#include "base/scoped.h"
#include "codec_stats.h"
#include "task.pb-c.h"
#include "ttrpc/wire.h"

enum { STATE_USUAL = 896, FRAME_MAX = 4 << 20 };

static Ttrpc__Timestamp stamp(int64_t ns)
{
    Ttrpc__Timestamp at = TTRPC__TIMESTAMP__INIT;

    at.seconds = ns / 1000000000;
    at.nanos = (int32_t) (ns % 1000000000);
    return at;
}

static void put_stamp(struct wire *wire, unsigned field, int64_t ns)
{
    Ttrpc__Timestamp at = stamp(ns);
    uint8_t room[32];
    struct wire inner;

    wire_init(&inner, room, sizeof(room));
    wire_number(&inner, 1, (uint64_t) at.seconds);
    wire_number(&inner, 2, (uint64_t) (int64_t) at.nanos);
    wire_bytes(wire, field, room, (size_t) (inner.at - room));
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

/* containerd asks for it all the time, about every task; see ttrpc/wire.h. Numbers of the fields:
 * proto/task.proto. */
void codec_state(const struct task_entry *entry, struct wire *wire)
{
    static const Task__Status status[] = {
        [TASK_CREATING] = TASK__STATUS__UNKNOWN, [TASK_CREATED] = TASK__STATUS__CREATED,
        [TASK_RUNNING] = TASK__STATUS__RUNNING,  [TASK_PAUSED] = TASK__STATUS__PAUSED,
        [TASK_STOPPED] = TASK__STATUS__STOPPED,
    };
    const struct task_entry *task = entry->parent ? entry->parent : entry;

    wire_text(wire, 1, task->id);
    wire_text(wire, 2, task->bundle);
    wire_number(wire, 3, entry->pid);
    wire_number(wire, 4, status[entry->state]);
    wire_text(wire, 5, entry->stdin_path);
    wire_text(wire, 6, entry->stdout_path);
    wire_text(wire, 7, entry->stderr_path);
    wire_number(wire, 8, entry->terminal);
    wire_number(wire, 9, entry->exit_status);
    if (entry->state == TASK_STOPPED)
        put_stamp(wire, 10, entry->exited_at_ns);
    if (entry->parent)
        wire_text(wire, 11, entry->id);
}

void codec_reply_state(struct call *call, const struct task_entry *entry)
{
    uint8_t small[STATE_USUAL];
    scoped(freep) uint8_t *large = NULL;
    struct wire wire;

    wire_init(&wire, small, sizeof(small));
    codec_state(entry, &wire);
    if (!wire.full) {
        call_reply_packed(call, small, (size_t) (wire.at - small));
        return;
    }
    large = xalloc(FRAME_MAX);
    wire_init(&wire, large, FRAME_MAX);
    codec_state(entry, &wire);
    if (wire.full)
        call_fail(call, STATUS_RESOURCE_EXHAUSTED, "the state of '%s' is too large", entry->id);
    else
        call_reply_packed(call, large, (size_t) (wire.at - large));
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
