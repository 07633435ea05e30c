/* SPDX-License-Identifier: Apache-2.0 */
/* Calls about the pod as a whole. */
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "agent.pb-c.h"
#include "api.h"
#include "codec_answer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/scoped.h"
#include "cgroup.h"
#include "codec_exit.h"
#include "events.h"
#include "grpc/server.h"
#include "lease.h"
#include "pod.h"
#include "pod_network.h"
#include "secure/channel.h"
#include "service.h"
#include "session.h"

/* A Configure that waits for its last step. */
struct configuring {
    struct pod *pod;
    struct idempotency_entry *entry;
    uint32_t api;
};

static void opened(void *user, const struct error *err)
{
    scoped(freep) struct configuring *configuring = user;
    const struct pod *pod = configuring->pod;
    Agent__ConfigureResponse reply = AGENT__CONFIGURE_RESPONSE__INIT;
    struct utsname name;
    struct sysinfo info;

    if (err)
        return answer_fail(configuring->entry, err);
    (void) uname(&name);
    (void) sysinfo(&info);
    reply.api = configuring->api;
    reply.memory_total = (uint64_t) info.totalram * info.mem_unit;
    reply.kernel_release = name.release;
    reply.agent_version = (char *) (uintptr_t) CLEAVE_VERSION;
    reply.cgroup_version = pod->cgroups->number;
    reply.offloads = pod->network ? pod_network_offloads(pod->network) : 0;
    answer_reply(configuring->entry, &reply.base);
}

void service_configure(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    const Agent__ConfigureRequest *request = (const Agent__ConfigureRequest *) message;
    struct pod *pod = ((struct session *) rpc_context(rpc))->pod;
    struct answer_call call = {rpc, message, request->key, "",
                               &agent__configure_response__descriptor};
    struct idempotency_entry *entry = answer_begin(&call);
    scoped(freep) struct configuring *configuring = xnew(struct configuring);
    scoped(freep) struct pod_sysctl *sysctls = xnew_array(struct pod_sysctl,
                                                          request->n_sysctls + 1);
    struct pod_configuration configuration = {
        .hostname = request->hostname,
        .resolv_conf = request->resolv_conf.data,
        .resolv_conf_length = request->resolv_conf.len,
        .hosts = request->hosts.data,
        .hosts_length = request->hosts.len,
        .sysctls = sysctls,
        .sysctl_count = request->n_sysctls,
        .wall_clock_ns = request->wall_clock_ns,
        .share_pid = request->share_pid,
        .network = request->network.data,
        .network_length = request->network.len,
        .offloads = request->offloads,
    };
    const struct api_range api = {request->api_min, request->api_max};
    struct error err;

    if (!entry)
        return;
    for (size_t i = 0; i < request->n_sysctls; i++)
        sysctls[i] = (struct pod_sysctl){request->sysctls[i]->name, request->sysctls[i]->value};
    *configuring = (struct configuring){.pod = pod, .entry = entry};
    if (api_choose(&api, request->tenant_version, &configuring->api, &err) < 0 ||
        pod_configure(pod, &configuration, &err) < 0)
        return answer_fail(entry, &err);
    pod_open(pod, opened, take_ptr(configuring));
}

/* An Appraise whose evidence is being made. */
struct question {
    struct rpc *rpc;
    struct session *session;
};

static void evidence_made(void *user, const uint8_t *body, size_t length, const struct error *err)
{
    scoped(freep) struct question *question = user;
    const struct session *session = question->session;
    Agent__AppraiseResponse reply = AGENT__APPRAISE_RESPONSE__INIT;

    if (err)
        return rpc_fail_with(question->rpc, err);
    if (session->peer.role == PEER_CONTROL)
        lease_appraised(session->pod->lease, session);
    reply.evidence.data = (uint8_t *) (uintptr_t) body;
    reply.evidence.len = length;
    rpc_reply(question->rpc, &reply.base);
}

static void question_cancelled(void *user)
{
    scoped(freep) struct question *question = user;

    channel_evidence_cancel(question->session->channel);
    rpc_fail(question->rpc, STATUS_CANCELLED, "the caller has given up");
}

void service_appraise(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    const Agent__AppraiseRequest *request = (const Agent__AppraiseRequest *) message;
    const struct appraise_question asked = {request->nonce.data, request->number};
    scoped(freep) struct question *question = NULL;
    struct error err;

    if (request->nonce.len != 32)
        return rpc_fail(rpc, STATUS_INVALID_ARGUMENT, "a nonce has 32 bytes, not %zu",
                        request->nonce.len);
    question = xnew(struct question);
    question->rpc = rpc;
    question->session = rpc_context(rpc);
    if (channel_evidence(question->session->channel, &asked, evidence_made, question, &err) < 0)
        return rpc_fail_with(rpc, &err);
    rpc_on_cancel(rpc, question_cancelled, take_ptr(question));
}

void service_ping(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    Agent__PingResponse reply = AGENT__PING_RESPONSE__INIT;

    reply.uptime_ms = clock_monotonic_ms();
    rpc_reply(rpc, &reply.base);
}

void service_shutdown(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    const Agent__ShutdownRequest *request = (const Agent__ShutdownRequest *) message;
    struct pod *pod = ((struct session *) rpc_context(rpc))->pod;
    struct answer_call call = {rpc, message, request->key, "", &agent__empty__descriptor};
    struct idempotency_entry *entry = answer_begin(&call);
    Agent__Empty reply = AGENT__EMPTY__INIT;

    if (!entry)
        return;
    pod_drain(pod, request->grace_ms);
    answer_reply(entry, &reply.base);
}

/* ---- Watch ---- */

struct watch {
    struct rpc *rpc;
    struct pod *pod;
    struct events_watcher *watcher;
    uint64_t serial; /* of the last event that was sent */
};

static void send_next(void *user)
{
    struct watch *watch = user;
    Agent__Event message = AGENT__EVENT__INIT;
    Agent__OomEvent oom = AGENT__OOM_EVENT__INIT;
    Agent__ExitRecord exit;
    const struct event *event;

    if (!rpc_writable(watch->rpc))
        return;
    event = events_after(watch->pod->events, watch->serial);
    if (!event)
        return;
    watch->serial = event->serial;
    if (event->kind == EVENT_OOM) {
        oom.container_id = (char *) (uintptr_t) event->exit.container_id;
        message.oom = &oom;
    } else {
        exit = codec_exit(&event->exit);
        message.exit = &exit;
    }
    rpc_write(watch->rpc, &message.base);
}

static void watch_cancelled(void *user)
{
    struct watch *watch = user;

    events_unwatch(watch->watcher);
    rpc_fail(watch->rpc, STATUS_CANCELLED, "cancelled");
    free(watch);
}

void service_watch(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    static const struct rpc_events events = {.on_writable = send_next};
    struct pod *pod = ((struct session *) rpc_context(rpc))->pod;
    struct watch *watch = xnew(struct watch);

    watch->rpc = rpc;
    watch->pod = pod;
    watch->watcher = events_watch(pod->events, send_next, watch);
    rpc_listen(rpc, &events, watch);
    send_next(watch);
    rpc_on_cancel(rpc, watch_cancelled, watch);
}
