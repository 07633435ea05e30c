/* SPDX-License-Identifier: Apache-2.0 */
/* One peer. Each answer is one frame; a peer that does not read its answers is cut off when they
 * exceed a bound, a peer that sends nonsense gets one error per frame and costs no memory. */
#include "ttrpc/connection.h"

#include <protobuf-c/protobuf-c.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/loop.h"
#include "io/stream.h"
#include "ttrpc.pb-c.h"

enum { SERVER_CALLS_MAX = 16384, NAMESPACE_METADATA_MAX = 64 };

/* The Request around a message: its fields point into the frame. Decoded by hand, because a
 * generic decoder would allocate one object per metadata entry, of which a frame can hold a
 * million. */
struct envelope {
    const uint8_t *service, *method, *payload, *ns;
    size_t service_length, method_length, payload_length, ns_length;
    int64_t timeout_ns;
};

static void destroy(struct connection *connection)
{
    struct ttrpc_server *server = connection->server;

    source_freep(&connection->doom);
    stream_free(connection->stream);
    *(connection->previous ? &connection->previous->next : &server->connections) = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    server->connection_count--;
    free(connection);
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

void connection_answer(struct connection *connection, uint32_t stream, const struct error *err,
                       const uint8_t *payload, size_t length)
{
    Ttrpc__Status status = TTRPC__STATUS__INIT;
    Ttrpc__Response response = TTRPC__RESPONSE__INIT;
    struct frame frame = {.stream = stream, .type = FRAME_RESPONSE};
    struct writer writer;
    struct error ignored;

    if (connection->dead)
        return;
    if (err) {
        status.code = (int32_t) err->status;
        status.message = (char *) err->message;
        response.status = &status;
    } else {
        response.payload.data = (uint8_t *) payload;
        response.payload.len = length;
    }
    frame.length = (uint32_t) ttrpc__response__get_packed_size(&response);
    scoped(freep) uint8_t *body = xalloc(frame.length + 1u);
    ttrpc__response__pack(&response, body);

    writer_init(&writer, FRAME_HEADER_SIZE + frame.length);
    frame_write_header(&writer, &frame);
    writer_bytes(&writer, body, frame.length);
    int r = stream_write(connection->stream, writer.data, writer.size, &ignored);
    writer_fini(&writer);
    if (r < 0)
        doom(connection);
}

static void refuse(struct connection *connection, uint32_t stream, enum status status,
                   const char *text)
{
    struct error err;

    error_set(&err, status, "%s", text);
    connection_answer(connection, stream, &err, NULL, 0);
}

/* ---- the envelope ---- */

static uint64_t read_varint(struct reader *reader)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t byte = reader_u8(reader);

        if (shift < 64)
            value |= (uint64_t) (byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    reader->failed = true;
    return 0;
}

static const uint8_t *read_bytes(struct reader *reader, size_t *ret_length)
{
    uint64_t length = read_varint(reader);

    if (length > reader_left(reader)) {
        reader->failed = true;
        length = 0;
    }
    *ret_length = (size_t) length;
    return reader_bytes(reader, (size_t) length);
}

static void skip_field(struct reader *reader, unsigned wire_type)
{
    size_t length;

    switch (wire_type) {
    case 0:
        (void) read_varint(reader);
        break;
    case 1:
        (void) reader_bytes(reader, 8);
        break;
    case 2:
        (void) read_bytes(reader, &length);
        break;
    case 5:
        (void) reader_bytes(reader, 4);
        break;
    default:
        reader->failed = true;
    }
}

static void read_metadata(struct envelope *envelope, const uint8_t *data, size_t length)
{
    static const char wanted[] = "containerd-namespace-ttrpc";
    const uint8_t *key = NULL, *value = NULL;
    size_t key_length = 0, value_length = 0;
    struct reader reader;

    reader_init(&reader, data, length);
    while (reader_left(&reader) > 0 && !reader.failed) {
        uint64_t tag = read_varint(&reader);

        if (tag == (1 << 3 | 2))
            key = read_bytes(&reader, &key_length);
        else if (tag == (2 << 3 | 2))
            value = read_bytes(&reader, &value_length);
        else
            skip_field(&reader, tag & 7);
    }
    if (!reader.failed && key && value && key_length == sizeof(wanted) - 1 &&
        memcmp(key, wanted, key_length) == 0) {
        envelope->ns = value;
        envelope->ns_length = value_length;
    }
}

static bool read_envelope(const struct frame *frame, struct envelope *ret)
{
    struct reader reader;

    reader_init(&reader, frame->body, frame->length);
    while (reader_left(&reader) > 0 && !reader.failed) {
        uint64_t tag = read_varint(&reader);
        const uint8_t *entry;
        size_t length;

        switch (tag) {
        case 1 << 3 | 2:
            ret->service = read_bytes(&reader, &ret->service_length);
            break;
        case 2 << 3 | 2:
            ret->method = read_bytes(&reader, &ret->method_length);
            break;
        case 3 << 3 | 2:
            ret->payload = read_bytes(&reader, &ret->payload_length);
            break;
        case 4 << 3 | 0:
            ret->timeout_ns = (int64_t) read_varint(&reader);
            break;
        case 5 << 3 | 2:
            entry = read_bytes(&reader, &length);
            if (!reader.failed)
                read_metadata(ret, entry, length);
            break;
        default:
            if (tag >> 3 == 0)
                reader.failed = true;
            skip_field(&reader, tag & 7);
        }
    }
    return !reader.failed;
}

/* ---- requests ---- */

static int find_method(struct call *call, const struct envelope *envelope, struct error *err)
{
    char service[128] = "", method[64] = "";

    if (envelope->service_length < sizeof(service) && envelope->method_length < sizeof(method)) {
        if (envelope->service_length)
            memcpy(service, envelope->service, envelope->service_length);
        if (envelope->method_length)
            memcpy(method, envelope->method, envelope->method_length);
    }
    call->service = server_find_service(call->server, service);
    if (!call->service)
        return error_set(err, STATUS_UNIMPLEMENTED, "service '%s' does not exist here", service);
    for (size_t i = 0; i < call->service->count; i++) {
        if (text_equal(call->service->methods[i].name, method)) {
            call->method = &call->service->methods[i];
            return 0;
        }
    }
    return error_set(err, STATUS_UNIMPLEMENTED, "%s has no method '%s'", service, method);
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
    if (envelope->ns_length > 0 && envelope->ns_length <= 76) {
        call->ns = xstrndup((const char *) envelope->ns, envelope->ns_length);
        if (!text_is_identifier(call->ns)) {
            free(call->ns);
            call->ns = NULL;
        }
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
    if (!read_envelope(frame, &envelope))
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
