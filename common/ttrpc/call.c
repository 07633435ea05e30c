/* SPDX-License-Identifier: Apache-2.0 */
#include "ttrpc/call.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <protobuf-c/protobuf-c.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/loop.h"
#include "ttrpc/connection.h"

/* What one message may take when it is unpacked, and all that wait together. Small fields cost a
 * multiple of their bytes on the wire. */
enum { MESSAGE_MEMORY_MAX = 16 << 20, SERVER_MEMORY_MAX = 64 << 20 };

/* In the call itself while there is room. */
static void *charged_alloc(void *user, size_t size)
{
    struct call *call = user;
    size_t rounded = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);

    if (size > MESSAGE_MEMORY_MAX - call->memory || size > SERVER_MEMORY_MAX - call->server->memory)
        return NULL;
    call->memory += size;
    call->server->memory += size;
    if (rounded > sizeof(call->room) - call->used)
        return malloc(size ? size : 1);
    call->used += rounded;
    return call->room + call->used - rounded;
}

static void charged_free(void *user, void *data)
{
    const struct call *call = user;
    const uint8_t *at = data;

    if (at < call->room || at > call->room + sizeof(call->room))
        free(data);
}

static void list_remove(struct call *call)
{
    struct call_list *list = call->list;

    if (!list)
        return;
    *(call->list_previous ? &call->list_previous->list_next : &list->first) = call->list_next;
    *(call->list_next ? &call->list_next->list_previous : &list->last) = call->list_previous;
    call->list = NULL;
    call->list_next = call->list_previous = NULL;
}

static void leave_connection(struct call *call)
{
    struct connection *connection = call->connection;

    if (!connection)
        return;
    *(call->previous ? &call->previous->next : &connection->calls) = call->next;
    if (call->next)
        call->next->previous = call->previous;
    connection->pending--;
    call->connection = NULL;
}

struct call *call_new(struct connection *connection, uint32_t stream)
{
    struct ttrpc_server *server = connection->server;
    struct call *call = take_ptr(server->spare);

    if (!call)
        call = xnew(struct call);
    call->connection = connection;
    call->server = server;
    call->stream = stream;
    call->next = connection->calls;
    if (call->next)
        call->next->previous = call;
    connection->calls = call;
    connection->pending++;
    call->server_next = server->calls;
    if (call->server_next)
        call->server_next->server_previous = call;
    server->calls = call;
    server->call_count++;
    return call;
}

int call_unpack(struct call *call, const uint8_t *body, size_t length, struct error *err)
{
    ProtobufCAllocator allocator = {charged_alloc, charged_free, call};

    call->request = protobuf_c_message_unpack(call->method->request, &allocator, length, body);
    if (!call->request)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s: the request is not a valid %s",
                         call->method->name, call->method->request->short_name);
    return 0;
}

static void deadline_passed(void *user)
{
    struct call *call = user;
    struct error err;

    error_set(&err, STATUS_DEADLINE_EXCEEDED, "%s: the deadline has passed", call->method->name);
    connection_fail(call->connection, call->stream, &err);
    call_cut(call);
}

int call_arm(struct call *call, int64_t timeout_ns, struct error *err)
{
    if (timeout_ns == 0)
        return 0;

    uint64_t ms = timeout_ns < 0 ? 0 : ((uint64_t) timeout_ns + 999999) / 1000000;

    call->deadline = clock_monotonic_ms() + ms;
    return loop_after(call->server->loop, ms, deadline_passed, call, &call->timer, err);
}

void call_cut(struct call *call)
{
    call_gone_fn *fn = call->on_gone;
    bool parked = call->list;

    leave_connection(call);
    source_freep(&call->timer);
    call->timer = NULL;
    call->on_gone = NULL;
    if (parked)
        call_free(call);
    else if (fn)
        fn(call->on_gone_user, call);
}

void call_handle(struct call *call)
{
    call->in_handler = true;
    call->method->handler(call, call->request);
    call->in_handler = false;
    if (call->ended)
        call_free(call);
}

void call_free(struct call *call)
{
    struct ttrpc_server *server = call->server;

    list_remove(call);
    leave_connection(call);
    source_freep(&call->timer);
    call->timer = NULL;
    if (call->in_handler) {
        call->ended = true;
        return;
    }
    if (call->request) {
        ProtobufCAllocator allocator = {charged_alloc, charged_free, call};

        protobuf_c_message_free_unpacked(call->request, &allocator);
    }
    if (server) {
        *(call->server_previous ? &call->server_previous->server_next
                                : &server->calls) = call->server_next;
        if (call->server_next)
            call->server_next->server_previous = call->server_previous;
        server->call_count--;
        server->memory -= call->memory;
    }
    if (server && !server->spare) {
        memset(call, 0, offsetof(struct call, room));
        server->spare = call;
    } else {
        free(call);
    }
}

void *call_user(const struct call *call)
{
    return call->service->user;
}

const char *call_service(const struct call *call)
{
    return call->service->name;
}

const char *call_method(const struct call *call)
{
    return call->method->name;
}

const char *call_namespace(const struct call *call)
{
    return text_is_identifier(call->ns) ? call->ns : NULL;
}

const void *call_request(const struct call *call)
{
    return call->request;
}

uint64_t call_left_ms(const struct call *call)
{
    uint64_t now = clock_monotonic_ms();

    if (!call->deadline)
        return UINT64_MAX;
    return call->deadline > now ? call->deadline - now : 0;
}

bool call_is_gone(const struct call *call)
{
    return !call->connection;
}

static void reply_with(struct call *call, const struct reply *reply)
{
    if (reply->length > FRAME_BODY_MAX - 64) {
        call_fail(call, STATUS_RESOURCE_EXHAUSTED, "%s: the answer is too large",
                  call->method->name);
        return;
    }
    if (!call_is_gone(call))
        connection_reply(call->connection, call->stream, reply);
    call_free(call);
}

void call_reply(struct call *call, const void *message)
{
    struct reply reply = {.message = message};

    if (message && !call_is_gone(call))
        reply.length = protobuf_c_message_get_packed_size(message);
    reply_with(call, &reply);
}

void call_reply_packed(struct call *call, const uint8_t *packed, size_t length)
{
    reply_with(call, &(struct reply){.packed = packed, .length = length});
}

void call_fail(struct call *call, enum status status, const char *fmt, ...)
{
    struct error err = {.status = status};
    va_list args;

    va_start(args, fmt);
    (void) vsnprintf(err.message, sizeof(err.message), fmt, args);
    va_end(args);
    call_fail_with(call, &err);
}

void call_fail_with(struct call *call, const struct error *err)
{
    struct error copy = *err;

    /* Status 0 is success on the wire; an error that lacks a code must not become one. */
    if (copy.status == STATUS_OK)
        copy.status = STATUS_UNKNOWN;
    text_make_utf8(copy.message); /* cut in the middle of a character, or a peer's bytes */
    if (!call_is_gone(call))
        connection_fail(call->connection, call->stream, &copy);
    call_free(call);
}

void call_on_gone(struct call *call, call_gone_fn *fn, void *user)
{
    call->on_gone = fn;
    call->on_gone_user = user;
    if (fn && call_is_gone(call)) {
        call->on_gone = NULL;
        fn(user, call);
    }
}

void call_park(struct call_list *list, struct call *call)
{
    call->on_gone = NULL;
    if (call_is_gone(call)) {
        call_free(call);
        return;
    }
    call->list = list;
    call->list_previous = list->last;
    *(list->last ? &list->last->list_next : &list->first) = call;
    list->last = call;
}

struct call *call_unpark(struct call_list *list)
{
    struct call *call = list->first;

    if (call)
        list_remove(call);
    return call;
}
