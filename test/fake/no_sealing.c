/* SPDX-License-Identifier: Apache-2.0 */
/* The agent of the releases before sealed pods: it does not know the call. */
#include "base/error.h"
#include "grpc/server.h"
#include "service.h"

void service_seal_pod(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    struct error err;

    (void) message;
    (void) error_set(&err, STATUS_UNIMPLEMENTED,
                     "there is no method '/agent.Control/SealPod' on a control connection");
    rpc_fail_with(rpc, &err);
}
