/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Carries packets between TAP devices and one stream, by a thread of its own. The devices outlive
 * it: what is written to them while there is no relay waits in their queues, and what does not fit
 * there is lost as on any wire. */
#include <stdint.h>

#include "io/frames.h"

struct error;
struct frames_relay;
struct loop;

enum { FRAMES_PENDING_MAX = 256 * 1024 }; /* not sent yet: then no device is read */

/* Silent: what comes is dropped, and what the devices have waits in their queues. Packets that have
 * left a device before that go their way. */
enum frames_mode { FRAMES_FLOW, FRAMES_SILENT };

struct frames_relay_options {
    int stream;              /* the plaintext end of a channel; taken, also on failure */
    int taps[FRAMES_QUEUES]; /* borrowed; they do not block. -1: nothing comes, all is dropped */
    unsigned offloads;       /* of the network's; the loopback wire has none */
    enum frames_mode mode;
};

/* Once, on the loop: the stream ended (err NULL), or its peer broke the rules. */
typedef void frames_ended_fn(void *user, const struct error *err);

int frames_relay_new(struct loop *loop, const struct frames_relay_options *options,
                     frames_ended_fn *ended, void *user, struct frames_relay **ret,
                     struct error *err) __attribute__((warn_unused_result));
/* The thread has ended when this returns, and the stream is closed; no event comes after this. */
void frames_relay_free(struct frames_relay *relay);
/* In force when it returns: no packet of the other mode is under way in here. */
void frames_relay_set_mode(struct frames_relay *relay, enum frames_mode mode);
static inline void frames_relay_freep(struct frames_relay **p)
{
    if (*p)
        frames_relay_free(*p);
}

struct frames_counts {
    uint64_t in, out; /* packets from and to the stream */
    uint64_t refused; /* of those that came: their header was not agreed, or it was silent */
};
struct frames_counts frames_relay_counts(const struct frames_relay *relay);
