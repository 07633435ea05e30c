/* SPDX-License-Identifier: Apache-2.0 */
#include "ttrpc/client.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <protobuf-c/protobuf-c.h>

#include "base/scoped.h"
#include "base/text.h"
#include "io/loop.h"
#include "io/stream.h"
#include "ttrpc/frame.h"
#include "ttrpc.pb-c.h"

enum { OUTPUT_MAX = 16 << 20 };

struct ttrpc_request {
    struct ttrpc_request *next, *previous;
    struct ttrpc_client *client;
    uint32_t stream;
    const ProtobufCMessageDescriptor *reply;
    struct source *timer;
    ttrpc_done_fn *done;
    void *user;
};

struct ttrpc_client {
    struct loop *loop;
    struct stream *stream; /* NULL: lost */
    struct frame_decoder decoder;
    uint32_t next_stream;
    struct ttrpc_request *requests;
    void (*on_end)(void *user);
    void *user;
    bool *freed; /* set by ttrpc_client_free(), for whoever calls out */
};

static void request_remove(struct ttrpc_request *request)
{
    struct ttrpc_client *client = request->client;

    *(request->previous ? &request->previous->next : &client->requests) = request->next;
    if (request->next)
        request->next->previous = request->previous;
    source_freep(&request->timer);
    free(request);
}

/* Ends the request and tells its owner, who may free the client. */
static void request_end(struct ttrpc_request *request, const void *reply, const struct error *err)
{
    ttrpc_done_fn *done = request->done;
    void *user = request->user;

    request_remove(request);
    done(user, reply, err);
}

static void deadline_passed(void *user)
{
    struct error err;

    error_set(&err, STATUS_DEADLINE_EXCEEDED, "no answer in time");
    request_end(user, NULL, &err);
}

static struct ttrpc_request *request_find(const struct ttrpc_client *client, uint32_t stream)
{
    struct ttrpc_request *request = client->requests;

    while (request && request->stream != stream)
        request = request->next;
    return request;
}

static void on_response(struct ttrpc_client *client, const struct frame *frame)
{
    struct ttrpc_request *request = request_find(client, frame->stream);
    Ttrpc__Response *response;
    ProtobufCMessage *reply = NULL;
    struct error err;

    if (!request)
        return; /* it came too late */
    response = ttrpc__response__unpack(NULL, frame->length, frame->body);
    if (!response) {
        error_set(&err, STATUS_INTERNAL, "the answer is not a valid response");
    } else if (response->status && response->status->code != STATUS_OK) {
        int32_t code = response->status->code;

        error_set(&err,
                  code > 0 && code <= STATUS_UNAUTHENTICATED ? (enum status) code : STATUS_UNKNOWN,
                  "%s", response->status->message);
    } else {
        reply = protobuf_c_message_unpack(request->reply, NULL, response->payload.len,
                                          response->payload.data);
        if (!reply)
            error_set(&err, STATUS_INTERNAL, "the answer is not a valid %s",
                      request->reply->short_name);
    }
    if (response)
        ttrpc__response__free_unpacked(response, NULL);
    request_end(request, reply, reply ? NULL : &err);
    if (reply)
        protobuf_c_message_free_unpacked(reply, NULL);
}

static void refuse_oversized(struct ttrpc_client *client, uint32_t stream)
{
    struct ttrpc_request *request = request_find(client, stream);
    struct error err;

    error_set(&err, STATUS_RESOURCE_EXHAUSTED, "the answer is too large");
    if (request)
        request_end(request, NULL, &err);
}

static size_t on_data(void *user, const uint8_t *data, size_t length)
{
    struct ttrpc_client *client = user;
    bool freed = false;
    size_t used = 0;

    client->freed = &freed;
    for (;;) {
        struct frame frame;
        size_t n;
        enum frame_result result = frame_decode(&client->decoder, data + used, length - used,
                                                &frame, &n);

        used += n;
        if (result == FRAME_MORE)
            break;
        if (result == FRAME_TOO_LARGE)
            refuse_oversized(client, frame.stream);
        else if (frame.type == FRAME_RESPONSE)
            on_response(client, &frame);
        if (freed)
            return used;
    }
    client->freed = NULL;
    return used;
}

static void on_end(void *user, const struct error *cause)
{
    struct ttrpc_client *client = user;
    struct error err;
    bool freed = false;

    error_set(&err, STATUS_UNAVAILABLE, "the connection was lost%s%s", cause ? ": " : "",
              cause ? cause->message : "");
    stream_free(take_ptr(client->stream));
    client->freed = &freed;
    while (!freed && client->requests)
        request_end(client->requests, NULL, &err);
    if (freed)
        return;
    client->freed = NULL;
    if (client->on_end)
        client->on_end(client->user);
}

/* Without waiting: a listener whose queue is full counts as unavailable. */
static int connect_now(const char *path, int *ret, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (text_starts(path, "unix://"))
        path += 7;
    if (strlen(path) >= sizeof(address.sun_path))
        return error_set(err, STATUS_INVALID_ARGUMENT, "socket path '%s' is too long", path);
    memcpy(address.sun_path, path, strlen(path));

    scoped(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return error_errno(err, errno, "socket");
    if (connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0) {
        error_errno(err, errno, "connect to '%s'", path);
        err->status = STATUS_UNAVAILABLE;
        return -1;
    }
    *ret = take_fd(fd);
    return 0;
}

int ttrpc_client_connect(struct loop *loop, const char *path, void (*on_lost)(void *user),
                         void *user, struct ttrpc_client **ret, struct error *err)
{
    static const struct stream_events events = {.on_data = on_data, .on_end = on_end};
    static const struct stream_limits limits = {.input = FRAME_HEADER_SIZE + FRAME_BODY_MAX,
                                                .output = OUTPUT_MAX};
    scoped(ttrpc_client_freep) struct ttrpc_client *client = xnew(struct ttrpc_client);
    int fd = -1;

    client->loop = loop;
    client->next_stream = 1;
    client->on_end = on_lost;
    client->user = user;
    if (connect_now(path, &fd, err) < 0)
        return -1;
    if (stream_new(loop, fd, &events, client, &limits, &client->stream, err) < 0)
        return -1;
    *ret = take_ptr(client);
    return 0;
}

void ttrpc_client_free(struct ttrpc_client *client)
{
    if (!client)
        return;
    if (client->freed)
        *client->freed = true;
    while (client->requests)
        request_remove(client->requests);
    if (client->stream)
        stream_free(client->stream);
    free(client);
}

bool ttrpc_client_is_connected(const struct ttrpc_client *client)
{
    return client->stream;
}

static int write_request(struct ttrpc_client *client, uint32_t stream,
                         const struct ttrpc_call_options *options, struct error *err)
{
    Ttrpc__KeyValue pair = TTRPC__KEY_VALUE__INIT, *pairs[] = {&pair};
    Ttrpc__Request request = TTRPC__REQUEST__INIT;
    struct frame frame = {.stream = stream, .type = FRAME_REQUEST};
    size_t length = protobuf_c_message_get_packed_size(options->message);

    if (length > FRAME_BODY_MAX - 4096)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "%s: the request is too large",
                         options->method);
    scoped(freep) uint8_t *payload = xalloc(length + 1);
    protobuf_c_message_pack(options->message, payload);
    request.service = (char *) options->service;
    request.method = (char *) options->method;
    request.payload.data = payload;
    request.payload.len = length;
    if (options->deadline_ms < INT64_MAX / 1000000)
        request.timeout_nano = (int64_t) options->deadline_ms * 1000000;
    if (options->containerd_namespace) {
        pair.key = (char *) "containerd-namespace-ttrpc";
        pair.value = (char *) options->containerd_namespace;
        request.n_metadata = 1;
        request.metadata = pairs;
    }
    frame.length = (uint32_t) ttrpc__request__get_packed_size(&request);
    if (frame.length > FRAME_BODY_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "%s: the request is too large",
                         options->method);
    scoped(freep) uint8_t *bytes = xalloc((size_t) FRAME_HEADER_SIZE + frame.length);

    frame_put_header(&frame, bytes);
    ttrpc__request__pack(&request, bytes + FRAME_HEADER_SIZE);
    return stream_write(client->stream, bytes, (size_t) FRAME_HEADER_SIZE + frame.length, err);
}

int ttrpc_client_call(struct ttrpc_client *client, const struct ttrpc_call_options *options,
                      ttrpc_done_fn *done, void *user, struct error *err)
{
    if (!client->stream)
        return error_set(err, STATUS_UNAVAILABLE, "the connection was lost");
    if (client->next_stream > UINT32_MAX - 2)
        return error_set(err, STATUS_UNAVAILABLE, "the connection has no stream ids left");
    if (write_request(client, client->next_stream, options, err) < 0)
        return -1;

    struct ttrpc_request *request = xnew(struct ttrpc_request);

    request->client = client;
    request->stream = client->next_stream;
    request->reply = options->reply;
    request->done = done;
    request->user = user;
    request->next = client->requests;
    if (request->next)
        request->next->previous = request;
    client->requests = request;
    client->next_stream += 2;
    if (options->deadline_ms > 0 && loop_after(client->loop, options->deadline_ms, deadline_passed,
                                               request, &request->timer, err) < 0) {
        request_remove(request);
        return -1;
    }
    return 0;
}
