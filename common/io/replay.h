/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Messages over a connection that comes and goes: each arrives once and in order, because its
 * sender keeps it until the other end has said that it was handed on. This is one end, without a
 * descriptor or a thread; io/shuttle.h moves the bytes. docs/channel.md has the format.
 *
 * The peer is believed nothing: a length is checked before anything is kept, more than the window
 * is not taken, and whoever acknowledges what was not sent, takes back what he acknowledged or
 * jumps a number has broken the rules. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "io/replay_ring.h"

struct error;
struct replay;

enum replay_type {
    REPLAY_RESUME = 1, /* first on each connection */
    REPLAY_MESSAGE = 2,
    REPLAY_ACK = 3,
    REPLAY_END = 4, /* nothing follows, now or on a later connection */
};

/* u8 type, u24 length of the body, u64 number, u64 taken; big-endian. */
struct replay_head {
    enum replay_type type;
    size_t length;
    uint64_t number; /* RESUME: the message that is expected next; MESSAGE: of this one; else 0 */
    uint64_t taken;  /* how many messages of the other end were handed on */
};
void replay_head_put(uint8_t bytes[REPLAY_HEAD], const struct replay_head *head);
/* Of any length; types and lengths that do not exist are refused. */
int replay_head_parse(const uint8_t bytes[REPLAY_HEAD], struct replay_head *ret,
                      struct error *err) must_check;

struct replay *replay_new(void);
void replay_free(struct replay *replay);
SCOPED_PTR(struct replay, replay_free)

/* ---- what is to go to the other end ---------------------------------------------------------- */

/* Where the next message may be put, REPLAY_MESSAGE_MAX bytes, the same until it is added or left.
 * NULL: not now, for the other end has to take some first. */
uint8_t *replay_room(struct replay *replay);
bool replay_may_add(const struct replay *replay); /* there is room */
void replay_leave(struct replay *replay);
int replay_add(struct replay *replay, size_t length, struct error *err) must_check;
/* This end is over: what was not sent never will be, and END is said on this connection or, if it
 * breaks, on the next one. */
void replay_end(struct replay *replay);
bool replay_has_ended(const struct replay *replay);

/* ---- what has come from it ------------------------------------------------------------------- */

/* The oldest that was not handed on; NULL: none. */
const uint8_t *replay_first(const struct replay *replay, size_t *ret_length);
void replay_taken(struct replay *replay);
bool replay_peer_has_ended(const struct replay *replay); /* END came */

/* ---- the connection -------------------------------------------------------------------------- */

/* A new one: what was on the way on the one before is gone. */
void replay_begin(struct replay *replay);
/* What to send now; 0 bytes: nothing. Then how much of it went. */
const uint8_t *replay_output(struct replay *replay, size_t *ret_length);
void replay_sent(struct replay *replay, size_t length);
/* Where to receive, at least one byte. Then how much came: an error if the rules were broken, and
 * nothing more is to be received. */
uint8_t *replay_space(struct replay *replay, size_t *ret_length);
int replay_received(struct replay *replay, size_t length, struct error *err) must_check;

/* There is something to do when nothing has happened for a while, which this does: acknowledge,
 * give memory back. */
bool replay_is_restless(const struct replay *replay);
void replay_rest(struct replay *replay);
