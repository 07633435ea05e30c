/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs of images. */
#include "agent.pb-c.h"
#include "base/error.h"
#include "base/scoped.h"
#include "grpc/server.h"
#include "layer_store.h"
#include "pod.h"
#include "service.h"
#include "session.h"

enum { WRITES_IN_FLIGHT = 4, DIGESTS_MAX = 1024 };

void service_has_blobs(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    const Agent__HasBlobsRequest *request = (const Agent__HasBlobsRequest *) message;
    struct pod *pod = ((struct session *) rpc_context(rpc))->pod;
    Agent__HasBlobsResponse reply = AGENT__HAS_BLOBS_RESPONSE__INIT;
    scoped(freep) Agent__BlobState *states = NULL;
    scoped(freep) Agent__BlobState **list = NULL;

    if (request->n_digests > DIGESTS_MAX)
        return rpc_fail(rpc, STATUS_RESOURCE_EXHAUSTED, "more than %d digests", DIGESTS_MAX);
    states = xnew_array(Agent__BlobState, request->n_digests + 1);
    list = xnew_array(Agent__BlobState *, request->n_digests + 1);
    for (size_t i = 0; i < request->n_digests; i++) {
        struct layer_state state = layer_store_state(pod->layers, request->digests[i]);

        agent__blob_state__init(&states[i]);
        states[i].digest = request->digests[i];
        states[i].complete = state.complete;
        states[i].received = state.received;
        list[i] = &states[i];
    }
    reply.n_blobs = request->n_digests;
    reply.blobs = list;
    rpc_reply(rpc, &reply.base);
}

/* ---- PutBlob ---- */

struct transfer {
    struct rpc *rpc;
    struct pod *pod;
    struct layer_upload *upload; /* from the first message on */
    uint64_t size;
    unsigned in_flight;
    bool finished; /* the caller sends no more */
};

static void transfer_end(struct transfer *transfer, const struct error *err)
{
    Agent__PutBlobResponse reply = AGENT__PUT_BLOB_RESPONSE__INIT;

    if (err) {
        rpc_fail_with(transfer->rpc, err);
    } else {
        reply.received = transfer->upload ? layer_upload_received(transfer->upload) : 0;
        rpc_reply(transfer->rpc, &reply.base);
    }
    layer_upload_free(transfer->upload);
    free(transfer);
}

static void unpacked(void *user, const struct error *err)
{
    transfer_end(user, err);
}

/* A transfer that stops early is no error: the answer says how far it came. */
static void finish_if_over(struct transfer *transfer)
{
    if (!transfer->finished || transfer->in_flight > 0)
        return;
    if (transfer->upload && layer_upload_received(transfer->upload) >= transfer->size)
        layer_upload_finish(transfer->upload, unpacked, transfer);
    else
        transfer_end(transfer, NULL);
}

static void written(void *user, const struct error *err)
{
    struct transfer *transfer = user;

    transfer->in_flight--;
    if (err)
        return transfer_end(transfer, err);
    rpc_resume(transfer->rpc);
    finish_if_over(transfer);
}

static int begin(struct transfer *transfer, const Agent__BlobChunk *chunk, struct error *err)
{
    struct layer_begin options = {
        .digest = chunk->digest,
        .diff_id = chunk->diff_id,
        .media_type = chunk->media_type,
        .size = chunk->size,
        .offset = chunk->offset,
        .unpacked_size = chunk->unpacked_size,
    };

    transfer->size = chunk->size;
    return layer_upload_begin(transfer->pod->layers, &options, &transfer->upload, err);
}

static void chunk_came(void *user, const struct ProtobufCMessage *message)
{
    const Agent__BlobChunk *chunk = (const Agent__BlobChunk *) message;
    struct transfer *transfer = user;
    struct error err;

    if (!transfer->upload && begin(transfer, chunk, &err) < 0)
        return transfer_end(transfer, &err);
    if (chunk->data.len > LAYER_WRITE_MAX) {
        error_set(&err, STATUS_INVALID_ARGUMENT, "a chunk has at most %d bytes", LAYER_WRITE_MAX);
        return transfer_end(transfer, &err);
    }
    if (chunk->data.len == 0)
        return;
    if (++transfer->in_flight >= WRITES_IN_FLIGHT)
        rpc_pause(transfer->rpc);
    layer_upload_write(transfer->upload, chunk->data.data, chunk->data.len, written, transfer);
}

static void chunks_over(void *user)
{
    struct transfer *transfer = user;

    transfer->finished = true;
    finish_if_over(transfer);
}

static void transfer_cancelled(void *user)
{
    struct error err;

    error_set(&err, STATUS_CANCELLED, "cancelled");
    transfer_end(user, &err);
}

void service_put_blob(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    static const struct rpc_events events = {.on_message = chunk_came, .on_finish = chunks_over};
    struct transfer *transfer = xnew(struct transfer);

    transfer->rpc = rpc;
    transfer->pod = ((struct session *) rpc_context(rpc))->pod;
    rpc_listen(rpc, &events, transfer);
    rpc_on_cancel(rpc, transfer_cancelled, transfer);
}
