/* SPDX-License-Identifier: Apache-2.0 */
/* SealPod. It needs no idempotency key: a part says where it belongs. */
#include "agent.pb-c.h"
#include "base/error.h"
#include "base/log.h"
#include "base/scoped.h"
#include "grpc/server.h"
#include "pod.h"
#include "sealed.h"
#include "sealed/manifest.h"
#include "service.h"
#include "session.h"

static int seal(struct pod *pod, const Agent__SealPodRequest *request, struct error *err)
{
    const struct sealed_part part = {.offset = request->offset,
                                     .total = request->total,
                                     .data = request->data.data,
                                     .length = request->data.len};
    bool was_there;

    if (!pod->sealed)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "the guest's initdata says that it is open: it takes no manifest");
    was_there = sealed_manifest(pod->sealed) != NULL;
    if (sealed_put(pod->sealed, &part, err) < 0)
        return -1;
    if (!was_there && sealed_manifest(pod->sealed))
        log_info("the manifest was accepted: %zu containers",
                 sealed_manifest(pod->sealed)->slot_count);
    return 0;
}

void service_seal_pod(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    struct pod *pod = ((struct session *) rpc_context(rpc))->pod;
    Agent__Empty reply = AGENT__EMPTY__INIT;
    struct error err;

    if (seal(pod, (const Agent__SealPodRequest *) message, &err) < 0)
        return rpc_fail_with(rpc, &err);
    rpc_reply(rpc, &reply.base);
}
