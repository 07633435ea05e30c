/* SPDX-License-Identifier: Apache-2.0 */
/* containerd.runtime.sandbox.v1.Sandbox: all nine calls, answered from local state. */
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "codec_pod.h"
#include "codec_stats.h"
#include "sandbox.pb-c.h"
#include "io/loop.h"
#include "service.h"
#include "shim/pod_message.h"
#include "shim/sandbox_reply.h"
#include "shim/shim_main.h"
#include "ttrpc/server.h"
#include "usage.h"

static struct host *host_of(struct call *call, const char *sandbox_id)
{
    struct host *host = call_user(call);

    if (text_equal(sandbox_id, host->id))
        return host;
    call_fail(call, STATUS_NOT_FOUND, "no sandbox '%s' here", sandbox_id);
    return NULL;
}

static void create_rpc(struct call *call, const void *message)
{
    const Sandbox__CreateSandboxRequest *req = message;
    struct host *host = host_of(call, req->sandbox_id);
    scoped(codec_pod_freep) struct codec_pod *pod = NULL;
    struct pod_input input;
    struct error err;

    if (!host)
        return;
    if (!req->options || !text_equal(req->options->type_url, POD_MESSAGE_TYPE)) {
        call_fail(call, STATUS_INVALID_ARGUMENT,
                  "a host half is made by CRI: CreateSandbox has no " POD_MESSAGE_TYPE);
        return;
    }
    if (codec_pod_decode(req->options->value.data, req->options->value.len, &pod, &err) < 0) {
        call_fail_with(call, &err);
        return;
    }
    codec_pod_input(pod, &input);
    input.netns = req->netns_path;
    if (sandbox_create(host->sandbox, &input, &err) < 0)
        call_fail_with(call, &err);
    else
        call_reply(call, NULL);
}

/* Nobody waits for the start any more (a client's deadline, a cut connection): do not leave a
 * machine that no pod will own. */
static void start_abandoned(void *user, struct call *call)
{
    struct host *host = user;

    (void) call;
    log_warn("the caller of StartSandbox is gone: the start is cancelled");
    sandbox_stop(host->sandbox);
}

static void start_rpc(struct call *call, const void *message)
{
    const Sandbox__StartSandboxRequest *req = message;
    struct host *host = host_of(call, req->sandbox_id);
    struct error err;

    if (!host)
        return;
    if (sandbox_start(host->sandbox, &err) < 0) {
        call_fail_with(call, &err);
        return;
    }
    host->starting = call;
    call_on_gone(call, start_abandoned, host);
}

static void platform_rpc(struct call *call, const void *message)
{
    (void) message;
    sandbox_reply_platform(call);
}

static void stop_rpc(struct call *call, const void *message)
{
    const Sandbox__StopSandboxRequest *req = message;
    struct host *host = host_of(call, req->sandbox_id);

    if (!host)
        return;
    call_park(&host->stoppers, call);
    sandbox_stop(host->sandbox);
}

static struct sandbox_facts facts_of(const struct host *host, const struct sandbox_view *view)
{
    return (struct sandbox_facts){
        .id = host->id,
        .is_ready = view->state == SANDBOX_RUNNING,
        .created_at_ns = view->created_at_ns,
        .exited_at_ns = view->exited_at_ns,
        .exit_status = view->exit_status,
    };
}

static void answer_wait(const struct host *host, struct call *call, const struct sandbox_view *view)
{
    struct sandbox_facts facts = facts_of(host, view);

    sandbox_reply_wait(call, &facts);
}

static void wait_rpc(struct call *call, const void *message)
{
    const Sandbox__WaitSandboxRequest *req = message;
    struct host *host = host_of(call, req->sandbox_id);
    struct sandbox_view view;
    struct error err;

    if (!host)
        return;
    sandbox_view(host->sandbox, &view);
    if (sandbox_allow(host->sandbox, SANDBOX_OP_WAIT, &err) < 0)
        call_fail_with(call, &err);
    else if (view.exited_at_ns)
        answer_wait(host, call, &view);
    else
        call_park(&host->waiters, call);
}

/* For `crictl inspectp`: what an operator of the host looks for. */
static char *describe(const struct host *host, const struct sandbox_view *view)
{
    scoped(js_freep) struct js *info = js_new_object();
    scoped(freep) char *domain = xformat("cleave-%s", host->id);

    js_set_string(info, "state", sandbox_state_name(view->state));
    js_set_string(info, "domain", domain);
    js_set_integer(info, "machinePid", view->machine.pid);
    if (view->reason[0])
        js_set_string(info, "exitReason", view->reason);
    if (view->pod) {
        js_set_string(info, "sandboxId", view->pod->id);
        js_set_integer(info, "vcpus", view->pod->vcpus);
        js_set_integer(info, "memoryBytes", (int64_t) view->pod->memory);
    }
    return js_print(info);
}

/* Never an error: containerd does not recognise one here, and every later call of the pod fails. */
static void status_rpc(struct call *call, const void *message)
{
    const Sandbox__SandboxStatusRequest *req = message;
    struct host *host = call_user(call);
    scoped(freep) char *info = NULL;
    struct sandbox_facts facts;
    struct sandbox_view view;

    sandbox_view(host->sandbox, &view);
    facts = facts_of(host, &view);
    if (req->verbose)
        info = describe(host, &view);
    facts.info = info;
    sandbox_reply_status(call, &facts);
}

static void ping_rpc(struct call *call, const void *message)
{
    (void) message;
    call_reply(call, NULL);
}

static void shutdown_rpc(struct call *call, const void *message)
{
    const Sandbox__ShutdownSandboxRequest *req = message;
    struct host *host = host_of(call, req->sandbox_id);

    if (!host)
        return;
    call_park(&host->shutdowns, call);
    host_quit(host);
}

static void metrics_rpc(struct call *call, const void *message)
{
    const Sandbox__SandboxMetricsRequest *req = message;
    struct host *host = host_of(call, req->sandbox_id);
    struct sandbox_metric metric;
    struct codec_stats stats;
    struct sandbox_view view;
    struct usage usage;
    struct error err;

    if (!host)
        return;
    sandbox_view(host->sandbox, &view);
    if (sandbox_allow(host->sandbox, SANDBOX_OP_STATS, &err) < 0 ||
        usage_read(&view.machine, &usage, &err) < 0) {
        call_fail_with(call, &err);
        return;
    }
    codec_stats(&usage, &stats);
    metric = (struct sandbox_metric){
        .id = host->id, .type_url = stats.type_url, .value = stats.value, .length = stats.length};
    sandbox_reply_metrics(call, &metric);
    free(stats.value);
}

static const struct ttrpc_method methods[] = {
    TTRPC_METHOD("CreateSandbox", sandbox__create_sandbox_request, sandbox__create_sandbox_response,
                 create_rpc),
    TTRPC_METHOD("StartSandbox", sandbox__start_sandbox_request, sandbox__start_sandbox_response,
                 start_rpc),
    TTRPC_METHOD("Platform", sandbox__platform_request, sandbox__platform_response, platform_rpc),
    TTRPC_METHOD("StopSandbox", sandbox__stop_sandbox_request, sandbox__stop_sandbox_response,
                 stop_rpc),
    TTRPC_METHOD("WaitSandbox", sandbox__wait_sandbox_request, sandbox__wait_sandbox_response,
                 wait_rpc),
    TTRPC_METHOD("SandboxStatus", sandbox__sandbox_status_request, sandbox__sandbox_status_response,
                 status_rpc),
    TTRPC_METHOD("PingSandbox", sandbox__ping_request, sandbox__ping_response, ping_rpc),
    TTRPC_METHOD("ShutdownSandbox", sandbox__shutdown_sandbox_request,
                 sandbox__shutdown_sandbox_response, shutdown_rpc),
    TTRPC_METHOD("SandboxMetrics", sandbox__sandbox_metrics_request,
                 sandbox__sandbox_metrics_response, metrics_rpc),
};

void sandbox_service_register(struct ttrpc_server *server, struct host *host)
{
    ttrpc_server_register(server, "containerd.runtime.sandbox.v1.Sandbox", methods,
                          ARRAY_LENGTH(methods), host);
}

/* ---- what becomes of the sandbox --------------------------------------------------------------
 */

static void on_started(void *user, const struct error *err)
{
    struct host *host = user;
    struct call *call = take_ptr(host->starting);
    struct sandbox_facts facts;
    struct sandbox_view view;

    if (err)
        log_error("start: %s", err->message);
    if (!call)
        return;
    call_on_gone(call, NULL, NULL);
    if (err) {
        call_fail_with(call, err);
        return;
    }
    sandbox_view(host->sandbox, &view);
    facts = facts_of(host, &view);
    sandbox_reply_started(call, &facts);
}

static void on_exited(void *user)
{
    struct host *host = user;
    struct sandbox_view view;
    struct call *call;

    sandbox_view(host->sandbox, &view);
    while ((call = call_unpark(&host->waiters)))
        answer_wait(host, call, &view);
    task_service_exited(host, &view);
}

static void quit(void *user)
{
    const struct host *host = user;

    shim_quit(host->self);
}

static void on_stopped(void *user, const struct error *err)
{
    struct host *host = user;
    struct error none;
    struct call *call;

    while ((call = call_unpark(&host->stoppers))) {
        if (err)
            call_fail_with(call, err);
        else
            call_reply(call, NULL);
    }
    if (!host->quitting)
        return;
    /* What could not be destroyed has a tombstone: this process is of no more use. */
    while ((call = call_unpark(&host->shutdowns)))
        call_reply(call, NULL);
    if (!host->farewell &&
        loop_after(host->loop, SANDBOX_FAREWELL_MS, quit, host, &host->farewell, &none) < 0)
        quit(host);
}

const struct sandbox_events host_events = {
    .on_started = on_started,
    .on_exited = on_exited,
    .on_stopped = on_stopped,
};

void host_quit(struct host *host)
{
    host->quitting = true;
    sandbox_stop(host->sandbox);
}
