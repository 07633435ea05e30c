/* SPDX-License-Identifier: Apache-2.0 */
/* The Task API: find, check, act, answer. */
#include <signal.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "codec_options.h"
#include "codec_rootfs.h"
#include "codec_task.h"
#include "pod.h"
#include "shim/bundle.h"
#include "task.pb-c.h"
#include "tenant.h"
#include "ttrpc/server.h"

/* ---- answers ----------------------------------------------------------------------------------
 */

static void empty_done(struct call *call, struct task_entry *entry, const struct error *err)
{
    if (err)
        call_fail_with(call, err);
    else
        call_reply(call, NULL);
}

static void create_done(struct call *call, struct task_entry *entry, const struct error *err)
{
    if (err) {
        log_error("create: %s", err->message);
        call_fail_with(call, err);
    } else {
        codec_reply_create(call, entry);
    }
}

static void start_done(struct call *call, struct task_entry *entry, const struct error *err)
{
    if (err)
        call_fail_with(call, err);
    else
        codec_reply_start(call, entry);
}

static void delete_done(struct call *call, struct task_entry *entry, const struct error *err)
{
    if (err)
        call_fail_with(call, err);
    else
        codec_reply_delete(call, entry);
}

static void stats_done(struct call *call, struct task_entry *entry, const struct error *err)
{
    if (err)
        call_fail_with(call, err);
    else
        codec_reply_stats(call, task_sample(entry->user));
}

void task_service_exited(void *user, struct task_entry *entry)
{
    struct call *call;

    while ((call = call_unpark(&entry->waiters)))
        codec_reply_wait(call, entry);
}

/* ---- finding ----------------------------------------------------------------------------------
 */

/* NULL: answered already. */
static struct task_entry *find(struct call *call, const char *id, const char *exec_id)
{
    struct tenant *tenant = call_user(call);
    struct task_entry *entry;
    struct error err;

    if (task_table_find(&tenant->tasks.table, id, exec_id, &entry, &err) == 0)
        return entry;
    call_fail_with(call, &err);
    return NULL;
}

/* The same, for what pause cannot do: it has no process. */
static struct task *find_task(struct call *call, const char *id, const char *exec_id)
{
    struct task_entry *entry = find(call, id, exec_id);

    if (!entry)
        return NULL;
    if (!entry->user)
        call_fail(call, STATUS_FAILED_PRECONDITION,
                  "'%s' is the pod itself and has no process: %s it in a container", id,
                  call_method(call));
    return entry->user;
}

/* A sandbox of the Sandbox API has an entry, but it is begun and ended there. True: answered. */
static bool refuse_sandbox(struct call *call, const struct task_entry *entry)
{
    const struct tenant *tenant = call_user(call);

    if (entry->user || tenant->sandbox.state == SANDBOX_NEW)
        return false;
    call_fail(call, STATUS_FAILED_PRECONDITION,
              "'%s' is a sandbox, not a container: %s of the Task API does not apply to it",
              entry->id, call_method(call));
    return true;
}

/* ---- handlers ---------------------------------------------------------------------------------
 */

static int open_bundle(const Task__CreateTaskRequest *in, struct bundle **ret, struct error *err)
{
    scoped(bundle_freep) struct bundle *bundle = NULL;

    if (in->checkpoint[0])
        return error_set(err, STATUS_UNIMPLEMENTED,
                         "restoring from a checkpoint is not possible: its memory would leave the "
                         "guest");
    if (bundle_open(in->bundle, &bundle, err) < 0)
        return -1;
    if (!bundle->spec)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the bundle has no config.json");
    if (bundle->role == BUNDLE_ALONE)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "a container without a pod: this runtime runs the containers of a pod in "
                         "the pod's guest, so create it through CRI (kubelet, crictl)");
    *ret = take_ptr(bundle);
    return 0;
}

static int take_options(struct tenant *tenant, const Ttrpc__Any *options, struct error *err)
{
    if (!options)
        return 0;
    return codec_options_conf_path(options->type_url, options->value.data, options->value.len,
                                   &tenant->conf_path, err);
}

static void create_container(struct tenant *tenant, struct call *call, const struct bundle *bundle)
{
    const Task__CreateTaskRequest *in = call_request(call);
    scoped(freep) char *tree = NULL;
    struct task_io io = {in->stdin, in->stdout, in->stderr, in->terminal, NULL};
    struct error err;

    if (codec_rootfs(in, bundle, &tree, &err) < 0) {
        call_fail_with(call, &err);
        return;
    }
    io.tree = tree;
    if (!tenant->tasks.pod)
        call_fail(call, STATUS_FAILED_PRECONDITION, "the pod of '%s' is not running", in->id);
    else if (pod_need_running(tenant->pod, &err) < 0)
        call_fail_with(call, &err);
    else
        task_create(&tenant->tasks, in->id, bundle, &io, (struct task_answer){create_done, call});
}

static void create_rpc(struct call *call, const void *request)
{
    const Task__CreateTaskRequest *in = request;
    struct tenant *tenant = call_user(call);
    scoped(bundle_freep) struct bundle *bundle = NULL;
    struct error err;

    if (open_bundle(in, &bundle, &err) < 0 || !bundle ||
        take_options(tenant, in->options, &err) < 0)
        call_fail_with(call, &err);
    else if (bundle->role == BUNDLE_SANDBOX && tenant->sandbox.state != SANDBOX_NEW)
        call_fail(call, STATUS_ALREADY_EXISTS, "CreateSandbox has made this shim's pod already");
    else if (bundle->role == BUNDLE_SANDBOX)
        pause_create(tenant, call, in->id, bundle);
    else
        create_container(tenant, call, bundle);
}

static void start_rpc(struct call *call, const void *request)
{
    const Task__StartRequest *in = request;
    struct task_entry *entry = find(call, in->id, in->exec_id);
    struct error err;

    if (!entry || refuse_sandbox(call, entry))
        return;
    if (entry->user) {
        task_start(entry->user, (struct task_answer){start_done, call});
    } else if (task_allow(entry, TASK_OP_START, &err) < 0) {
        call_fail_with(call, &err);
    } else {
        pause_start(call_user(call));
        codec_reply_start(call, entry);
    }
}

static void delete_rpc(struct call *call, const void *request)
{
    const Task__DeleteRequest *in = request;
    struct task_entry *entry = find(call, in->id, in->exec_id);

    if (!entry || refuse_sandbox(call, entry))
        return;
    if (entry->user)
        task_delete(entry->user, (struct task_answer){delete_done, call});
    else
        pause_delete(call_user(call), call);
}

/* Killing pause ends the pod; signal 0 only asks. */
static void kill_pause(struct call *call, struct task_entry *entry, uint32_t signal)
{
    struct tenant *tenant = call_user(call);
    struct error err;

    if (task_allow(entry, TASK_OP_KILL, &err) < 0) {
        call_fail_with(call, &err);
        return;
    }
    if (signal == SIGKILL || signal == SIGTERM)
        pod_stop(tenant->pod);
    call_reply(call, NULL);
}

static void kill_rpc(struct call *call, const void *request)
{
    const Task__KillRequest *in = request;
    struct task_entry *entry = find(call, in->id, in->exec_id);

    if (!entry || refuse_sandbox(call, entry))
        return;
    if (entry->user)
        task_kill(entry->user, in->signal, in->all ? AGENT_KILL_ALL : AGENT_KILL_ONE,
                  (struct task_answer){empty_done, call});
    else
        kill_pause(call, entry, in->signal);
}

static void exec_rpc(struct call *call, const void *request)
{
    const Task__ExecProcessRequest *in = request;
    struct task *task = find_task(call, in->id, NULL);
    struct task_io io = {in->stdin, in->stdout, in->stderr, in->terminal, NULL};
    struct error err;

    if (!task)
        return;
    if (!in->spec)
        call_fail(call, STATUS_INVALID_ARGUMENT, "no process");
    else if (task_exec(task, in->exec_id, &io, (const char *) in->spec->value.data,
                       in->spec->value.len, &err) < 0)
        call_fail_with(call, &err);
    else
        call_reply(call, NULL);
}

static void wait_rpc(struct call *call, const void *request)
{
    const Task__WaitRequest *in = request;
    struct task_entry *entry = find(call, in->id, in->exec_id);

    if (!entry)
        return;
    if (entry->state == TASK_STOPPED)
        codec_reply_wait(call, entry);
    else
        call_park(&entry->waiters, call);
}

static void state_rpc(struct call *call, const void *request)
{
    const Task__StateRequest *in = request;
    struct task_entry *entry = find(call, in->id, in->exec_id);

    if (!entry)
        return;
    if (entry->state == TASK_CREATING)
        call_fail(call, STATUS_NOT_FOUND, "task '%s' is being created", in->id);
    else
        codec_reply_state(call, entry);
}

static void pids_rpc(struct call *call, const void *request)
{
    const Task__PidsRequest *in = request;
    struct task_entry *entry = find(call, in->id, NULL);

    if (entry)
        codec_reply_pids(call, entry);
}

static void pause_rpc(struct call *call, const void *request)
{
    const Task__PauseRequest *in = request;
    struct task *task = find_task(call, in->id, NULL);

    if (task)
        task_pause(task, (struct task_answer){empty_done, call});
}

static void resume_rpc(struct call *call, const void *request)
{
    const Task__ResumeRequest *in = request;
    struct task *task = find_task(call, in->id, NULL);

    if (task)
        task_resume(task, (struct task_answer){empty_done, call});
}

static void checkpoint_rpc(struct call *call, const void *request)
{
    call_fail(call, STATUS_UNIMPLEMENTED,
              "Checkpoint is refused: the memory of a confidential guest does not leave it");
}

static void resize_rpc(struct call *call, const void *request)
{
    const Task__ResizePtyRequest *in = request;
    struct task_entry *entry = find(call, in->id, in->exec_id);

    if (!entry)
        return;
    if (entry->user)
        task_resize(entry->user, in->width, in->height, (struct task_answer){empty_done, call});
    else
        call_reply(call, NULL);
}

static void close_io_rpc(struct call *call, const void *request)
{
    const Task__CloseIORequest *in = request;
    struct task_entry *entry = find(call, in->id, in->exec_id);

    if (!entry)
        return;
    if (entry->user && in->stdin)
        task_close_stdin(entry->user);
    call_reply(call, NULL);
}

static void update_rpc(struct call *call, const void *request)
{
    const Task__UpdateTaskRequest *in = request;
    struct task *task = find_task(call, in->id, NULL);

    if (!task)
        return;
    if (!in->resources)
        call_fail(call, STATUS_INVALID_ARGUMENT, "no resources");
    else
        task_update(task, (const char *) in->resources->value.data, in->resources->value.len,
                    (struct task_answer){empty_done, call});
}

static void stats_rpc(struct call *call, const void *request)
{
    static const struct container_sample nothing;
    const Task__StatsRequest *in = request;
    struct task_entry *entry = find(call, in->id, NULL);

    if (!entry)
        return;
    if (entry->user)
        task_stats(entry->user, (struct task_answer){stats_done, call});
    else
        codec_reply_stats(call, &nothing); /* pause uses nothing */
}

/* Never fails: after its own restart containerd forgets a task whose Connect did. */
static void connect_rpc(struct call *call, const void *request)
{
    const Task__ConnectRequest *in = request;
    struct tenant *tenant = call_user(call);
    Task__ConnectResponse reply = TASK__CONNECT_RESPONSE__INIT;
    struct task_entry *entry;
    struct error err;

    reply.shim_pid = (uint32_t) getpid();
    if (task_table_find(&tenant->tasks.table, in->id, NULL, &entry, &err) == 0)
        reply.task_pid = entry->pid;
    call_reply(call, &reply);
}

static void shutdown_rpc(struct call *call, const void *request)
{
    const Task__ShutdownRequest *in = request;
    struct tenant *tenant = call_user(call);
    bool now = in->now || tenant->tasks.table.count == 0;

    call_reply(call, NULL);
    if (now)
        tenant_quit(tenant);
}

static const struct ttrpc_method methods[] = {
    TTRPC_METHOD("Create", task__create_task_request, task__create_task_response, create_rpc),
    TTRPC_METHOD("Start", task__start_request, task__start_response, start_rpc),
    TTRPC_METHOD("Delete", task__delete_request, task__delete_response, delete_rpc),
    TTRPC_METHOD("Kill", task__kill_request, ttrpc__empty, kill_rpc),
    TTRPC_METHOD("Exec", task__exec_process_request, ttrpc__empty, exec_rpc),
    TTRPC_METHOD("Wait", task__wait_request, task__wait_response, wait_rpc),
    TTRPC_METHOD("State", task__state_request, task__state_response, state_rpc),
    TTRPC_METHOD("Pids", task__pids_request, task__pids_response, pids_rpc),
    TTRPC_METHOD("Pause", task__pause_request, ttrpc__empty, pause_rpc),
    TTRPC_METHOD("Resume", task__resume_request, ttrpc__empty, resume_rpc),
    TTRPC_METHOD("Checkpoint", task__checkpoint_task_request, ttrpc__empty, checkpoint_rpc),
    TTRPC_METHOD("ResizePty", task__resize_pty_request, ttrpc__empty, resize_rpc),
    TTRPC_METHOD("CloseIO", task__close_iorequest, ttrpc__empty, close_io_rpc),
    TTRPC_METHOD("Update", task__update_task_request, ttrpc__empty, update_rpc),
    TTRPC_METHOD("Stats", task__stats_request, task__stats_response, stats_rpc),
    TTRPC_METHOD("Connect", task__connect_request, task__connect_response, connect_rpc),
    TTRPC_METHOD("Shutdown", task__shutdown_request, ttrpc__empty, shutdown_rpc),
};

void task_service_register(struct ttrpc_server *server, struct tenant *tenant)
{
    ttrpc_server_register(server, "containerd.task.v2.Task", methods, ARRAY_LENGTH(methods),
                          tenant);
    ttrpc_server_register(server, "containerd.task.v3.Task", methods, ARRAY_LENGTH(methods),
                          tenant);
}
