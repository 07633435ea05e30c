/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Events for containerd, in order, one at a time. Never blocks and never fails its caller: what
 * containerd does not take after some retries is dropped and logged. */
#include <stddef.h>

struct ProtobufCMessage;
struct error;
struct loop;
struct publisher;

enum { PUBLISHER_QUEUE_MAX = 2048, PUBLISHER_ATTEMPTS = 5 };

struct publisher_options {
    const char *ttrpc_address; /* "" or NULL: every event is dropped silently */
    const char *ns;
    unsigned retry_delay_ms; /* 0: 1000, times the number of the attempt */
};

int publisher_new(struct loop *loop, const struct publisher_options *options,
                  struct publisher **ret, struct error *err) __attribute__((warn_unused_result));
void publisher_free(struct publisher *publisher);
static inline void publisher_freep(struct publisher **p)
{
    if (*p)
        publisher_free(*p);
}
/* topic "/tasks/exit"; the type URL is the message's name with "containerd.events." before it. The
 * timestamp is taken now. */
void publisher_send(struct publisher *publisher, const char *topic,
                    const struct ProtobufCMessage *event);
size_t publisher_pending(const struct publisher *publisher);
/* done runs once, on the loop, when the queue is empty or after timeout_ms. For the end of a shim.
 */
void publisher_flush(struct publisher *publisher, unsigned timeout_ms, void (*done)(void *user),
                     void *user);
