/* SPDX-License-Identifier: Apache-2.0 */
/* containerd.runtime.sandbox.v1.Sandbox: all nine calls. */
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "codec_pod_config.h"
#include "codec_stats.h"
#include "pod.h"
#include "pod_config.h"
#include "sandbox.pb-c.h"
#include "shim/pod_message.h"
#include "shim/sandbox_reply.h"
#include "shim/tenant_conf.h"
#include "tenant.h"
#include "ttrpc/server.h"

/* NULL: answered already. A pod that came as a pause container is not begun or ended here: a Stop
 * would be answered, and the guest run on. */
static struct tenant *tenant_of(struct call *call, const char *sandbox_id)
{
    struct tenant *tenant = call_user(call);

    if (!text_equal(sandbox_id, tenant->sandbox_id))
        call_fail(call, STATUS_NOT_FOUND, "no sandbox '%s' here", sandbox_id);
    else if (tenant->pod && tenant->sandbox.state == SANDBOX_NEW)
        call_fail(call, STATUS_FAILED_PRECONDITION,
                  "'%s' is a container of the Task API: %s of the Sandbox API does not apply to it",
                  sandbox_id, call_method(call));
    else
        return tenant;
    return NULL;
}

static int read_config(const struct tenant *tenant, const Sandbox__CreateSandboxRequest *in,
                       struct pod_config **ret, struct error *err)
{
    const Ttrpc__Any *options = in->options;
    struct tenant_conf conf;
    int r;

    if (!options || !text_equal(options->type_url, POD_MESSAGE_TYPE))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a pod is made by CRI: CreateSandbox has no " POD_MESSAGE_TYPE);
    if (pod_load_conf(tenant->conf_path, &conf, err) < 0)
        return -1;
    r = codec_pod_config(&options->value, &conf, ret, err);
    tenant_conf_fini(&conf);
    if (r == 0 && in->netns_path[0])
        (*ret)->netns = xstrdup(in->netns_path);
    return r;
}

static void create_rpc(struct call *call, const void *request)
{
    const Sandbox__CreateSandboxRequest *in = request;
    struct tenant *tenant = tenant_of(call, in->sandbox_id);
    struct pod_config *config = NULL;
    struct error err;

    if (!tenant)
        return;
    if (read_config(tenant, in, &config, &err) < 0 || sandbox_create(tenant, config, &err) < 0)
        call_fail_with(call, &err);
    else
        call_reply(call, NULL);
}

static void start_rpc(struct call *call, const void *request)
{
    const Sandbox__StartSandboxRequest *in = request;
    struct tenant *tenant = tenant_of(call, in->sandbox_id);

    if (tenant)
        sandbox_start(tenant, call);
}

static void platform_rpc(struct call *call, const void *request)
{
    (void) request;
    sandbox_reply_platform(call);
}

static void stop_rpc(struct call *call, const void *request)
{
    const Sandbox__StopSandboxRequest *in = request;
    struct tenant *tenant = tenant_of(call, in->sandbox_id);

    if (tenant)
        sandbox_stop(tenant, call);
}

static void wait_rpc(struct call *call, const void *request)
{
    const Sandbox__WaitSandboxRequest *in = request;
    struct tenant *tenant = tenant_of(call, in->sandbox_id);

    if (tenant)
        sandbox_wait(tenant, call);
}

static char *describe(const struct tenant *tenant)
{
    scoped(js_freep) struct js *info = js_new_object();

    js_set_string(info, "state", sandbox_state_name(tenant->sandbox.state));
    if (tenant->pod)
        js_set_string(info, "guest", pod_state_name(pod_state(tenant->pod)));
    return js_print(info);
}

/* Never an error: containerd does not recognise one here, and every later call of the pod fails. */
static void status_rpc(struct call *call, const void *request)
{
    const Sandbox__SandboxStatusRequest *in = request;
    const struct tenant *tenant = call_user(call);
    struct sandbox_facts facts = sandbox_facts(tenant);
    scoped(freep) char *info = in->verbose ? describe(tenant) : NULL;

    facts.info = info;
    sandbox_reply_status(call, &facts);
}

static void ping_rpc(struct call *call, const void *request)
{
    (void) request;
    call_reply(call, NULL);
}

static void shutdown_rpc(struct call *call, const void *request)
{
    const Sandbox__ShutdownSandboxRequest *in = request;
    struct tenant *tenant = tenant_of(call, in->sandbox_id);

    if (tenant)
        sandbox_shutdown(tenant, call);
}

static void add(struct container_sample *sum, const struct container_sample *one)
{
    sum->cpu_usage_ns += one->cpu_usage_ns;
    sum->cpu_user_ns += one->cpu_user_ns;
    sum->cpu_system_ns += one->cpu_system_ns;
    sum->memory_usage += one->memory_usage;
    sum->memory_anon += one->memory_anon;
    sum->memory_inactive_file += one->memory_inactive_file;
    sum->page_faults += one->page_faults;
    sum->major_page_faults += one->major_page_faults;
    sum->pids_current += one->pids_current;
}

/* Of the containers together, as each was measured last: what the guest needs besides is the
 * host's to count, and nothing of the pod runs on this node. Measured anew for the next time. */
static void metrics_rpc(struct call *call, const void *request)
{
    const Sandbox__SandboxMetricsRequest *in = request;
    struct tenant *tenant = tenant_of(call, in->sandbox_id);
    struct container_sample sum = {.memory_limit = UINT64_MAX};
    struct sandbox_metric metric = {.id = in->sandbox_id};
    enum cgroup_version version = stats_node_version();
    scoped(freep) uint8_t *value = NULL;
    struct error err;

    if (!tenant)
        return;
    if (sandbox_state_allow(tenant->sandbox.state, SANDBOX_OP_STATS, tenant->sandbox_id, &err) <
        0) {
        call_fail_with(call, &err);
        return;
    }
    for (struct task_entry *entry = tenant->tasks.table.first; entry; entry = entry->next) {
        if (!entry->user)
            continue;
        add(&sum, task_sample(entry->user));
        task_stats(entry->user, (struct task_answer){0});
    }
    metric.type_url = stats_type_url(version);
    value = stats_encode(version, &sum, &metric.length);
    metric.value = value;
    sandbox_reply_metrics(call, &metric);
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

void sandbox_service_register(struct ttrpc_server *server, struct tenant *tenant)
{
    ttrpc_server_register(server, "containerd.runtime.sandbox.v1.Sandbox", methods,
                          ARRAY_LENGTH(methods), tenant);
}
