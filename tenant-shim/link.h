/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The way to the agent: keeps a control and a bulk connection to one boot of one guest, dials again
 * with growing pauses when they are lost, replaces them when they are due. A call that was cut off
 * is sent again, byte for byte (with its idempotency key), on the next connection, until its
 * deadline. */
#include <stdbool.h>
#include <stdint.h>
#include "grpc/client.h"
#include "secure/channel.h"

struct error;
struct link;
struct link_call;
struct loop;
struct rpc_queue;

struct link_options {
    struct loop *loop;
    struct rpc_queue *queue;
    struct endpoint endpoint;
    const struct key *key;           /* borrowed; outlives the link */
    const struct initdata *initdata; /* borrowed, likewise */
    struct evidence_policy policy;   /* likewise */
    channel_policy_fn *refresh;      /* of it, before each appraisal; may be NULL */
    void *refresh_user;
    uint64_t dial_timeout_ms;    /* of one attempt */
    uint64_t request_timeout_ms; /* of a call that names none */
    uint64_t lost_timeout_ms;    /* without a connection until the link has ended */
};

struct link_events {
    /* At each connection; -1: not this one. */
    int (*appraised)(void *user, const struct channel_facts *facts, struct error *err);
    /* Before each call to the guest; false: the right to speak to it is lost, and the link ends. */
    bool (*may_call)(void *user);
    void (*opened)(void *user); /* calls go out */
    void (*lost)(void *user, const struct error *err);
    /* No more attempts: refused at the first appraisal, or lost for too long. */
    void (*ended)(void *user, const struct error *err);
};

/* Dials at once. The callbacks never come from inside a call of this header. */
int link_new(const struct link_options *options, const struct link_events *events, void *user,
             struct link **ret, struct error *err) __attribute__((warn_unused_result));
/* Calls end without their callback; listeners have left before. */
void link_free(struct link *link);
static inline void link_freep(struct link **p)
{
    if (*p)
        link_free(*p);
}
bool link_is_open(const struct link *link);
bool link_has_ended(const struct link *link);  /* for good */
const char *link_why(const struct link *link); /* the last failure, for messages */
/* The control connection in use; NULL: none. */
struct channel *link_control(const struct link *link);
/* Gives up the connection in use; another is dialled and appraised. */
void link_drop(struct link *link, const struct error *why);
/* Stops dialling and fails every call; what is connected stays until link_free(). */
void link_end(struct link *link);

enum link_lane { LINK_CONTROL, LINK_BULK };

struct link_request {
    enum link_lane lane;
    const char *method;
    const struct ProtobufCMessage *message; /* copied */
    const struct ProtobufCMessageDescriptor *reply;
    uint64_t deadline_ms; /* from now, over all attempts; 0: request_timeout_ms */
};

/* done runs once, never from inside; the call is gone afterwards. user is taken: free()d with the
 * call, after done or by link_cancel(). */
struct link_call *link_call(struct link *link, const struct link_request *request,
                            rpc_done_fn *done, void *user);
void link_cancel(struct link_call *call);
/* On the wire once, so the guest may have acted; false: it still waits for a first connection. */
bool link_call_was_sent(const struct link_call *call);

/* For those who keep streams: told of every change. With NULL they must free their calls before
 * they return; with channels they start anew (freeing calls on older ones). */
struct link_listener {
    struct link_listener *next;
    void (*changed)(struct link_listener *listener, struct rpc_channel *control,
                    struct rpc_channel *bulk);
};
/* Told at once if the link is open. */
void link_listen(struct link *link, struct link_listener *listener);
void link_leave(struct link *link, struct link_listener *listener);
