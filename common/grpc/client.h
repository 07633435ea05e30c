/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The calling side. A call of any kind is a struct rpc_call: the caller frees it, any time (also in
 * its own callbacks); freeing one that has not ended cancels it and no callback follows. */
#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;
struct rpc_call;
struct rpc_channel;
struct rpc_queue;

enum { RPC_MESSAGE_MAX = 2 * 1024 * 1024 }; /* received; a larger one ends the call */

typedef void rpc_end_fn(void *user);

/* A connection that exists already. Takes fd (made non-blocking), also on failure. on_end (may be
 * NULL) runs once when the peer has closed it; calls in flight end with UNAVAILABLE, possibly
 * after that. There is no reconnect. */
int rpc_channel_from_fd(struct rpc_queue *queue, int fd, rpc_end_fn *on_end, void *user,
                        struct rpc_channel **ret) __attribute__((warn_unused_result));
/* A service on a unix socket (containerd, CRI), authority "localhost"; connects when it is first
 * called and again when it was lost. message_max 0: RPC_MESSAGE_MAX. */
int rpc_channel_to_unix(struct rpc_queue *queue, const char *path, uint32_t message_max,
                        struct rpc_channel **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Its calls have been freed before. */
void rpc_channel_free(struct rpc_channel *channel);
static inline void rpc_channel_freep(struct rpc_channel **p)
{
    if (*p)
        rpc_channel_free(*p);
}

/* Asked before each call that would go out on this channel; false: it does not, and whoever makes
 * it hears -1. */
typedef bool rpc_guard_fn(void *user);
void rpc_channel_guard(struct rpc_channel *channel, rpc_guard_fn *guard, void *user);

struct rpc_request {
    const char *method;                     /* "/agent.Control/Create" */
    const struct ProtobufCMessage *message; /* packed at once; NULL for a stream of requests */
    const struct ProtobufCMessageDescriptor *reply;
    uint64_t deadline_ms;        /* from now; 0: none */
    const char *const *metadata; /* key, value, key, value, ..., NULL; or NULL */
};

struct rpc_result {
    enum status status;
    const char *message;                  /* the peer's sentence, "" if none */
    const struct ProtobufCMessage *reply; /* of rpc_call_unary with STATUS_OK, else NULL */
};

/* result and reply live during the callback only. Runs once. */
typedef void rpc_done_fn(void *user, const struct rpc_result *result);

/* One request, one reply. The call is freed by the caller after (or in) done, or to cancel. */
int rpc_call_unary(struct rpc_channel *channel, const struct rpc_request *request,
                   rpc_done_fn *done, void *user, struct rpc_call **ret)
    __attribute__((warn_unused_result));

struct rpc_call_events {
    void (*on_message)(void *user, const struct ProtobufCMessage *message);
    void (*on_writable)(void *user); /* the write was taken: another may go; may be NULL */
    rpc_done_fn *on_end;             /* once, after the last message */
};

/* A stream of any kind. With request->message the request is that one message and the sending side
 * is closed (server streaming); without, write and finish (client streaming, bidirectional). */
int rpc_call_stream(struct rpc_channel *channel, const struct rpc_request *request,
                    const struct rpc_call_events *events, void *user, struct rpc_call **ret)
    __attribute__((warn_unused_result));
/* True if nothing is in flight: one write at a time is the back-pressure. */
bool rpc_call_writable(const struct rpc_call *call);
/* Packs at once. A write that is not allowed now is a bug. After the stream has broken, it is
 * dropped: on_end tells. */
void rpc_call_write(struct rpc_call *call, const struct ProtobufCMessage *message);
/* No more writes follow (what is in flight goes out first). */
void rpc_call_finish(struct rpc_call *call);
/* Receiving pauses after the message in hand, until resumed. */
void rpc_call_pause(struct rpc_call *call);
void rpc_call_resume(struct rpc_call *call);
void rpc_call_free(struct rpc_call *call);
static inline void rpc_call_freep(struct rpc_call **p)
{
    if (*p)
        rpc_call_free(*p);
}

/* For synchronous programs: turns the loop until the reply is there. The caller frees it with
 * protobuf_c_message_free_unpacked(). */
struct loop;
int rpc_call_blocking(struct loop *loop, struct rpc_channel *channel,
                      const struct rpc_request *request, struct ProtobufCMessage **ret,
                      struct error *err) __attribute__((warn_unused_result));
