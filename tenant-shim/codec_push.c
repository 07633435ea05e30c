/* SPDX-License-Identifier: Apache-2.0 */
#include "push.h"

#include <string.h>

#include "agent.pb-c.h"
#include "base/error.h"
#include "content.h"
#include "link.h"
#include "tree.h"

enum { PIECE_MAX = 256 * 1024, DIGESTS_MAX = 1024 };

struct push {
    struct push_options options;
    push_done_fn *done;
    void *user;
    struct content_request *read;
    struct tree *tree; /* or this */
    struct rpc_call *put;
    uint8_t *buffer; /* one piece of containerd's, sent in pieces of ours */
    size_t length, sent;
    bool first_sent;
    bool read_ended;
    bool finished;
    bool content_gone;
    uint64_t padding_left;
};

uint64_t push_padding(uint64_t size)
{
    return (PUSH_BUCKET - size % PUSH_BUCKET) % PUSH_BUCKET;
}

static void push_end(struct push *push, const struct error *err)
{
    push_done_fn *done = push->done;

    push->done = NULL;
    if (done)
        done(push->user, err);
}

static void introduce(const struct push *push, Agent__BlobChunk *chunk)
{
    const struct push_blob *blob = &push->options.blob;

    chunk->digest = (char *) blob->digest;
    chunk->media_type = (char *) blob->media_type;
    chunk->size = blob->size;
    chunk->offset = blob->offset;
    chunk->diff_id = (char *) blob->diff_id;
    chunk->unpacked_size = blob->unpacked_size;
}

/* One message: a piece of the blob, or of what hides its length. False: nothing to send now. */
static bool send_piece(struct push *push)
{
    static const uint8_t zeros[PIECE_MAX];
    Agent__BlobChunk chunk = AGENT__BLOB_CHUNK__INIT;
    size_t left = push->length - push->sent;

    if (left > 0) {
        chunk.data.data = push->buffer + push->sent;
        chunk.data.len = left < PIECE_MAX ? left : PIECE_MAX;
        push->sent += chunk.data.len;
    } else if (push->read_ended && push->padding_left > 0) {
        chunk.padding.data = (uint8_t *) zeros;
        chunk.padding.len = push->padding_left < PIECE_MAX ? push->padding_left : PIECE_MAX;
        push->padding_left -= chunk.padding.len;
    } else if (push->first_sent) {
        return false;
    }
    if (!push->first_sent)
        introduce(push, &chunk);
    push->first_sent = true;
    rpc_call_write(push->put, &chunk.base);
    return true;
}

static void advance(struct push *push)
{
    while (rpc_call_writable(push->put) && !push->finished) {
        if (send_piece(push))
            continue;
        if (push->read_ended) {
            push->finished = true;
            rpc_call_finish(push->put);
        } else if (push->read) {
            content_resume(push->read);
        } else if (push->tree) {
            tree_resume(push->tree);
        }
        return;
    }
}

static void on_data(void *user, const uint8_t *data, size_t length)
{
    struct push *push = user;

    push->buffer = xrealloc(push->buffer, length);
    memcpy(push->buffer, data, length);
    push->length = length;
    push->sent = 0;
    if (push->tree)
        tree_pause(push->tree);
    else
        content_pause(push->read);
    advance(push);
}

static void on_read_ended(void *user)
{
    struct push *push = user;

    push->read_ended = true;
    advance(push);
}

static void on_read_failed(void *user, const struct error *err)
{
    struct push *push = user;

    push->content_gone = !push->options.tree && err->status == STATUS_NOT_FOUND;
    push_end(push, err);
}

static void on_writable(void *user)
{
    advance(user);
}

static void on_message(void *user, const struct ProtobufCMessage *message) {}

static void on_put_end(void *user, const struct rpc_result *result)
{
    struct push *push = user;
    struct error err;

    if (result->status == STATUS_OK) {
        push_end(push, NULL);
        return;
    }
    error_set(&err, result->status, "guest: %s: %s", push->options.blob.digest, result->message);
    push_end(push, &err);
}

static int begin_read(struct push *push, struct error *err)
{
    static const struct content_events events = {
        .data = on_data,
        .ended = on_read_ended,
        .failed = on_read_failed,
    };
    const struct push_options *options = &push->options;
    const struct push_blob *blob = &options->blob;

    if (push->read_ended)
        return 0;
    if (options->tree)
        return tree_read(options->loop, options->tree, blob->offset, &events, push, &push->tree,
                         err);
    return content_read(options->content, blob->digest, blob->offset, &events, push, &push->read,
                        err);
}

int push_new(const struct push_options *options, push_done_fn *done, void *user, struct push **ret,
             struct error *err)
{
    static const struct rpc_call_events put_events = {
        .on_message = on_message,
        .on_writable = on_writable,
        .on_end = on_put_end,
    };
    scoped(push_freep) struct push *push = xnew(struct push);
    struct rpc_request request = {.method = "/agent.Bulk/PutBlob",
                                  .reply = &agent__put_blob_response__descriptor};
    const struct push_blob *blob = &options->blob;

    push->options = *options;
    push->done = done;
    push->user = user;
    push->padding_left = options->pad ? push_padding(blob->size) : 0;
    push->read_ended = blob->offset >= blob->size;
    if (rpc_call_stream(options->bulk, &request, &put_events, push, &push->put) < 0)
        return error_set(err, STATUS_UNAVAILABLE, "no bulk connection");
    if (begin_read(push, err) < 0)
        return -1;
    advance(push);
    *ret = take_ptr(push);
    return 0;
}

bool push_content_is_gone(const struct push *push)
{
    return push->content_gone;
}

void push_free(struct push *push)
{
    if (!push)
        return;
    content_request_free(push->read);
    tree_free(push->tree);
    rpc_call_free(push->put);
    free(push->buffer);
    free(push);
}

/* ---- what is there ----------------------------------------------------------------------------
 */

struct asked {
    push_states_fn *done;
    void *user;
};

static void on_states(void *user, const struct rpc_result *result)
{
    const struct asked *asked = user;
    const Agent__HasBlobsResponse *reply = (const Agent__HasBlobsResponse *) result->reply;
    scoped(freep) struct push_state *states = NULL;
    struct error err;

    if (result->status != STATUS_OK || reply->n_blobs > DIGESTS_MAX) {
        error_set(&err, result->status ? result->status : STATUS_INTERNAL, "guest: blobs: %s",
                  result->message);
        asked->done(asked->user, NULL, 0, &err);
        return;
    }
    states = xnew_array(struct push_state, reply->n_blobs + 1);
    for (size_t i = 0; i < reply->n_blobs; i++)
        states[i] = (struct push_state){.digest = reply->blobs[i]->digest,
                                        .complete = reply->blobs[i]->complete,
                                        .received = reply->blobs[i]->received};
    asked->done(asked->user, states, reply->n_blobs, NULL);
}

struct link_call *push_ask(struct link *link, const char *const *digests, size_t count,
                           push_states_fn *done, void *user)
{
    Agent__HasBlobsRequest message = AGENT__HAS_BLOBS_REQUEST__INIT;
    struct link_request request = {.lane = LINK_BULK,
                                   .method = "/agent.Bulk/HasBlobs",
                                   .message = &message.base,
                                   .reply = &agent__has_blobs_response__descriptor};
    struct asked *asked = xnew(struct asked);

    *asked = (struct asked){done, user};
    message.digests = (char **) digests;
    message.n_digests = count;
    return link_call(link, &request, on_states, asked);
}
