/* SPDX-License-Identifier: Apache-2.0 */
#include "pipe.h"

#include "base/digest.h"
#include "base/scoped.h"
#include "base/text.h"

enum { TEXT_MAX = 4096, CREDIT = 256 * 1024, PIECE = 64 * 1024 };

static struct pipe_stream *find(struct pipe *pipe, const Agent__StdioFrame *frame)
{
    for (size_t i = 0; i < pipe->count; i++) {
        struct pipe_stream *stream = &pipe->streams[i];

        if (stream->fd == frame->fd && text_equal(stream->container_id, frame->container_id) &&
            text_equal(stream->exec_id, frame->exec_id))
            return stream;
    }
    return NULL;
}

static void take_data(struct pipe_stream *stream, const Agent__StdioData *data)
{
    size_t room = stream->received < TEXT_MAX ? TEXT_MAX - stream->received : 0;

    if (data->offset != stream->received)
        bed_die("%s/%s fd %u: bytes at %llu, expected %llu", stream->container_id, stream->exec_id,
                stream->fd, (unsigned long long) data->offset,
                (unsigned long long) stream->received);
    memcpy(stream->text + (TEXT_MAX - room), data->bytes.data,
           data->bytes.len < room ? data->bytes.len : room);
    digest_update(stream->digest, data->bytes.data, data->bytes.len);
    stream->received += data->bytes.len;
    stream->owes_credit = true;
}

static void take_final(struct pipe_stream *stream, const Agent__StdioFinal *final)
{
    uint8_t digest[SHA256_SIZE];

    digest_value(stream->digest, digest);
    if (final->total != stream->received || final->sha256.len != sizeof(digest) ||
        memcmp(final->sha256.data, digest, sizeof(digest)) != 0)
        bed_die("%s/%s fd %u: the final record does not fit", stream->container_id, stream->exec_id,
                stream->fd);
    stream->final = true;
    stream->owes_credit = true;
}

static void received(void *user, const ProtobufCMessage *message)
{
    const Agent__StdioFrame *frame = (const Agent__StdioFrame *) message;
    struct pipe *pipe = user;
    struct pipe_stream *stream = find(pipe, frame);

    if (!stream)
        return;
    if (frame->body_case == AGENT__STDIO_FRAME__BODY_DATA) {
        take_data(stream, frame->data);
    } else if (frame->body_case == AGENT__STDIO_FRAME__BODY_FINAL) {
        take_final(stream, frame->final);
    } else if (frame->body_case == AGENT__STDIO_FRAME__BODY_CONSUMED) {
        if (!stream->attached)
            stream->sent = frame->consumed;
        stream->attached = true;
        stream->consumed = frame->consumed;
    } else {
        free(stream->error);
        stream->error = xstrdup(frame->error);
    }
    pipe_pump(pipe);
}

static void writable(void *user)
{
    pipe_pump(user);
}

static void ended(void *user, const struct rpc_result *result)
{
    ((struct pipe *) user)->ended = true;
}

static bool fill_output(struct pipe_stream *stream, Agent__StdioFrame *frame)
{
    if ((stream->attached && !stream->owes_credit) || stream->stalled)
        return false;
    stream->attached = true;
    stream->owes_credit = false;
    frame->body_case = AGENT__STDIO_FRAME__BODY_CONSUMED;
    frame->consumed = stream->received;
    return true;
}

static bool fill_input(struct pipe_stream *stream, Agent__StdioFrame *frame, Agent__StdioData *data,
                       Agent__StdioFinal *final)
{
    uint64_t room = stream->consumed + CREDIT - stream->sent;
    uint64_t left = stream->length - stream->sent;

    if (!stream->attached)
        return false;
    if (left == 0) {
        if (stream->closed)
            return false;
        stream->closed = true;
        final->total = stream->length;
        frame->body_case = AGENT__STDIO_FRAME__BODY_FINAL;
        frame->final = final;
        return true;
    }
    if (room == 0)
        return false;
    data->offset = stream->sent;
    data->bytes.data = (uint8_t *) (uintptr_t) (stream->data + stream->sent);
    data->bytes.len = left < PIECE ? left : PIECE;
    if (data->bytes.len > room)
        data->bytes.len = room;
    stream->sent += data->bytes.len;
    frame->body_case = AGENT__STDIO_FRAME__BODY_DATA;
    frame->data = data;
    return true;
}

void pipe_pump(struct pipe *pipe)
{
    for (size_t tried = 0; tried < pipe->count; tried++) {
        struct pipe_stream *stream = &pipe->streams[pipe->turn++ % pipe->count];
        Agent__StdioFrame frame = AGENT__STDIO_FRAME__INIT;
        Agent__StdioData data = AGENT__STDIO_DATA__INIT;
        Agent__StdioFinal final = AGENT__STDIO_FINAL__INIT;

        if (!pipe->call || pipe->ended || !rpc_call_writable(pipe->call))
            return;
        frame.container_id = (char *) (uintptr_t) stream->container_id;
        frame.exec_id = (char *) (uintptr_t) stream->exec_id;
        frame.fd = stream->fd;
        if (stream->fd == 0 ? fill_input(stream, &frame, &data, &final)
                            : fill_output(stream, &frame))
            rpc_call_write(pipe->call, &frame.base);
    }
}

void pipe_reopen(struct pipe *pipe)
{
    static const struct rpc_call_events events = {
        .on_message = received, .on_writable = writable, .on_end = ended};
    struct rpc_request request = {.method = "/agent.Bulk/Stdio",
                                  .reply = &agent__stdio_frame__descriptor};

    pipe->ended = false;
    for (size_t i = 0; i < pipe->count; i++) {
        pipe->streams[i].attached = false;
        pipe->streams[i].closed = false;
    }
    if (rpc_call_stream(pipe->bed->bulk, &request, &events, pipe, &pipe->call) < 0)
        bed_die("Stdio");
    pipe_pump(pipe);
}

void pipe_open(struct pipe *pipe, struct bed *bed)
{
    *pipe = (struct pipe){.bed = bed};
    pipe_reopen(pipe);
}

void pipe_close(struct pipe *pipe)
{
    rpc_call_free(take_ptr(pipe->call));
}

void pipe_fini(struct pipe *pipe)
{
    if (pipe->call)
        pipe_close(pipe);
    for (size_t i = 0; i < pipe->count; i++) {
        if (pipe->streams[i].digest)
            digest_free(pipe->streams[i].digest);
        free(pipe->streams[i].text);
        free(pipe->streams[i].error);
    }
}

struct pipe_stream *pipe_output(struct pipe *pipe, const char *container_id, const char *exec_id,
                                unsigned fd)
{
    struct pipe_stream *stream = &pipe->streams[pipe->count++];

    *stream = (struct pipe_stream){
        .container_id = container_id, .exec_id = exec_id, .fd = fd, .text = xalloc(TEXT_MAX + 1)};
    stream->digest = digest_new(DIGEST_SHA256);
    pipe_pump(pipe);
    return stream;
}

struct pipe_stream *pipe_input(struct pipe *pipe, const char *container_id, const char *exec_id,
                               const void *data, size_t length)
{
    struct pipe_stream *stream = &pipe->streams[pipe->count++];

    *stream = (struct pipe_stream){
        .container_id = container_id, .exec_id = exec_id, .data = data, .length = length};
    return stream;
}
