/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The answering side: one server per connection, so that whatever is known of the peer travels as
 * the server's context and no call can be taken for another's. Nothing listens. */
#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;
struct rpc;
struct rpc_queue;
struct rpc_server;

enum rpc_kind { RPC_UNARY, RPC_SERVER_STREAM, RPC_CLIENT_STREAM, RPC_BIDI };

struct rpc_method {
    const char *name; /* "/agent.Control/Create" */
    enum rpc_kind kind;
    const struct ProtobufCMessageDescriptor *request;
    /* Owns rpc until exactly one rpc_reply, rpc_end or rpc_fail. request lives during the handler
     * only; it is NULL where requests are a stream: then the handler calls rpc_listen(). */
    void (*handler)(struct rpc *rpc, const struct ProtobufCMessage *request);
};

struct rpc_server_options {
    /* The table, or the refusal. Asked when a call arrives and again right before its handler. */
    const struct rpc_method *(*admit)(void *context, const char *name, struct error *err);
    void *context;
    /* Runs once when the peer has closed the connection; may be NULL. */
    void (*on_end)(void *context);
};

/* Takes fd, also on failure. The first call can be served at once. */
int rpc_server_new(struct rpc_queue *queue, int fd, const struct rpc_server_options *options,
                   struct rpc_server **ret, struct error *err) __attribute__((warn_unused_result));
/* Calls in flight are cancelled (their on_cancel runs in here); a reply that comes later is
 * dropped. rpc_context() of such a call is NULL. */
void rpc_server_free(struct rpc_server *server);
static inline void rpc_server_freep(struct rpc_server **p)
{
    if (*p)
        rpc_server_free(*p);
}

/* struct rpc: one call that came in. */
void *rpc_context(const struct rpc *rpc);
const char *rpc_method_name(const struct rpc *rpc);
/* Each of these ends the ownership. */
void rpc_reply(struct rpc *rpc, const struct ProtobufCMessage *reply); /* unary, client stream */
void rpc_end(struct rpc *rpc);                                         /* streams of replies: OK */
void rpc_fail(struct rpc *rpc, enum status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void rpc_fail_with(struct rpc *rpc, const struct error *err);

/* A call may be parked. fn runs at most once, when the caller has given up or is gone; the handler
 * still owes its one (now unheard) answer, and may give it inside fn. */
void rpc_on_cancel(struct rpc *rpc, void (*fn)(void *user), void *user);

struct rpc_events {
    void (*on_message)(void *user, const struct ProtobufCMessage *message);
    void (*on_finish)(void *user);   /* the caller sends no more; not after a cancel */
    void (*on_writable)(void *user); /* may be NULL */
};
/* In the handler of a stream. */
void rpc_listen(struct rpc *rpc, const struct rpc_events *events, void *user);
/* Receiving pauses after the message in hand, until resumed. */
void rpc_pause(struct rpc *rpc);
void rpc_resume(struct rpc *rpc);
/* Streams of replies: one write in flight. Packed at once; a write while not writable is a bug. */
bool rpc_writable(const struct rpc *rpc);
void rpc_write(struct rpc *rpc, const struct ProtobufCMessage *message);
