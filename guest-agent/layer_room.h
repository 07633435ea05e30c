/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Layers live in memory or, if there is one, on the scratch disk: how much of it they may take.
 * Used from the loop and from the worker. */
#include <stdint.h>

struct error;

struct layer_room {
    const char *disk; /* a directory on it, borrowed; NULL: memory */
    uint64_t limit;   /* bytes in all; 0: none but what there is */
    uint64_t reserve; /* bytes that stay free */
    uint64_t used;    /* atomic */
    uint64_t checked; /* atomic: `used` when memory was last looked at */
};

uint64_t layer_room_left(const struct layer_room *room);
/* Of memory, wherever the layers are. */
uint64_t layer_room_memory(const struct layer_room *room);
/* RESOURCE_EXHAUSTED "needs N MiB, has M MiB" if so much does not fit now. Takes nothing. */
int layer_room_check(const struct layer_room *room, uint64_t bytes, struct error *err)
    __attribute__((warn_unused_result));
/* Cheap: looks at the machine's memory only every few MiB. */
int layer_room_take(struct layer_room *room, uint64_t bytes, struct error *err)
    __attribute__((warn_unused_result));
/* The same for the next piece of something of which `taken` bytes are there: "needs more than N
 * MiB, has M MiB", of the whole as far as it is known. */
int layer_room_grow(struct layer_room *room, uint64_t taken, uint64_t bytes, struct error *err)
    __attribute__((warn_unused_result));
void layer_room_give(struct layer_room *room, uint64_t bytes);
