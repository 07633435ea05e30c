/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A ttrpc server on a unix socket. Peers must run under our own uid and gid. Unary calls only: any
 * number at once on a connection, answered in any order. Everything a peer can make us hold is
 * bounded. */
#include <stddef.h>
#include <stdint.h>
#include "ttrpc/call.h"

struct ProtobufCMessageDescriptor;
struct loop;
struct ttrpc_server;

/* call_request(call) as a parameter, good until the handler returns even if it answers before. A
 * service's file casts it to its type in its first line. */
typedef void ttrpc_handler_fn(struct call *call, const void *request);

struct ttrpc_method {
    const char *name;
    const struct ProtobufCMessageDescriptor *request;
    const struct ProtobufCMessageDescriptor *reply;
    ttrpc_handler_fn *handler;
};

/* TTRPC_METHOD("Create", task__create_task_request, task__create_task_response, create_rpc) */
#define TTRPC_METHOD(name, request, reply, handler)                                                \
    {                                                                                              \
        name, &request##__descriptor, &reply##__descriptor, handler                                \
    }

struct ttrpc_server_options {
    unsigned max_connections; /* 0: 512; one more is closed at once */
    unsigned max_pending;     /* calls of one connection; 0: 4096; RESOURCE_EXHAUSTED beyond */
    size_t max_output;        /* answers not read by a peer, bytes; 0: 16 MiB; then it is cut off */
};

/* Is anybody connected? */
bool ttrpc_server_is_used(const struct ttrpc_server *server);
/* Whenever the last connection has ended; on the loop. The server may not be freed by it. */
void ttrpc_server_on_deserted(struct ttrpc_server *server, void (*deserted)(void *user),
                              void *user);
/* Takes listen_fd, also on failure. options may be NULL. */
int ttrpc_server_new(struct loop *loop, int listen_fd, const struct ttrpc_server_options *options,
                     struct ttrpc_server **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Connections end, calls that are not answered become gone. Not from inside a handler. */
void ttrpc_server_free(struct ttrpc_server *server);
static inline void ttrpc_server_freep(struct ttrpc_server **p)
{
    if (*p)
        ttrpc_server_free(*p);
}
/* The table is borrowed for life. The same table may stand under several service names. */
void ttrpc_server_register(struct ttrpc_server *server, const char *service,
                           const struct ttrpc_method *methods, size_t count, void *user);
/* For Shutdown: stops accepting; done runs (once, on the loop, never from inside this call) when
 * every answer given so far has left, after 1 s at the latest. Answer the call first. */
void ttrpc_server_drain(struct ttrpc_server *server, void (*done)(void *user), void *user);
