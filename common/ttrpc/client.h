/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A ttrpc client on one connection. Reconnecting is the caller's business. */
#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;
struct loop;
struct ttrpc_client;
struct ttrpc_request;

/* A unix socket's path ("unix://" before it is tolerated). The connection is made at once; on_end
 * (may be NULL) runs once when it is lost, after every pending request has failed with UNAVAILABLE;
 * the client can be freed there. */
int ttrpc_client_connect(struct loop *loop, const char *path, void (*on_end)(void *user),
                         void *user, struct ttrpc_client **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Pending requests end without their callback. */
void ttrpc_client_free(struct ttrpc_client *client);
static inline void ttrpc_client_freep(struct ttrpc_client **p)
{
    if (*p)
        ttrpc_client_free(*p);
}
bool ttrpc_client_is_connected(const struct ttrpc_client *client);

struct ttrpc_call_options {
    const char *service;
    const char *method;
    const struct ProtobufCMessage *message; /* packed at once */
    const struct ProtobufCMessageDescriptor *reply;
    const char *containerd_namespace; /* goes into the metadata; NULL: none */
    uint64_t deadline_ms;             /* from now; 0: none */
};

/* err NULL: reply is the message, else reply is NULL. Both live during the callback. Runs once,
 * never from inside ttrpc_client_call(). */
typedef void ttrpc_done_fn(void *user, const void *reply, const struct error *err);

/* Fails at once if the message is too large or the connection is lost; then done does not run. */
int ttrpc_client_call(struct ttrpc_client *client, const struct ttrpc_call_options *options,
                      ttrpc_done_fn *done, void *user, struct error *err)
    __attribute__((warn_unused_result));
