/* SPDX-License-Identifier: Apache-2.0 */
/* One peer. Each answer is one frame; a peer that does not read its answers is cut off when they
 * exceed a bound, a peer that sends nonsense gets one error per frame and costs no memory. */
#include "ttrpc/connection.h"

#include <protobuf-c/protobuf-c.h>

#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/loop.h"
#include "io/stream.h"
#include "ttrpc/envelope.h"
#include "ttrpc.pb-c.h"

enum { SERVER_CALLS_MAX = 16384, SMALL_FRAME = 1024 };

static void destroy(struct connection *connection)
{
    struct ttrpc_server *server = connection->server;

    source_freep(&connection->doom);
    stream_free(connection->stream);
    *(connection->previous ? &connection->previous->next : &server->connections) = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    free(connection);
    if (--server->connection_count == 0 && server->deserted)
        server->deserted(server->deserted_user);
}

void connection_free(struct connection *connection)
{
    connection->dead = true;
    while (connection->calls)
        call_cut(connection->calls);
    destroy(connection);
}

static void on_doomed(void *user)
{
    connection_free(user);
}

/* Whoever answers a call may stand anywhere in our own code: the end comes from the loop. */
static void doom(struct connection *connection)
{
    struct error err;

    connection->dead = true;
    stream_pause(connection->stream);
    if (loop_after(connection->server->loop, 0, on_doomed, connection, &connection->doom, &err) < 0)
        log_error("end a connection: %s", err.message);
}

static void send_frame(struct connection *connection, const uint8_t *bytes, size_t size)
{
    struct error ignored;

    if (stream_write(connection->stream, bytes, size, &ignored) < 0)
        doom(connection);
}

/* The payload's tag and length, before its bytes; the length is at most four bytes' worth. */
static uint8_t *put_field(uint8_t *at, uint8_t number, size_t length)
{
    *at++ = (uint8_t) (number << 3 | 2);
    for (; length > 0x7f; length >>= 7)
        *at++ = (uint8_t) (length | 0x80);
    *at++ = (uint8_t) length;
    return at;
}

/* The Response is the message with a few bytes before it, so it is packed where it leaves from; one
 * of the usual size needs no memory. */
void connection_reply(struct connection *connection, uint32_t stream, const struct reply *reply)
{
    struct frame frame = {.stream = stream, .type = FRAME_RESPONSE};
    uint8_t field[1 + 4], *end = reply->length > 0 ? put_field(field, 2, reply->length) : field;
    size_t before = FRAME_HEADER_SIZE + (size_t) (end - field);
    size_t size = before + reply->length;
    uint8_t small[SMALL_FRAME];
    scoped(freep) uint8_t *large = size > sizeof(small) ? xalloc(size) : NULL;
    uint8_t *bytes = large ? large : small;

    if (connection->dead)
        return;
    frame.length = (uint32_t) (size - FRAME_HEADER_SIZE);
    frame_put_header(&frame, bytes);
    memcpy(bytes + FRAME_HEADER_SIZE, field, before - FRAME_HEADER_SIZE);
    if (reply->message)
        (void) protobuf_c_message_pack(reply->message, bytes + before);
    else if (reply->length > 0)
        memcpy(bytes + before, reply->packed, reply->length);
    send_frame(connection, bytes, size);
}

void connection_fail(struct connection *connection, uint32_t stream, const struct error *err)
{
    Ttrpc__Status status = TTRPC__STATUS__INIT;
    Ttrpc__Response response = TTRPC__RESPONSE__INIT;
    struct frame frame = {.stream = stream, .type = FRAME_RESPONSE};

    if (connection->dead)
        return;
    status.code = (int32_t) err->status;
    status.message = (char *) err->message;
    response.status = &status;
    frame.length = (uint32_t) ttrpc__response__get_packed_size(&response);
    scoped(freep) uint8_t *bytes = xalloc((size_t) FRAME_HEADER_SIZE + frame.length);

    frame_put_header(&frame, bytes);
    (void) ttrpc__response__pack(&response, bytes + FRAME_HEADER_SIZE);
    send_frame(connection, bytes, (size_t) FRAME_HEADER_SIZE + frame.length);
}

static void refuse(struct connection *connection, uint32_t stream, enum status status,
                   const char *text)
{
    struct error err;

    error_set(&err, status, "%s", text);
    connection_fail(connection, stream, &err);
}

/* ---- requests ---- */

static int refuse_name(struct error *err, const char *what, const uint8_t *name, size_t length)
{
    return error_set(err, STATUS_UNIMPLEMENTED, "%s '%.*s' does not exist here", what,
                     (int) (length < 128 ? length : 128), name ? (const char *) name : "");
}

static int find_method(struct call *call, const struct envelope *envelope, struct error *err)
{
    call->service = server_find_service(call->server, envelope->service, envelope->service_length);
    if (!call->service)
        return refuse_name(err, "service", envelope->service, envelope->service_length);
    for (size_t i = 0; i < call->service->count; i++) {
        const struct ttrpc_method *method = &call->service->methods[i];

        if (strlen(method->name) == envelope->method_length &&
            memcmp(method->name, envelope->method, envelope->method_length) == 0) {
            call->method = method;
            return 0;
        }
    }
    return refuse_name(err, "method", envelope->method, envelope->method_length);
}

/* From envelope to a call that is ready for its handler. */
static int prepare(struct call *call, const struct envelope *envelope, struct error *err)
{
    static const uint8_t none[1];

    if (find_method(call, envelope, err) < 0)
        return -1;
    if (call_unpack(call, envelope->payload ? envelope->payload : none, envelope->payload_length,
                    err) < 0)
        return -1;
    if (envelope->ns_length > 0 && envelope->ns_length < sizeof(call->ns)) {
        memcpy(call->ns, envelope->ns, envelope->ns_length);
        call->ns[envelope->ns_length] = '\0';
    }
    return call_arm(call, envelope->timeout_ns, err);
}

static void on_request(struct connection *connection, const struct frame *frame)
{
    const struct ttrpc_server *server = connection->server;
    struct envelope envelope = {0};
    struct error err;

    if (frame->flags & FRAME_REMOTE_OPEN)
        return refuse(connection, frame->stream, STATUS_UNIMPLEMENTED, "no streams here");
    if (!envelope_read(frame, &envelope))
        return refuse(connection, frame->stream, STATUS_INVALID_ARGUMENT,
                      "the frame does not hold a valid request");
    if (connection->pending >= server->options.max_pending ||
        server->call_count >= SERVER_CALLS_MAX)
        return refuse(connection, frame->stream, STATUS_RESOURCE_EXHAUSTED,
                      "too many calls wait for an answer");

    struct call *call = call_new(connection, frame->stream);

    if (prepare(call, &envelope, &err) < 0)
        return call_fail_with(call, &err);
    call_handle(call);
}

/* Stream ids are odd and grow; ours to check, the peer may be broken or hostile. */
static bool stream_is_new(struct connection *connection, const struct frame *frame)
{
    if (frame->stream % 2 == 0) {
        refuse(connection, frame->stream, STATUS_INVALID_ARGUMENT,
               "a client's stream id must be odd");
        return false;
    }
    if (frame->stream <= connection->last_stream) {
        refuse(connection, frame->stream, STATUS_INVALID_ARGUMENT,
               "a stream id cannot be used again and must increase");
        return false;
    }
    connection->last_stream = frame->stream;
    return true;
}

static bool has_call(const struct connection *connection, uint32_t stream)
{
    for (const struct call *call = connection->calls; call; call = call->next) {
        if (call->stream == stream)
            return true;
    }
    return false;
}

static void on_frame(struct connection *connection, const struct frame *frame)
{
    switch (frame->type) {
    case FRAME_REQUEST:
        if (stream_is_new(connection, frame))
            on_request(connection, frame);
        break;
    case FRAME_DATA:
        /* Data for a unary call that still runs is ignored: an answer would end that call. */
        if (!has_call(connection, frame->stream))
            refuse(connection, frame->stream, STATUS_INVALID_ARGUMENT, "no such stream");
        break;
    default:
        break;
    }
}

static size_t on_data(void *user, const uint8_t *data, size_t length)
{
    struct connection *connection = user;
    size_t used = 0;

    while (!connection->dead) {
        struct frame frame;
        size_t n;
        enum frame_result result = frame_decode(&connection->decoder, data + used, length - used,
                                                &frame, &n);

        used += n;
        if (result == FRAME_MORE)
            break;
        if (result == FRAME_COMPLETE)
            on_frame(connection, &frame);
        else if (frame.type == FRAME_REQUEST && stream_is_new(connection, &frame))
            refuse(connection, frame.stream, STATUS_RESOURCE_EXHAUSTED, "the frame is too large");
    }
    return used;
}

static void on_end(void *user, const struct error *err)
{
    connection_free(user);
}

int connection_new(struct ttrpc_server *server, int fd, struct error *err)
{
    static const struct stream_events events = {.on_data = on_data, .on_end = on_end};
    const struct stream_limits limits = {.input = FRAME_HEADER_SIZE + FRAME_BODY_MAX,
                                         .output = server->options.max_output};
    struct connection *connection = xnew(struct connection);

    connection->server = server;
    if (stream_new(server->loop, fd, &events, connection, &limits, &connection->stream, err) < 0) {
        free(connection);
        return -1;
    }
    connection->next = server->connections;
    if (connection->next)
        connection->next->previous = connection;
    server->connections = connection;
    server->connection_count++;
    return 0;
}
