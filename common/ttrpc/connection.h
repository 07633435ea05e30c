/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Private to common/ttrpc: the objects behind server.h and call.h.
 *
 * A call belongs to its handler; a connection only knows its calls. When the connection ends, or a
 * deadline passes, the call is cut off ("gone") and lives on until the handler answers. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ttrpc/call.h"
#include "ttrpc/frame.h"
#include "ttrpc/server.h"

struct connection;
struct source;
struct stream;
struct ProtobufCMessage;

enum { NAMESPACE_ROOM = 77, CALL_ROOM = 448 };

struct service {
    struct service *next;
    const char *name;
    const struct ttrpc_method *methods;
    size_t count;
    void *user;
};

struct ttrpc_server {
    struct loop *loop;
    int listen_fd;
    struct source *listener;
    struct source *accept_timer; /* after a failed accept */
    struct service *services;
    struct connection *connections;
    unsigned connection_count;
    void (*deserted)(void *user);
    void *deserted_user;
    struct call *calls;  /* every call that is not answered, gone or not */
    unsigned call_count; /* of them */
    struct call *spare;  /* an ended one, for the next: most calls need no other memory */
    size_t memory;       /* of the requests of all calls that are not answered */
    struct ttrpc_server_options options;
    struct source *drain_timer;
    unsigned drain_turns;
    void (*drained)(void *user);
    void *drained_user;
};

struct connection {
    struct connection *next, *previous;
    struct ttrpc_server *server;
    struct stream *stream;
    struct frame_decoder decoder;
    uint32_t last_stream;
    struct call *calls;
    unsigned pending;
    bool dead; /* nothing more is read or written */
    struct source *doom;
};

struct call {
    struct call *server_next, *server_previous;
    struct call *next, *previous;  /* of the connection */
    struct connection *connection; /* NULL: gone */
    struct ttrpc_server *server;   /* NULL: the server itself is gone */
    uint32_t stream;
    const struct service *service;
    const struct ttrpc_method *method;
    void *request;           /* unpacked */
    bool in_handler, ended;  /* ended in its handler: freed when that returns */
    size_t memory;           /* that unpacking took */
    char ns[NAMESPACE_ROOM]; /* as it came; "": none */
    uint64_t deadline;       /* in clock_monotonic_ms; 0: none */
    struct source *timer;
    call_gone_fn *on_gone;
    void *on_gone_user;
    struct call_list *list; /* where it is parked */
    struct call *list_next, *list_previous;
    /* The last member, which a new call does not find zeroed: most requests are unpacked here. */
    size_t used;
    _Alignas(max_align_t) uint8_t room[CALL_ROOM];
};

/* server.c */
const struct service *server_find_service(const struct ttrpc_server *server, const uint8_t *name,
                                          size_t length);

/* connection.c */
int connection_new(struct ttrpc_server *server, int fd, struct error *err);
void connection_free(struct connection *connection);
struct reply {
    const struct ProtobufCMessage *message; /* NULL: it is packed already */
    const uint8_t *packed;
    size_t length; /* of the packed message; 0: an empty one */
};

/* Sends one Response. Frees nothing: a peer that does not take its answers is cut off from the
 * loop. */
void connection_reply(struct connection *connection, uint32_t stream, const struct reply *reply);
void connection_fail(struct connection *connection, uint32_t stream, const struct error *err);

/* call.c */
struct call *call_new(struct connection *connection, uint32_t stream);
/* Unpacks body into the call's request, charging the memory. */
int call_unpack(struct call *call, const uint8_t *body, size_t length, struct error *err);
/* The connection or the deadline has ended: forget it there, tell the handler. */
void call_cut(struct call *call);
int call_arm(struct call *call, int64_t timeout_ns, struct error *err);
/* Runs the handler; a call that it answers is freed when it returns. */
void call_handle(struct call *call);
void call_free(struct call *call);
