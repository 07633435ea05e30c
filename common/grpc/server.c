/* SPDX-License-Identifier: Apache-2.0 */
/* Like a client's call, an rpc lives until its handler has answered and its last operation has come
 * back (`refs`). A server lives until its owner has freed it, gRPC has shut it down and its last
 * rpc is gone. */
#include "grpc/server.h"

#include <assert.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <grpc/grpc.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <protobuf-c/protobuf-c.h>

#include "base/scoped.h"
#include "base/text.h"
#include "grpc/client.h"
#include "grpc/tag.h"
#include "io/loop.h"

enum {
    CONCURRENT_CALLS_MAX = 1024,
    METADATA_MAX = 8 * 1024,
    METHOD_NAME_MAX = 128,
};

struct rpc_server {
    struct rpc_queue *queue;
    grpc_server *raw;
    struct rpc_server_options options;
    struct rpc_hangup hangup;
    unsigned refs;
    bool freed;
    struct rpc *calls; /* all that exist */

    struct rpc_tag accept_tag, shutdown_tag;
    grpc_call *incoming;
    grpc_call_details details;
    grpc_metadata_array metadata;
};

struct rpc {
    struct rpc_server *server;
    struct rpc *next, **link;
    grpc_call *raw;
    const struct rpc_method *method;
    char name[METHOD_NAME_MAX];
    unsigned refs;
    bool answered, cancelled, greeted;
    void (*on_cancel)(void *user);
    void *cancel_user;

    bool listening, receiving, paused, drained, writing, end_wanted;
    struct rpc_events events;
    void *user;
    enum status end_status;
    char end_message[512];

    struct rpc_tag close_tag, receive_tag, greet_tag, write_tag, status_tag;
    grpc_byte_buffer *request;
    grpc_byte_buffer *outgoing;
    grpc_slice details;
    int was_cancelled;
};

/* ---- the life of both ---- */

static void server_unref(struct rpc_server *server)
{
    if (--server->refs > 0)
        return;
    grpc_call_details_destroy(&server->details);
    grpc_metadata_array_destroy(&server->metadata);
    rpc_queue_drop(server->queue);
    free(server);
}

static void unref(struct rpc *rpc)
{
    if (--rpc->refs > 0)
        return;
    *rpc->link = rpc->next;
    if (rpc->next)
        rpc->next->link = rpc->link;
    if (rpc->request)
        grpc_byte_buffer_destroy(rpc->request);
    if (rpc->outgoing)
        grpc_byte_buffer_destroy(rpc->outgoing);
    grpc_slice_unref(rpc->details);
    grpc_call_unref(rpc->raw);
    server_unref(rpc->server);
    free(rpc);
}

static void start(struct rpc *rpc, const grpc_op *ops, size_t count, struct rpc_tag *tag)
{
    grpc_call_error r = grpc_call_start_batch(rpc->raw, ops, count, tag, NULL);

    assert(r == GRPC_CALL_OK);
    (void) r;
    rpc->refs++;
}

static void cancel(struct rpc *rpc)
{
    void (*fn)(void *) = take_ptr(rpc->on_cancel);

    rpc->cancelled = true;
    if (fn && !rpc->answered)
        fn(rpc->cancel_user);
}

/* ---- receiving ---- */

static void receive(struct rpc *rpc)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &rpc->request};

    if (rpc->receiving || rpc->paused || rpc->drained || rpc->answered || rpc->cancelled)
        return;
    rpc->receiving = true;
    start(rpc, &op, 1, &rpc->receive_tag);
}

/* The gate is asked again: the phase may have changed while the message was on its way. */
static void handle(struct rpc *rpc, const ProtobufCMessage *request)
{
    struct rpc_server *server = rpc->server;
    struct error err;

    if (server->freed)
        rpc_fail(rpc, STATUS_UNAVAILABLE, "the connection is closed");
    else if (!server->options.admit(server->options.context, rpc->name, &err))
        rpc_fail_with(rpc, &err);
    else
        rpc->method->handler(rpc, request);
}

static void handle_first(struct rpc *rpc, grpc_byte_buffer *buffer)
{
    ProtobufCMessage *message = buffer ? rpc_message_unpack(rpc->method->request, buffer) : NULL;

    if (!message)
        rpc_fail(rpc, STATUS_INVALID_ARGUMENT, "%s: the request cannot be decoded", rpc->name);
    else if (rpc->cancelled)
        rpc_fail(rpc, STATUS_CANCELLED, "cancelled");
    else
        handle(rpc, message);
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
}

static void handle_next(struct rpc *rpc, grpc_byte_buffer *buffer)
{
    ProtobufCMessage *message;

    if (rpc->answered || rpc->cancelled)
        return;
    if (!buffer) {
        rpc->drained = true;
        rpc->events.on_finish(rpc->user);
        return;
    }
    message = rpc_message_unpack(rpc->method->request, buffer);
    if (message) {
        rpc->events.on_message(rpc->user, message);
        protobuf_c_message_free_unpacked(message, NULL);
    } else {
        grpc_call_cancel_with_status(rpc->raw, GRPC_STATUS_INVALID_ARGUMENT,
                                     "the message cannot be decoded", NULL);
        rpc->drained = true; /* the close operation tells the handler */
    }
}

static void receive_complete(struct rpc_tag *tag, bool ok)
{
    struct rpc *rpc = container_of(tag, struct rpc, receive_tag);
    grpc_byte_buffer *buffer = take_ptr(rpc->request);

    rpc->receiving = false;
    if (rpc->listening) {
        handle_next(rpc, buffer);
        receive(rpc);
    } else {
        handle_first(rpc, buffer);
    }
    if (buffer)
        grpc_byte_buffer_destroy(buffer);
    unref(rpc);
}

static void close_complete(struct rpc_tag *tag, bool ok)
{
    struct rpc *rpc = container_of(tag, struct rpc, close_tag);

    if (!rpc->cancelled && (rpc->was_cancelled || !ok))
        cancel(rpc);
    unref(rpc);
}

/* ---- a call arrives ---- */

static void accept_next(struct rpc_server *server)
{
    grpc_completion_queue *raw = rpc_queue_raw(server->queue);
    grpc_call_error r = grpc_server_request_call(server->raw, &server->incoming, &server->details,
                                                 &server->metadata, raw, raw, &server->accept_tag);

    assert(r == GRPC_CALL_OK);
    (void) r;
    server->refs++;
}

static void greet_complete(struct rpc_tag *tag, bool ok)
{
    unref(container_of(tag, struct rpc, greet_tag));
}

static void status_complete(struct rpc_tag *tag, bool ok)
{
    unref(container_of(tag, struct rpc, status_tag));
}

static void send_end(struct rpc *rpc);

static void write_complete(struct rpc_tag *tag, bool ok)
{
    struct rpc *rpc = container_of(tag, struct rpc, write_tag);

    rpc->writing = false;
    grpc_byte_buffer_destroy(take_ptr(rpc->outgoing));
    if (rpc->end_wanted)
        send_end(rpc);
    else if (ok && !rpc->answered && !rpc->cancelled && rpc->events.on_writable)
        rpc->events.on_writable(rpc->user);
    unref(rpc);
}

static struct rpc *rpc_new(struct rpc_server *server)
{
    struct rpc *rpc = xnew(struct rpc);
    size_t length = GRPC_SLICE_LENGTH(server->details.method);

    rpc->server = server;
    server->refs++;
    rpc->refs = 1; /* the handler's, given up by the answer */
    rpc->raw = take_ptr(server->incoming);
    rpc->details = grpc_empty_slice();
    if (length < sizeof(rpc->name)) /* else "": no such method */
        memcpy(rpc->name, GRPC_SLICE_START_PTR(server->details.method), length);
    rpc->close_tag.complete = close_complete;
    rpc->receive_tag.complete = receive_complete;
    rpc->greet_tag.complete = greet_complete;
    rpc->write_tag.complete = write_complete;
    rpc->status_tag.complete = status_complete;
    rpc->next = server->calls;
    if (rpc->next)
        rpc->next->link = &rpc->next;
    rpc->link = &server->calls;
    server->calls = rpc;
    return rpc;
}

static void greet(struct rpc *rpc)
{
    grpc_op op = {.op = GRPC_OP_SEND_INITIAL_METADATA};

    rpc->greeted = true;
    start(rpc, &op, 1, &rpc->greet_tag);
}

static void arrive(struct rpc_server *server)
{
    struct rpc *rpc = rpc_new(server);
    grpc_op close = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                     .data.recv_close_on_server.cancelled = &rpc->was_cancelled};
    struct error err;

    start(rpc, &close, 1, &rpc->close_tag);
    rpc->method = server->options.admit(server->options.context, rpc->name, &err);
    if (!rpc->method) {
        rpc_fail_with(rpc, &err);
    } else if (rpc->method->kind == RPC_UNARY || rpc->method->kind == RPC_SERVER_STREAM) {
        receive(rpc);
    } else {
        greet(rpc);
        handle(rpc, NULL);
    }
}

static void accept_complete(struct rpc_tag *tag, bool ok)
{
    struct rpc_server *server = container_of(tag, struct rpc_server, accept_tag);

    if (ok && server->freed) {
        grpc_call_cancel(server->incoming, NULL);
        grpc_call_unref(take_ptr(server->incoming));
    } else if (ok) {
        arrive(server);
    }
    if (ok && !server->freed) {
        grpc_call_details_destroy(&server->details);
        grpc_call_details_init(&server->details);
        grpc_metadata_array_destroy(&server->metadata);
        grpc_metadata_array_init(&server->metadata);
        accept_next(server);
    }
    server_unref(server);
}

static void shutdown_complete(struct rpc_tag *tag, bool ok)
{
    struct rpc_server *server = container_of(tag, struct rpc_server, shutdown_tag);

    grpc_server_destroy(server->raw);
    server_unref(server);
}

static void hung_up(void *user)
{
    struct rpc_server *server = user;

    server->options.on_end(server->options.context);
}

static grpc_arg integer_arg(const char *key, int value)
{
    return (grpc_arg){
        .type = GRPC_ARG_INTEGER, .key = (char *) (uintptr_t) key, .value.integer = value};
}

static grpc_server *make_server(struct rpc_queue *queue)
{
    grpc_arg list[] = {
        integer_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, RPC_MESSAGE_MAX),
        integer_arg(GRPC_ARG_MAX_CONCURRENT_STREAMS, CONCURRENT_CALLS_MAX),
        integer_arg(GRPC_ARG_MAX_METADATA_SIZE, METADATA_MAX),
        integer_arg(GRPC_ARG_HTTP2_BDP_PROBE, 0),
        integer_arg(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, RPC_WINDOW),
        integer_arg(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, RPC_FRAME),
    };
    grpc_channel_args args = {.num_args = ARRAY_LENGTH(list), .args = list};
    grpc_server *raw = grpc_server_create(&args, NULL);

    grpc_server_register_completion_queue(raw, rpc_queue_raw(queue), NULL);
    grpc_server_start(raw);
    return raw;
}

int rpc_server_new(struct rpc_queue *queue, int fd, const struct rpc_server_options *options,
                   struct rpc_server **ret, struct error *err)
{
    struct rpc_server *server = xnew(struct rpc_server);
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();

    (void) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    rpc_queue_hold(queue);
    server->queue = queue;
    server->options = *options;
    server->refs = 1;
    server->accept_tag.complete = accept_complete;
    server->shutdown_tag.complete = shutdown_complete;
    grpc_call_details_init(&server->details);
    grpc_metadata_array_init(&server->metadata);
    server->hangup = (struct rpc_hangup){.epoll_fd = -1, .fn = hung_up, .user = server};
    if (options->on_end)
        rpc_hangup_start(&server->hangup, rpc_queue_loop(queue), fd);
    server->raw = make_server(queue);
    accept_next(server);
    grpc_server_add_channel_from_fd(server->raw, fd, credentials);
    grpc_server_credentials_release(credentials);
    *ret = server;
    return 0;
}

static struct rpc *first_uncancelled(struct rpc_server *server)
{
    for (struct rpc *rpc = server->calls; rpc; rpc = rpc->next) {
        if (!rpc->cancelled)
            return rpc;
    }
    return NULL;
}

void rpc_server_free(struct rpc_server *server)
{
    struct rpc *rpc;

    if (!server)
        return;
    assert(!server->freed);
    server->freed = true;
    rpc_hangup_stop(&server->hangup);
    server->refs++; /* the shutdown's */
    grpc_server_shutdown_and_notify(server->raw, rpc_queue_raw(server->queue),
                                    &server->shutdown_tag);
    grpc_server_cancel_all_calls(server->raw);
    while ((rpc = first_uncancelled(server)))
        cancel(rpc);
    server_unref(server);
}

/* ---- what handlers do ---- */

void *rpc_context(const struct rpc *rpc)
{
    return rpc->server->freed ? NULL : rpc->server->options.context;
}

const char *rpc_method_name(const struct rpc *rpc)
{
    return rpc->name;
}

static void send_end(struct rpc *rpc)
{
    grpc_op ops[3] = {0};
    size_t count = 0;

    rpc->end_wanted = false;
    rpc->details = grpc_slice_from_copied_string(rpc->end_message);
    if (!rpc->greeted)
        ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
    rpc->greeted = true;
    if (rpc->outgoing)
        ops[count++] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE,
                                 .data.send_message.send_message = rpc->outgoing};
    ops[count++] = (grpc_op){.op = GRPC_OP_SEND_STATUS_FROM_SERVER,
                             .data.send_status_from_server = {
                                 .status = (grpc_status_code) rpc->end_status,
                                 .status_details = &rpc->details,
                             }};
    start(rpc, ops, count, &rpc->status_tag);
    unref(rpc); /* the handler's */
}

static void answer(struct rpc *rpc, enum status status, const char *message)
{
    assert(!rpc->answered);
    rpc->answered = true;
    rpc->on_cancel = NULL;
    rpc->end_status = status;
    (void) snprintf(rpc->end_message, sizeof(rpc->end_message), "%s", message);
    if (rpc->server->freed)
        unref(rpc);
    else if (rpc->writing)
        rpc->end_wanted = true;
    else
        send_end(rpc);
}

void rpc_reply(struct rpc *rpc, const struct ProtobufCMessage *reply)
{
    if (!rpc->server->freed)
        rpc->outgoing = rpc_message_pack(reply);
    answer(rpc, STATUS_OK, "");
}

void rpc_end(struct rpc *rpc)
{
    answer(rpc, STATUS_OK, "");
}

void rpc_fail(struct rpc *rpc, enum status status, const char *fmt, ...)
{
    char message[512];
    va_list args;

    va_start(args, fmt);
    (void) vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    text_make_utf8(message);
    answer(rpc, status, message);
}

void rpc_fail_with(struct rpc *rpc, const struct error *err)
{
    rpc_fail(rpc, err->status, "%s", err->message);
}

void rpc_on_cancel(struct rpc *rpc, void (*fn)(void *user), void *user)
{
    rpc->on_cancel = fn;
    rpc->cancel_user = user;
    if (rpc->cancelled)
        cancel(rpc);
}

void rpc_listen(struct rpc *rpc, const struct rpc_events *events, void *user)
{
    rpc->listening = true;
    rpc->events = *events;
    rpc->user = user;
    if (rpc->method->kind == RPC_SERVER_STREAM && !rpc->greeted)
        greet(rpc);
    if (rpc->method->kind != RPC_SERVER_STREAM)
        receive(rpc);
}

void rpc_pause(struct rpc *rpc)
{
    rpc->paused = true;
}

void rpc_resume(struct rpc *rpc)
{
    rpc->paused = false;
    receive(rpc);
}

bool rpc_writable(const struct rpc *rpc)
{
    return !rpc->writing && !rpc->answered && !rpc->cancelled;
}

void rpc_write(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    grpc_op op;

    assert(!rpc->writing && !rpc->answered);
    if (rpc->cancelled)
        return;
    rpc->writing = true;
    rpc->outgoing = rpc_message_pack(message);
    op = (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = rpc->outgoing};
    start(rpc, &op, 1, &rpc->write_tag);
}
