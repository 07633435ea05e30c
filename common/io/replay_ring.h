/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Records in the order in which they came, each in one piece, in memory that is taken from the
 * system when it is used and given back when it is not. Any number of records for as long as no
 * more than REPLAY_WINDOW bytes are held; then one more. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REPLAY_MESSAGE_MIN = 16,                 /* a reply of FUSE without a body */
    REPLAY_MESSAGE_MAX = 1024 * 1024 + 4096, /* a write with all that may come with it */
    REPLAY_HEAD = 20,
    REPLAY_RECORD_MAX = (REPLAY_HEAD + REPLAY_MESSAGE_MAX + 7) & ~7,
    REPLAY_WINDOW = 4 * 1024 * 1024,
};

struct replay_ring {
    uint8_t *data;
    size_t start, end; /* the oldest record, and where the next one goes */
    size_t wrap;       /* where the upper part ends, if there is a lower one before start */
    size_t held;       /* bytes of records */
    size_t touched;    /* the highest that was used */
    bool is_reserved;  /* somebody fills the room at end */
};

/* A mapping that cannot be had ends the process, as any other allocation here. */
void replay_ring_init(struct replay_ring *ring);
void replay_ring_fini(struct replay_ring *ring);
bool replay_ring_is_full(const struct replay_ring *ring); /* before the last that is allowed */
/* REPLAY_RECORD_MAX bytes, the same until something is put there or it is left. Not in a full one.
 */
uint8_t *replay_ring_room(struct replay_ring *ring);
void replay_ring_leave(struct replay_ring *ring);
/* The room holds a record of that size. */
void replay_ring_put(struct replay_ring *ring, size_t size);
/* The first record, and the one behind a record of that size; NULL: there is none. */
uint8_t *replay_ring_first(const struct replay_ring *ring);
uint8_t *replay_ring_next(const struct replay_ring *ring, const uint8_t *record, size_t size);
/* The first record goes. */
void replay_ring_drop(struct replay_ring *ring, size_t size);
/* Gives memory back, as much as is worth it; for when nothing happens. */
void replay_ring_rest(struct replay_ring *ring);
bool replay_ring_is_bloated(const struct replay_ring *ring); /* rest would give some back */
