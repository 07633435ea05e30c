/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_answer.h"

#include "agent.pb-c.h"
#include "base/digest.h"
#include "base/scoped.h"
#include "grpc/server.h"
#include "idempotency.h"
#include "pod.h"
#include "session.h"

struct parked {
    struct rpc *rpc;
    const ProtobufCMessageDescriptor *reply;
    struct idempotency_waiter *waiter;
};

static void give(void *user, const struct idempotency_answer *answer)
{
    struct parked *parked = user;
    ProtobufCMessage *reply;

    if (answer->status != STATUS_OK) {
        rpc_fail(parked->rpc, answer->status, "%s", answer->message);
    } else {
        reply = protobuf_c_message_unpack(parked->reply, NULL, answer->length, answer->reply);
        rpc_reply(parked->rpc, reply);
        protobuf_c_message_free_unpacked(reply, NULL);
    }
    free(parked);
}

static void cancelled(void *user)
{
    struct parked *parked = user;

    idempotency_unwait(parked->waiter);
    rpc_fail(parked->rpc, STATUS_CANCELLED, "cancelled");
    free(parked);
}

static void fingerprint(const struct answer_call *call, uint8_t ret[32])
{
    size_t length = protobuf_c_message_get_packed_size(call->request);
    scoped(freep) uint8_t *packed = xalloc(length + 1);
    const char *name = rpc_method_name(call->rpc);
    struct digest *digest = digest_new(DIGEST_SHA256);

    (void) protobuf_c_message_pack(call->request, packed);
    digest_update(digest, name, strlen(name) + 1);
    digest_update(digest, packed, length);
    digest_value(digest, ret);
    digest_free(digest);
}

struct idempotency_entry *answer_begin(const struct answer_call *call)
{
    struct session *session = rpc_context(call->rpc);
    struct idempotency_request request = {.key = call->key, .scope = call->scope};
    enum idempotency_verdict verdict;
    struct idempotency_entry *entry;
    struct parked *parked;
    struct error err;

    fingerprint(call, request.fingerprint);
    if (idempotency_begin(session->pod->answers, &request, &verdict, &entry, &err) < 0) {
        rpc_fail_with(call->rpc, &err);
        return NULL;
    }
    parked = xnew(struct parked);
    parked->rpc = call->rpc;
    parked->reply = call->reply;
    if (verdict == IDEMPOTENCY_DONE) {
        (void) idempotency_wait(entry, give, parked);
        return NULL;
    }
    parked->waiter = idempotency_wait(entry, give, parked);
    rpc_on_cancel(call->rpc, cancelled, parked);
    return verdict == IDEMPOTENCY_NEW ? entry : NULL;
}

void answer_reply(struct idempotency_entry *entry, const struct ProtobufCMessage *reply)
{
    size_t length = protobuf_c_message_get_packed_size(reply);
    scoped(freep) uint8_t *packed = xalloc(length + 1);
    struct idempotency_answer answer = {
        .status = STATUS_OK, .message = "", .reply = packed, .length = length};

    (void) protobuf_c_message_pack(reply, packed);
    idempotency_finish(entry, &answer);
}

void answer_fail(struct idempotency_entry *entry, const struct error *err)
{
    struct idempotency_answer answer = {.status = err->status, .message = err->message};

    idempotency_finish(entry, &answer);
}
