/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Carries messages between an end of this machine (a FUSE device, a server's socket) and one
 * connection, by a thread of its own. What is on the way outlives the connection in a replay, and
 * goes on with the next shuttle. */
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

/* The two kinds of end. Called by the thread only, and never before a former shuttle has ended. */
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
    SHUTTLE_LOST,       /* the connection ended: another may go on */
    SHUTTLE_PEER_ENDED, /* the other end is over */
    SHUTTLE_PEER_BROKE, /* it broke the rules */
    SHUTTLE_OWN_ENDED,  /* the end of this machine is over, and the other one was told */
};
/* Once, on the loop; may free it. err: why, or NULL. After anything but LOST there is nothing to go
 * on with. */
typedef void shuttle_over_fn(void *user, enum shuttle_outcome outcome, const struct error *err);

/* state is borrowed, the stream (the plaintext end of a channel) taken, also on failure. */
struct shuttle_options {
    struct loop *loop;
    struct shuttle_state *state;
    int stream;
    shuttle_over_fn *over;
    void *user;
};
int shuttle_new(const struct shuttle_options *options, struct shuttle **ret,
                struct error *err) must_check;
/* The thread has ended when this returns, and the stream is closed; no event comes after this. */
void shuttle_free(struct shuttle *shuttle);
SCOPED_PTR(struct shuttle, shuttle_free)

/* The end that is a stream socket, on which each message begins with its length: u32 in the order
 * of this machine. user: a pointer to the descriptor. */
extern const struct shuttle_end shuttle_socket;
