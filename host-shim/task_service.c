/* SPDX-License-Identifier: Apache-2.0 */
/* containerd.task.v2.Task and v3.Task: what containerd demands of a shim that runs no process. Ids
 * are the sandbox's own or an anchor's. Everything that would reach into the pod is refused by the
 * table in refusal.c. */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "codec_stats.h"
#include "refusal.h"
#include "service.h"
#include "shim/shim_main.h"
#include "task.pb-c.h"
#include "ttrpc/server.h"
#include "ttrpc/wire.h"
#include "usage.h"

static void set_time(Ttrpc__Timestamp *timestamp, int64_t ns)
{
    timestamp->seconds = ns / 1000000000;
    timestamp->nanos = (int32_t) (ns % 1000000000);
}

static struct task_entry *find(struct call *call, const char *id, const char *exec_id)
{
    struct host *host = call_user(call);
    struct task_entry *anchor;
    struct error err;

    if (task_table_find(&host->anchors.table, id, exec_id, &anchor, &err) == 0)
        return anchor;
    call_fail_with(call, &err);
    return NULL;
}

static bool is_sandbox(const struct host *host, const char *id)
{
    return text_equal(id, host->id);
}

static void refuse_rpc(struct call *call, const void *message)
{
    const struct refusal *refusal = refusal_find(REFUSAL_TASK, call_method(call));

    (void) message;
    call_fail(call, STATUS_PERMISSION_DENIED, "%s", refusal->sentence);
}

/* Never fails, as runc's shim: containerd asks it for ids that it only suspects. */
static void connect_rpc(struct call *call, const void *message)
{
    const Task__ConnectRequest *req = message;
    struct host *host = call_user(call);
    Task__ConnectResponse reply = TASK__CONNECT_RESPONSE__INIT;
    struct task_entry *anchor;
    struct error err;

    reply.shim_pid = host->pid;
    reply.version = (char *) "3";
    if (is_sandbox(host, req->id) ||
        task_table_find(&host->anchors.table, req->id, NULL, &anchor, &err) == 0)
        reply.task_pid = host->pid;
    call_reply(call, &reply);
}

static void create_rpc(struct call *call, const void *message)
{
    const Task__CreateTaskRequest *req = message;
    struct host *host = call_user(call);
    struct anchor_options options = {
        .id = req->id,
        .bundle = req->bundle,
        .stdin_path = req->stdin,
        .stdout_path = req->stdout,
        .stderr_path = req->stderr,
        .terminal = req->terminal,
    };
    Task__CreateTaskResponse reply = TASK__CREATE_TASK_RESPONSE__INIT;
    struct task_entry *anchor;
    struct error err;

    if (is_sandbox(host, req->id)) {
        call_fail(
            call, STATUS_FAILED_PRECONDITION,
            "a host half is made by the Sandbox API: set sandboxer = \"shim\" for this runtime");
        return;
    }
    if (sandbox_allow(host->sandbox, SANDBOX_OP_ANCHOR, &err) < 0 ||
        anchor_create(&host->anchors, &options, &anchor, &err) < 0) {
        call_fail_with(call, &err);
        return;
    }
    reply.pid = anchor->pid;
    call_reply(call, &reply);
}

static void start_rpc(struct call *call, const void *message)
{
    const Task__StartRequest *req = message;
    struct host *host = call_user(call);
    Task__StartResponse reply = TASK__START_RESPONSE__INIT;
    struct task_entry *anchor = find(call, req->id, req->exec_id);
    struct error err;

    if (!anchor)
        return;
    if (sandbox_allow(host->sandbox, SANDBOX_OP_ANCHOR, &err) < 0 ||
        anchor_start(&host->anchors, anchor, &err) < 0) {
        call_fail_with(call, &err);
        return;
    }
    reply.pid = anchor->pid;
    call_reply(call, &reply);
}

static Task__Status wire_state(const struct task_entry *anchor)
{
    switch (anchor->state) {
    case TASK_CREATED:
        return TASK__STATUS__CREATED;
    case TASK_RUNNING:
        return TASK__STATUS__RUNNING;
    case TASK_STOPPED:
        return TASK__STATUS__STOPPED;
    default:
        return TASK__STATUS__UNKNOWN;
    }
}

/* containerd asks for it all the time; see ttrpc/wire.h. Numbers of the fields: proto/task.proto.
 */
static void sandbox_state_reply(struct call *call, struct host *host)
{
    uint8_t room[256], stamp[32];
    Ttrpc__Timestamp exited = TTRPC__TIMESTAMP__INIT;
    struct sandbox_view view;
    struct wire wire;

    sandbox_view(host->sandbox, &view);
    wire_init(&wire, room, sizeof(room));
    wire_text(&wire, 1, host->id);
    wire_number(&wire, 3, host->pid);
    wire_number(&wire, 4, view.exited_at_ns ? TASK__STATUS__STOPPED : TASK__STATUS__RUNNING);
    if (view.exited_at_ns) {
        set_time(&exited, view.exited_at_ns);
        wire_number(&wire, 9, view.exit_status);
        wire_bytes(&wire, 10, stamp, ttrpc__timestamp__pack(&exited, stamp));
    }
    call_reply_packed(call, room, (size_t) (wire.at - room));
}

static void state_rpc(struct call *call, const void *message)
{
    const Task__StateRequest *req = message;
    struct host *host = call_user(call);
    Task__StateResponse reply = TASK__STATE_RESPONSE__INIT;
    Ttrpc__Timestamp exited = TTRPC__TIMESTAMP__INIT;
    struct task_entry *anchor;

    if (is_sandbox(host, req->id)) {
        sandbox_state_reply(call, host);
        return;
    }
    anchor = find(call, req->id, req->exec_id);
    if (!anchor)
        return;
    reply.id = anchor->id;
    reply.bundle = anchor->bundle;
    reply.pid = anchor->pid;
    reply.status = wire_state(anchor);
    reply.stdin = anchor->stdin_path;
    reply.stdout = anchor->stdout_path;
    reply.stderr = anchor->stderr_path;
    reply.terminal = anchor->terminal;
    if (anchor->state == TASK_STOPPED) {
        set_time(&exited, anchor->exited_at_ns);
        reply.exit_status = anchor->exit_status;
        reply.exited_at = &exited;
    }
    call_reply(call, &reply);
}

static void answer_wait(struct call *call, uint32_t exit_status, int64_t exited_at_ns)
{
    Task__WaitResponse reply = TASK__WAIT_RESPONSE__INIT;
    Ttrpc__Timestamp exited = TTRPC__TIMESTAMP__INIT;

    set_time(&exited, exited_at_ns);
    reply.exit_status = exit_status;
    reply.exited_at = &exited;
    call_reply(call, &reply);
}

static void wait_rpc(struct call *call, const void *message)
{
    const Task__WaitRequest *req = message;
    struct host *host = call_user(call);
    struct task_entry *anchor;
    struct sandbox_view view;

    if (is_sandbox(host, req->id)) {
        sandbox_view(host->sandbox, &view);
        if (view.exited_at_ns)
            answer_wait(call, view.exit_status, view.exited_at_ns);
        else
            call_park(&host->task_waiters, call);
        return;
    }
    anchor = find(call, req->id, req->exec_id);
    if (!anchor)
        return;
    if (anchor->state == TASK_STOPPED)
        answer_wait(call, anchor->exit_status, anchor->exited_at_ns);
    else
        call_park(&anchor->waiters, call);
}

static void release_waiters(struct task_entry *anchor)
{
    struct call *call;

    while ((call = call_unpark(&anchor->waiters)))
        answer_wait(call, anchor->exit_status, anchor->exited_at_ns);
}

/* An anchor that never started speaks for nothing: it ends alone. */
static void kill_created(struct task_entry *anchor, uint32_t signal)
{
    if (task_exited(anchor, 128 + signal, clock_wall_ns()))
        release_waiters(anchor);
}

static int kill_running(struct host *host, uint32_t signal, struct error *err)
{
    switch (anchor_signal(signal)) {
    case ANCHOR_DESTROY:
        sandbox_stop(host->sandbox);
        return 0;
    case ANCHOR_POWER:
        return sandbox_power(host->sandbox, err);
    default:
        return 0;
    }
}

static void kill_rpc(struct call *call, const void *message)
{
    const Task__KillRequest *req = message;
    struct host *host = call_user(call);
    struct task_entry *anchor = NULL;
    struct error err;

    if (!is_sandbox(host, req->id)) {
        anchor = find(call, req->id, req->exec_id);
        if (!anchor)
            return;
        if (task_allow(anchor, TASK_OP_KILL, &err) < 0) {
            call_fail_with(call, &err);
            return;
        }
    }
    if (anchor && anchor->state == TASK_CREATED) {
        if (anchor_signal(req->signal) != ANCHOR_IGNORE)
            kill_created(anchor, req->signal);
    } else if (kill_running(host, req->signal, &err) < 0) {
        call_fail_with(call, &err);
        return;
    }
    call_reply(call, NULL);
}

static void delete_rpc(struct call *call, const void *message)
{
    const Task__DeleteRequest *req = message;
    struct host *host = call_user(call);
    Task__DeleteResponse reply = TASK__DELETE_RESPONSE__INIT;
    Ttrpc__Timestamp exited = TTRPC__TIMESTAMP__INIT;
    struct task_entry *anchor;
    struct error err;

    if (is_sandbox(host, req->id)) {
        call_fail(call, STATUS_FAILED_PRECONDITION,
                  "a host half is deleted by the Sandbox API (ShutdownSandbox)");
        return;
    }
    anchor = find(call, req->id, req->exec_id);
    if (!anchor)
        return;
    if (task_allow(anchor, TASK_OP_DELETE, &err) < 0) {
        call_fail_with(call, &err);
        return;
    }
    set_time(&exited, anchor->exited_at_ns);
    reply.pid = anchor->pid;
    reply.exit_status = anchor->exit_status;
    reply.exited_at = &exited;
    call_reply(call, &reply);
    anchor_delete(&host->anchors, anchor);
}

static void pids_rpc(struct call *call, const void *message)
{
    const Task__PidsRequest *req = message;
    struct host *host = call_user(call);
    Task__PidsResponse reply = TASK__PIDS_RESPONSE__INIT;
    Task__ProcessInfo process = TASK__PROCESS_INFO__INIT, *processes[] = {&process};

    if (!is_sandbox(host, req->id) && !find(call, req->id, NULL))
        return;
    process.pid = host->pid;
    reply.processes = processes;
    reply.n_processes = 1;
    call_reply(call, &reply);
}

/* The machine's figures: of what happens inside it the host knows nothing. */
static void stats_rpc(struct call *call, const void *message)
{
    const Task__StatsRequest *req = message;
    struct host *host = call_user(call);
    Task__StatsResponse reply = TASK__STATS_RESPONSE__INIT;
    Ttrpc__Any any = TTRPC__ANY__INIT;
    struct codec_stats stats;
    struct sandbox_view view;
    struct usage usage;
    struct error err;

    if (!is_sandbox(host, req->id) && !find(call, req->id, NULL))
        return;
    sandbox_view(host->sandbox, &view);
    if (sandbox_allow(host->sandbox, SANDBOX_OP_STATS, &err) < 0 ||
        usage_read(&view.machine, &usage, &err) < 0) {
        call_fail_with(call, &err);
        return;
    }
    codec_stats(&usage, &stats);
    any.type_url = (char *) stats.type_url;
    any.value.data = stats.value;
    any.value.len = stats.length;
    reply.stats = &any;
    call_reply(call, &reply);
    free(stats.value);
}

static void update_rpc(struct call *call, const void *message)
{
    const Task__UpdateTaskRequest *req = message;
    struct host *host = call_user(call);

    if (!is_sandbox(host, req->id) && !find(call, req->id, NULL))
        return;
    call_fail(
        call, STATUS_FAILED_PRECONDITION,
        "the size of this machine is fixed when it starts: delete the pod and create it anew");
}

static void close_io_rpc(struct call *call, const void *message)
{
    const Task__CloseIORequest *req = message;

    if (find(call, req->id, req->exec_id))
        call_reply(call, NULL); /* nobody reads an anchor's stdin */
}

/* The sandbox outlives its anchors: only the Sandbox API ends it. */
static void shutdown_rpc(struct call *call, const void *message)
{
    const Task__ShutdownRequest *req = message;
    struct host *host = call_user(call);
    bool now = is_sandbox(host, req->id) && req->now;
    struct sandbox_view view;

    sandbox_view(host->sandbox, &view);
    call_reply(call, NULL);
    if (view.state == SANDBOX_NEW || view.state == SANDBOX_STOPPED || now)
        host_quit(host);
}

static const struct ttrpc_method methods[] = {
    TTRPC_METHOD("Connect", task__connect_request, task__connect_response, connect_rpc),
    TTRPC_METHOD("Create", task__create_task_request, task__create_task_response, create_rpc),
    TTRPC_METHOD("Start", task__start_request, task__start_response, start_rpc),
    TTRPC_METHOD("State", task__state_request, task__state_response, state_rpc),
    TTRPC_METHOD("Wait", task__wait_request, task__wait_response, wait_rpc),
    TTRPC_METHOD("Kill", task__kill_request, ttrpc__empty, kill_rpc),
    TTRPC_METHOD("Delete", task__delete_request, task__delete_response, delete_rpc),
    TTRPC_METHOD("Pids", task__pids_request, task__pids_response, pids_rpc),
    TTRPC_METHOD("Stats", task__stats_request, task__stats_response, stats_rpc),
    TTRPC_METHOD("Update", task__update_task_request, ttrpc__empty, update_rpc),
    TTRPC_METHOD("CloseIO", task__close_iorequest, ttrpc__empty, close_io_rpc),
    TTRPC_METHOD("Shutdown", task__shutdown_request, ttrpc__empty, shutdown_rpc),
    TTRPC_METHOD("Exec", task__exec_process_request, ttrpc__empty, refuse_rpc),
    TTRPC_METHOD("ResizePty", task__resize_pty_request, ttrpc__empty, refuse_rpc),
    TTRPC_METHOD("Pause", task__pause_request, ttrpc__empty, refuse_rpc),
    TTRPC_METHOD("Resume", task__resume_request, ttrpc__empty, refuse_rpc),
    TTRPC_METHOD("Checkpoint", task__checkpoint_task_request, ttrpc__empty, refuse_rpc),
};

void task_service_register(struct ttrpc_server *server, struct host *host)
{
    ttrpc_server_register(server, "containerd.task.v3.Task", methods, ARRAY_LENGTH(methods), host);
    ttrpc_server_register(server, "containerd.task.v2.Task", methods, ARRAY_LENGTH(methods), host);
}

void task_service_exited(struct host *host, const struct sandbox_view *view)
{
    struct call *call;

    anchors_exited(&host->anchors, view->exit_status, view->exited_at_ns);
    for (struct task_entry *entry = host->anchors.table.first; entry; entry = entry->next)
        release_waiters(entry);
    while ((call = call_unpark(&host->task_waiters)))
        answer_wait(call, view->exit_status, view->exited_at_ns);
}
