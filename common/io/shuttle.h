/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Carries messages between an end of this machine (a FUSE device, a server's socket) and one
 * connection. What is on the way outlives the connection in a replay, and goes on with the next
 * shuttle.
 *
 * It has no thread: who has the connection (secure/channel.h) drives it by one of his, from where
 * he took it to where he has ended. So a message is enciphered where it was read, and wakes
 * nobody in between. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"

struct error;
struct loop;
struct replay;
struct shuttle;

enum shuttle_result {
    SHUTTLE_DONE,
    SHUTTLE_LATER,  /* it does not go now */
    SHUTTLE_ENDED,  /* the end is over, in order */
    SHUTTLE_FAILED, /* with err */
};

/* The two kinds of end. Called by the carrier only, and never before a former shuttle has ended. */
struct shuttle_end {
    /* One message into REPLAY_MESSAGE_MAX bytes; *filled of them are there already, and it says how
     * many are there then. */
    enum shuttle_result (*read)(void *user, uint8_t *data, size_t *filled, struct error *err);
    /* One message; *written of it went before, and it says how much has then. */
    enum shuttle_result (*write)(void *user, const uint8_t *data, size_t length, size_t *written,
                                 struct error *err);
};

/* What belongs to the end and not to a connection. */
struct shuttle_state {
    const struct shuttle_end *end;
    void *user;
    int fd; /* polled for it; does not block. Borrowed */
    struct replay *replay;
    size_t filled, written;
};

enum shuttle_outcome {
    SHUTTLE_LOST,       /* the last word did not go out in time: another connection may say it */
    SHUTTLE_PEER_ENDED, /* the other end is over */
    SHUTTLE_PEER_BROKE, /* it broke the rules */
    SHUTTLE_OWN_ENDED,  /* the end of this machine is over, and the other one was told */
};
/* Once, on the loop, if it was not the connection that ended. err: why, or NULL. After anything but
 * LOST there is nothing to go on with. */
typedef void shuttle_over_fn(void *user, enum shuttle_outcome outcome, const struct error *err);

struct shuttle_options {
    struct loop *loop;
    struct shuttle_state *state; /* borrowed */
    shuttle_over_fn *over;
    void *user;
};
int shuttle_new(const struct shuttle_options *options, struct shuttle **ret,
                struct error *err) must_check;
/* Nobody carries it any more. No event comes after this. */
void shuttle_free(struct shuttle *shuttle);
SCOPED_PTR(struct shuttle, shuttle_free)
/* For who hears that the connection has ended: if the shuttle was over before that, it is said
 * now. */
bool shuttle_tell(struct shuttle *shuttle);

/* ---- who carries it -------------------------------------------------------------------------- */

enum shuttle_output {
    SHUTTLE_BYTES,
    SHUTTLE_NOTHING,  /* now */
    SHUTTLE_FINISHED, /* nothing follows: the connection ends behind what was sent */
    SHUTTLE_OVER,     /* the connection is not wanted any more */
};
/* What goes to the peer next, the same until all of it was sent. Reads this machine's end for it.
 */
enum shuttle_output shuttle_output(struct shuttle *shuttle, const uint8_t **ret,
                                   size_t *ret_length);
void shuttle_sent(struct shuttle *shuttle, size_t length);
/* Where to put what comes from the peer. Then how much did; -1: over. */
uint8_t *shuttle_space(struct shuttle *shuttle, size_t *ret_length);
int shuttle_received(struct shuttle *shuttle, size_t length);
/* What this machine's end is waited for (LOOP_READ, LOOP_WRITE), and for how long; 0: for ever. */
int shuttle_fd(const struct shuttle *shuttle);
uint32_t shuttle_events(const struct shuttle *shuttle);
uint64_t shuttle_patience_ms(const struct shuttle *shuttle);
void shuttle_rest(struct shuttle *shuttle); /* nothing has happened for so long */

/* The end that is a stream socket, on which each message begins with its length: u32 in the order
 * of this machine. user: a pointer to the descriptor. */
extern const struct shuttle_end shuttle_socket;
