/* SPDX-License-Identifier: Apache-2.0 */
#include "agent.pb-c.h"
#include "base/clock.h"
#include "base/error.h"
#include "grpc/server.h"
#include "lease.h"
#include "pod.h"
#include "service.h"
#include "session.h"

void service_renew(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    const Agent__RenewRequest *request = (const Agent__RenewRequest *) message;
    struct session *session = rpc_context(rpc);
    const struct lease_renewal renewal = {
        .seq = request->lease_seq,
        .tenant_ms = request->tenant_ms,
        .guest_ms = clock_monotonic_ms(),
        .ttl_ms = request->ttl_ms,
        .power_off_ms = request->power_off_ms,
    };
    Agent__RenewResponse reply = AGENT__RENEW_RESPONSE__INIT;
    struct lease_state state;
    struct error err;

    if (lease_is_frozen(session->pod->lease))
        pod_advance_clock(session->pod, request->wall_clock_ns);
    if (lease_renew(session->pod->lease, session, &renewal, &state, &err) < 0)
        return rpc_fail_with(rpc, &err);
    reply.guest_ms = renewal.guest_ms;
    reply.frozen = state.frozen;
    reply.needs_appraisal = state.needs_appraisal;
    rpc_reply(rpc, &reply.base);
}
