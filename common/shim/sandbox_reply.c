/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/sandbox_reply.h"

#include <unistd.h>

#include "base/clock.h"
#include "sandbox.pb-c.h"
#include "ttrpc/call.h"

static Ttrpc__Timestamp stamp(int64_t ns)
{
    Ttrpc__Timestamp at = TTRPC__TIMESTAMP__INIT;

    at.seconds = ns / 1000000000;
    at.nanos = (int32_t) (ns % 1000000000);
    return at;
}

void sandbox_reply_started(struct call *call, const struct sandbox_facts *facts)
{
    Sandbox__StartSandboxResponse reply = SANDBOX__START_SANDBOX_RESPONSE__INIT;
    Ttrpc__Timestamp created = stamp(facts->created_at_ns);

    reply.pid = (uint32_t) getpid();
    reply.created_at = &created;
    call_reply(call, &reply);
}

void sandbox_reply_status(struct call *call, const struct sandbox_facts *facts)
{
    Sandbox__SandboxStatusResponse reply = SANDBOX__SANDBOX_STATUS_RESPONSE__INIT;
    Sandbox__MapEntry entry = SANDBOX__MAP_ENTRY__INIT, *entries[] = {&entry};
    Ttrpc__Timestamp created = stamp(facts->created_at_ns), exited = stamp(facts->exited_at_ns);

    reply.sandbox_id = (char *) facts->id;
    reply.pid = (uint32_t) getpid();
    reply.state = (char *) (facts->is_ready ? "SANDBOX_READY" : "SANDBOX_NOTREADY");
    reply.created_at = &created;
    if (facts->exited_at_ns)
        reply.exited_at = &exited;
    if (facts->info) {
        entry.key = (char *) "info";
        entry.value = (char *) facts->info;
        reply.info = entries;
        reply.n_info = 1;
    }
    call_reply(call, &reply);
}

void sandbox_reply_wait(struct call *call, const struct sandbox_facts *facts)
{
    Sandbox__WaitSandboxResponse reply = SANDBOX__WAIT_SANDBOX_RESPONSE__INIT;
    Ttrpc__Timestamp exited = stamp(facts->exited_at_ns);

    reply.exit_status = facts->exit_status;
    reply.exited_at = &exited;
    call_reply(call, &reply);
}

void sandbox_reply_platform(struct call *call)
{
    Sandbox__PlatformResponse reply = SANDBOX__PLATFORM_RESPONSE__INIT;
    Sandbox__Platform platform = SANDBOX__PLATFORM__INIT;

    platform.os = (char *) "linux";
    platform.architecture = (char *) "amd64";
    reply.platform = &platform;
    call_reply(call, &reply);
}

void sandbox_reply_metrics(struct call *call, const struct sandbox_metric *metric)
{
    Sandbox__SandboxMetricsResponse reply = SANDBOX__SANDBOX_METRICS_RESPONSE__INIT;
    Sandbox__Metric message = SANDBOX__METRIC__INIT;
    Ttrpc__Timestamp now = stamp(clock_wall_ns());
    Ttrpc__Any data = TTRPC__ANY__INIT;

    data.type_url = (char *) metric->type_url;
    data.value.data = metric->value;
    data.value.len = metric->length;
    message.timestamp = &now;
    message.id = (char *) metric->id;
    message.data = &data;
    reply.metrics = &message;
    call_reply(call, &reply);
}
