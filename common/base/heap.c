/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#include <malloc.h>

/* A frame of a container's output is at most 64 KiB and must not cost a mapping each; its ring of
 * 256 KiB is one, and goes when it is freed. */
enum { LARGE = 96 * 1024, SPARE = 96 * 1024, PAD = 8 * 1024 };

void heap_stay_small(void)
{
    (void) mallopt(M_ARENA_MAX, 1);
    (void) mallopt(M_MMAP_THRESHOLD, LARGE);
    (void) mallopt(M_TRIM_THRESHOLD, SPARE);
    (void) mallopt(M_TOP_PAD, PAD);
}

void heap_trim(void)
{
    (void) malloc_trim(0);
}
