/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A piece of a guest's physical memory. */
#include <stdbool.h>
#include <stdint.h>

enum { MEMORY_PAGE = 4096 };

struct memory_range {
    uint64_t start, size;
};

/* Neither may go past 2^64: whoever reads one from firmware sees to that. */
static inline bool memory_range_overlaps(struct memory_range a, struct memory_range b)
{
    return a.start < b.start + b.size && b.start < a.start + a.size;
}
