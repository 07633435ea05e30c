/* SPDX-License-Identifier: Apache-2.0 */
/* A call lives until its owner has freed it and its last operation has come back: `refs` counts the
 * owner and each operation. Only start() and finished() touch it. */
#include "grpc/client.h"

#include <assert.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>

#include <grpc/grpc.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <protobuf-c/protobuf-c.h>

#include "base/scoped.h"
#include "grpc/tag.h"
#include "io/loop.h"

struct rpc_channel {
    struct rpc_queue *queue;
    grpc_channel *raw;
    struct rpc_hangup hangup;
    rpc_guard_fn *guard;
    void *guard_user;
};

struct rpc_call {
    struct rpc_queue *queue;
    grpc_call *raw;
    const ProtobufCMessageDescriptor *reply;
    unsigned refs;
    bool freed; /* by its owner: no callbacks */
    void *user;
    rpc_done_fn *done; /* unary */
    struct rpc_call_events events;

    bool writing, finish_wanted, finished;
    bool receiving, paused, drained; /* drained: no message will come any more */
    bool has_status, ended;
    const char *fault; /* our own reason to break it off */

    struct rpc_tag begin_tag, greet_tag, write_tag, close_tag, receive_tag, status_tag;
    grpc_byte_buffer *outgoing;
    grpc_byte_buffer *incoming;
    grpc_metadata *metadata;
    size_t metadata_count;
    grpc_metadata_array initial, trailing;
    grpc_status_code code;
    grpc_slice details;
};

/* ---- channels ---- */

static struct rpc_channel *channel_new(struct rpc_queue *queue)
{
    struct rpc_channel *channel = xnew(struct rpc_channel);

    channel->queue = queue;
    channel->hangup.epoll_fd = -1;
    rpc_queue_hold(queue);
    return channel;
}

static grpc_arg integer_arg(const char *key, int value)
{
    return (grpc_arg){
        .type = GRPC_ARG_INTEGER, .key = (char *) (uintptr_t) key, .value.integer = value};
}

int rpc_channel_from_fd(struct rpc_queue *queue, int fd, rpc_end_fn *on_end, void *user,
                        struct rpc_channel **ret)
{
    struct rpc_channel *channel = channel_new(queue);
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_arg list[] = {
        integer_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, RPC_MESSAGE_MAX),
        integer_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        integer_arg(GRPC_ARG_HTTP2_BDP_PROBE, 0),
        integer_arg(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, RPC_WINDOW),
        integer_arg(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, RPC_FRAME),
    };
    grpc_channel_args args = {.num_args = ARRAY_LENGTH(list), .args = list};

    (void) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (on_end) {
        channel->hangup.fn = on_end;
        channel->hangup.user = user;
        rpc_hangup_start(&channel->hangup, rpc_queue_loop(queue), fd);
    }
    channel->raw = grpc_channel_create_from_fd("cleave", fd, credentials, &args);
    grpc_channel_credentials_release(credentials);
    *ret = channel;
    return 0;
}

int rpc_channel_to_unix(struct rpc_queue *queue, const char *path, uint32_t message_max,
                        struct rpc_channel **ret, struct error *err)
{
    scoped(freep) char *target = NULL;
    struct rpc_channel *channel;
    grpc_channel_credentials *credentials;
    grpc_arg list[] = {
        integer_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
                    (int) (message_max ? message_max : RPC_MESSAGE_MAX)),
        integer_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        integer_arg(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
        {.type = GRPC_ARG_STRING,
         .key = (char *) (uintptr_t) GRPC_ARG_DEFAULT_AUTHORITY,
         .value.string = (char *) (uintptr_t) "localhost"},
    };
    grpc_channel_args args = {.num_args = ARRAY_LENGTH(list), .args = list};

    if (path[0] != '/')
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is not an absolute path", path);
    target = xformat("unix:%s", path);
    channel = channel_new(queue);
    credentials = grpc_insecure_credentials_create();
    channel->raw = grpc_channel_create(target, credentials, &args);
    grpc_channel_credentials_release(credentials);
    *ret = channel;
    return 0;
}

void rpc_channel_free(struct rpc_channel *channel)
{
    if (!channel)
        return;
    rpc_hangup_stop(&channel->hangup);
    grpc_channel_destroy(channel->raw);
    rpc_queue_drop(channel->queue);
    free(channel);
}

void rpc_channel_guard(struct rpc_channel *channel, rpc_guard_fn *guard, void *user)
{
    channel->guard = guard;
    channel->guard_user = user;
}

static bool is_refused(const struct rpc_channel *channel)
{
    return channel->guard && !channel->guard(channel->guard_user);
}

/* ---- a call's operations ---- */

static void destroy(struct rpc_call *call)
{
    for (size_t i = 0; i < call->metadata_count; i++) {
        grpc_slice_unref(call->metadata[i].key);
        grpc_slice_unref(call->metadata[i].value);
    }
    free(call->metadata);
    grpc_metadata_array_destroy(&call->initial);
    grpc_metadata_array_destroy(&call->trailing);
    if (call->has_status)
        grpc_slice_unref(call->details);
    if (call->outgoing)
        grpc_byte_buffer_destroy(call->outgoing);
    if (call->incoming)
        grpc_byte_buffer_destroy(call->incoming);
    grpc_call_unref(call->raw);
    rpc_queue_drop(call->queue);
    free(call);
}

static void unref(struct rpc_call *call)
{
    if (--call->refs == 0)
        destroy(call);
}

static void start(struct rpc_call *call, const grpc_op *ops, size_t count, struct rpc_tag *tag)
{
    grpc_call_error r = grpc_call_start_batch(call->raw, ops, count, tag, NULL);

    assert(r == GRPC_CALL_OK);
    (void) r;
    call->refs++;
}

static void report(struct rpc_call *call, const ProtobufCMessage *reply)
{
    scoped(freep) char *details = NULL;
    struct rpc_result result = {.status = (enum status) call->code, .reply = reply};

    if (call->fault) {
        result.status = STATUS_INTERNAL;
        result.message = call->fault;
    } else {
        details = xstrndup((const char *) GRPC_SLICE_START_PTR(call->details),
                           GRPC_SLICE_LENGTH(call->details));
        result.message = details;
    }
    call->ended = true;
    if (call->freed)
        return;
    if (call->done)
        call->done(call->user, &result);
    else if (call->events.on_end)
        call->events.on_end(call->user, &result);
}

static void end_if_over(struct rpc_call *call)
{
    bool over = call->drained || (call->code != GRPC_STATUS_OK && !call->receiving);

    if (call->has_status && !call->ended && over)
        report(call, NULL);
}

static void receive(struct rpc_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->incoming};

    if (call->receiving || call->paused || call->drained || call->freed || call->ended)
        return;
    call->receiving = true;
    start(call, &op, 1, &call->receive_tag);
}

static void break_off(struct rpc_call *call, const char *fault)
{
    call->fault = fault;
    call->drained = true;
    grpc_call_cancel(call->raw, NULL);
}

static void receive_complete(struct rpc_tag *tag, bool ok)
{
    struct rpc_call *call = container_of(tag, struct rpc_call, receive_tag);
    grpc_byte_buffer *buffer = take_ptr(call->incoming);
    ProtobufCMessage *message = NULL;

    call->receiving = false;
    if (!buffer) {
        call->drained = true;
    } else if (!call->freed) {
        message = rpc_message_unpack(call->reply, buffer);
        if (!message)
            break_off(call, "the peer's message cannot be decoded");
        else
            call->events.on_message(call->user, message);
    }
    if (buffer)
        grpc_byte_buffer_destroy(buffer);
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
    receive(call);
    end_if_over(call);
    unref(call);
}

static void status_complete(struct rpc_tag *tag, bool ok)
{
    struct rpc_call *call = container_of(tag, struct rpc_call, status_tag);

    call->has_status = true;
    end_if_over(call);
    unref(call);
}

static void unary_complete(struct rpc_tag *tag, bool ok)
{
    struct rpc_call *call = container_of(tag, struct rpc_call, status_tag);
    ProtobufCMessage *reply = NULL;

    call->has_status = true;
    if (call->code == GRPC_STATUS_OK && call->incoming)
        reply = rpc_message_unpack(call->reply, call->incoming);
    if (call->code == GRPC_STATUS_OK && !reply)
        call->fault = "the peer's reply cannot be decoded";
    report(call, reply);
    if (reply)
        protobuf_c_message_free_unpacked(reply, NULL);
    unref(call);
}

static void begin_complete(struct rpc_tag *tag, bool ok)
{
    unref(container_of(tag, struct rpc_call, begin_tag));
}

static void greet_complete(struct rpc_tag *tag, bool ok)
{
    unref(container_of(tag, struct rpc_call, greet_tag));
}

static void close_complete(struct rpc_tag *tag, bool ok)
{
    unref(container_of(tag, struct rpc_call, close_tag));
}

static void send_close(struct rpc_call *call)
{
    grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};

    call->finished = true;
    start(call, &op, 1, &call->close_tag);
}

static void write_complete(struct rpc_tag *tag, bool ok)
{
    struct rpc_call *call = container_of(tag, struct rpc_call, write_tag);

    call->writing = false;
    grpc_byte_buffer_destroy(take_ptr(call->outgoing));
    if (call->finish_wanted && !call->freed)
        send_close(call);
    else if (ok && !call->freed && !call->ended && call->events.on_writable)
        call->events.on_writable(call->user);
    unref(call);
}

/* ---- making calls ---- */

static void set_metadata(struct rpc_call *call, const char *const *pairs)
{
    size_t count = 0;

    while (pairs && pairs[count])
        count++;
    call->metadata_count = count / 2;
    call->metadata = xnew_array(grpc_metadata, count / 2 + 1);
    for (size_t i = 0; i < call->metadata_count; i++) {
        call->metadata[i].key = grpc_slice_from_copied_string(pairs[2 * i]);
        call->metadata[i].value = grpc_slice_from_copied_string(pairs[2 * i + 1]);
    }
}

static struct rpc_call *call_new(struct rpc_channel *channel, const struct rpc_request *request,
                                 void *user)
{
    struct rpc_call *call = xnew(struct rpc_call);
    grpc_slice method = grpc_slice_from_copied_string(request->method);
    gpr_timespec deadline = gpr_inf_future(GPR_CLOCK_MONOTONIC);

    if (request->deadline_ms > 0)
        deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                gpr_time_from_millis((int64_t) request->deadline_ms, GPR_TIMESPAN));
    call->queue = channel->queue;
    rpc_queue_hold(call->queue);
    call->raw = grpc_channel_create_call(channel->raw, NULL, GRPC_PROPAGATE_DEFAULTS,
                                         rpc_queue_raw(call->queue), method, NULL, deadline, NULL);
    grpc_slice_unref(method);
    call->reply = request->reply;
    call->refs = 1;
    call->user = user;
    call->begin_tag.complete = begin_complete;
    call->greet_tag.complete = greet_complete;
    call->write_tag.complete = write_complete;
    call->close_tag.complete = close_complete;
    call->receive_tag.complete = receive_complete;
    call->status_tag.complete = status_complete;
    grpc_metadata_array_init(&call->initial);
    grpc_metadata_array_init(&call->trailing);
    set_metadata(call, request->metadata);
    if (request->message)
        call->outgoing = rpc_message_pack(request->message);
    return call;
}

static grpc_op begin_op(const struct rpc_call *call)
{
    return (grpc_op){
        .op = GRPC_OP_SEND_INITIAL_METADATA,
        .data.send_initial_metadata = {.count = call->metadata_count, .metadata = call->metadata}};
}

static grpc_op message_op(const struct rpc_call *call)
{
    return (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = call->outgoing};
}

static grpc_op greet_op(struct rpc_call *call)
{
    return (grpc_op){.op = GRPC_OP_RECV_INITIAL_METADATA,
                     .data.recv_initial_metadata.recv_initial_metadata = &call->initial};
}

static grpc_op status_op(struct rpc_call *call)
{
    return (grpc_op){.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                     .data.recv_status_on_client = {.trailing_metadata = &call->trailing,
                                                    .status = &call->code,
                                                    .status_details = &call->details}};
}

int rpc_call_unary(struct rpc_channel *channel, const struct rpc_request *request,
                   rpc_done_fn *done, void *user, struct rpc_call **ret)
{
    struct rpc_call *call;

    if (is_refused(channel))
        return -1;
    call = call_new(channel, request, user);
    grpc_op ops[] = {
        begin_op(call),
        message_op(call),
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        greet_op(call),
        {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->incoming},
        status_op(call),
    };

    call->done = done;
    call->finished = true;
    call->status_tag.complete = unary_complete;
    start(call, ops, ARRAY_LENGTH(ops), &call->status_tag);
    *ret = call;
    return 0;
}

int rpc_call_stream(struct rpc_channel *channel, const struct rpc_request *request,
                    const struct rpc_call_events *events, void *user, struct rpc_call **ret)
{
    struct rpc_call *call;

    if (is_refused(channel))
        return -1;
    call = call_new(channel, request, user);
    grpc_op begin[] = {begin_op(call), message_op(call), {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}};
    grpc_op greet = greet_op(call);
    grpc_op status = status_op(call);

    call->events = *events;
    call->finished = request->message != NULL;
    start(call, begin, request->message ? 3 : 1, &call->begin_tag);
    start(call, &greet, 1, &call->greet_tag);
    start(call, &status, 1, &call->status_tag);
    receive(call);
    *ret = call;
    return 0;
}

bool rpc_call_writable(const struct rpc_call *call)
{
    return !call->writing && !call->finish_wanted && !call->finished && !call->has_status;
}

void rpc_call_write(struct rpc_call *call, const struct ProtobufCMessage *message)
{
    grpc_op op;

    assert(!call->writing && !call->finish_wanted && !call->finished);
    if (call->has_status)
        return;
    call->writing = true;
    call->outgoing = rpc_message_pack(message);
    op = message_op(call);
    start(call, &op, 1, &call->write_tag);
}

void rpc_call_finish(struct rpc_call *call)
{
    if (call->finished || call->finish_wanted)
        return;
    if (call->writing)
        call->finish_wanted = true;
    else
        send_close(call);
}

void rpc_call_pause(struct rpc_call *call)
{
    call->paused = true;
}

void rpc_call_resume(struct rpc_call *call)
{
    call->paused = false;
    receive(call);
}

void rpc_call_free(struct rpc_call *call)
{
    if (!call)
        return;
    assert(!call->freed);
    call->freed = true;
    if (!call->has_status)
        grpc_call_cancel(call->raw, NULL);
    unref(call);
}

/* ---- synchronous programs ---- */

struct blocking {
    bool done;
    enum status status;
    char message[256];
    uint8_t *bytes; /* of the reply */
    size_t length;
};

static void blocking_done(void *user, const struct rpc_result *result)
{
    struct blocking *blocking = user;

    blocking->done = true;
    blocking->status = result->status;
    (void) snprintf(blocking->message, sizeof(blocking->message), "%s", result->message);
    if (result->reply) {
        blocking->length = protobuf_c_message_get_packed_size(result->reply);
        blocking->bytes = xalloc(blocking->length + 1);
        (void) protobuf_c_message_pack(result->reply, blocking->bytes);
    }
}

int rpc_call_blocking(struct loop *loop, struct rpc_channel *channel,
                      const struct rpc_request *request, struct ProtobufCMessage **ret,
                      struct error *err)
{
    scoped(rpc_call_freep) struct rpc_call *call = NULL;
    struct blocking blocking = {0};
    scoped(freep) uint8_t *bytes = NULL;

    if (rpc_call_unary(channel, request, blocking_done, &blocking, &call) < 0)
        return error_set(err, STATUS_INTERNAL, "cannot call %s", request->method);
    while (!blocking.done) {
        if (loop_turn(loop, 1000, err) < 0)
            return -1;
    }
    bytes = blocking.bytes;
    if (blocking.status != STATUS_OK)
        return error_set(err, blocking.status, "%s", blocking.message);
    *ret = protobuf_c_message_unpack(request->reply, NULL, blocking.length, bytes);
    return 0;
}
