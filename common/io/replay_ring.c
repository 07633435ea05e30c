/* SPDX-License-Identifier: Apache-2.0 */
#include "io/replay_ring.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/log.h"

/* Three records more than the window: one that is allowed when the window is all but full, one that
 * may be wasted before the wrap, and one so that start and end never meet. */
enum {
    RING_SIZE = REPLAY_WINDOW + 3 * REPLAY_RECORD_MAX,
    KEPT = 64 * 1024, /* not worth giving back */
};

static size_t rounded(size_t size)
{
    return (size + 7) & ~(size_t) 7;
}

void replay_ring_init(struct replay_ring *ring)
{
    void *data = mmap(NULL, RING_SIZE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (data == MAP_FAILED) {
        log_error("no memory for a live share");
        abort();
    }
    *ring = (struct replay_ring){.data = data};
}

void replay_ring_fini(struct replay_ring *ring)
{
    if (ring->data)
        (void) munmap(ring->data, RING_SIZE);
    ring->data = NULL;
}

bool replay_ring_is_full(const struct replay_ring *ring)
{
    return ring->held >= REPLAY_WINDOW;
}

uint8_t *replay_ring_room(struct replay_ring *ring)
{
    assert(!replay_ring_is_full(ring));
    if (!ring->is_reserved && ring->held == 0)
        ring->start = ring->end = ring->wrap = 0;
    if (!ring->is_reserved && RING_SIZE - ring->end < REPLAY_RECORD_MAX) {
        ring->wrap = ring->end;
        ring->end = 0;
    }
    ring->is_reserved = true;
    return ring->data + ring->end;
}

void replay_ring_leave(struct replay_ring *ring)
{
    ring->is_reserved = false;
}

void replay_ring_put(struct replay_ring *ring, size_t size)
{
    assert(ring->is_reserved && size <= REPLAY_RECORD_MAX);
    ring->is_reserved = false;
    ring->end += rounded(size);
    ring->held += rounded(size);
    if (ring->end > ring->touched)
        ring->touched = ring->end;
}

uint8_t *replay_ring_first(const struct replay_ring *ring)
{
    return ring->held ? ring->data + ring->start : NULL;
}

static size_t behind(const struct replay_ring *ring, size_t at, size_t size)
{
    at += rounded(size);
    return ring->wrap && at == ring->wrap ? 0 : at;
}

uint8_t *replay_ring_next(const struct replay_ring *ring, const uint8_t *record, size_t size)
{
    size_t at = behind(ring, (size_t) (record - ring->data), size);

    return at == ring->end ? NULL : ring->data + at;
}

void replay_ring_drop(struct replay_ring *ring, size_t size)
{
    assert(ring->held >= rounded(size));
    ring->start = behind(ring, ring->start, size);
    ring->held -= rounded(size);
    if (ring->start == 0)
        ring->wrap = 0;
}

bool replay_ring_is_bloated(const struct replay_ring *ring)
{
    return ring->held == 0 && !ring->is_reserved && ring->touched > KEPT;
}

void replay_ring_rest(struct replay_ring *ring)
{
    if (!replay_ring_is_bloated(ring))
        return;
    (void) madvise(ring->data + KEPT, RING_SIZE - KEPT, MADV_DONTNEED);
    ring->start = ring->end = ring->wrap = ring->touched = 0;
}
