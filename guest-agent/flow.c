/* SPDX-License-Identifier: Apache-2.0 */
#include "flow.h"

#include <assert.h>
#include <inttypes.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/scoped.h"

/* Credit is stated anew after this many bytes, or when the buffer is empty. */
enum { ANNOUNCE_STEP = FLOW_CREDIT / 4 };

static size_t at(uint64_t offset)
{
    return (size_t) (offset % FLOW_CREDIT);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Large enough for malloc to take it from mmap: pages that are never used cost nothing. */
static void need_ring(uint8_t **ring)
{
    if (!*ring)
        *ring = xrealloc(NULL, FLOW_CREDIT);
}

static void drop_ring(uint8_t **ring)
{
    free(*ring);
    *ring = NULL;
}

/* ---- output ---- */

void outflow_init(struct outflow *flow)
{
    *flow = (struct outflow){.digest = digest_new(DIGEST_SHA256)};
}

void outflow_fini(struct outflow *flow)
{
    free(flow->ring);
    if (flow->digest)
        digest_free(flow->digest);
    *flow = (struct outflow){0};
}

uint8_t *outflow_reserve(struct outflow *flow, size_t *ret_length)
{
    size_t room = FLOW_CREDIT - (size_t) (flow->end - flow->consumed);

    need_ring(&flow->ring);
    *ret_length = smaller(room, FLOW_CREDIT - at(flow->end));
    return flow->ring + at(flow->end);
}

void outflow_commit(struct outflow *flow, size_t length)
{
    assert(flow->end + length <= flow->consumed + FLOW_CREDIT);
    digest_update(flow->digest, flow->ring + at(flow->end), length);
    flow->end += length;
}

void outflow_finish(struct outflow *flow)
{
    flow->finished = true;
    if (flow->consumed == flow->end)
        drop_ring(&flow->ring);
}

static void note_over(struct outflow *flow)
{
    flow->over |= flow->finished && flow->final_sent && flow->consumed == flow->end;
}

int outflow_consume(struct outflow *flow, uint64_t consumed, struct error *err)
{
    uint64_t last = flow->attached ? flow->sent : flow->end;

    if (consumed < flow->consumed)
        return error_set(err, STATUS_DATA_LOSS,
                         "the bytes before offset %" PRIu64 " were given up as consumed",
                         flow->consumed);
    if (consumed > last)
        return error_set(err, STATUS_OUT_OF_RANGE,
                         "consumed %" PRIu64 " is beyond the %" PRIu64 " bytes that there are",
                         consumed, last);
    flow->consumed = consumed;
    if (!flow->attached)
        flow->sent = consumed;
    flow->attached = true;
    note_over(flow);
    if (flow->finished && flow->consumed == flow->end)
        drop_ring(&flow->ring);
    return 0;
}

void outflow_detach(struct outflow *flow)
{
    flow->attached = false;
    flow->final_sent = false;
}

bool outflow_ready(const struct outflow *flow)
{
    return flow->attached && (flow->sent < flow->end || (flow->finished && !flow->final_sent));
}

bool outflow_is_over(const struct outflow *flow)
{
    return flow->over;
}

struct flow_piece outflow_next(struct outflow *flow)
{
    struct flow_piece piece = {.offset = flow->sent};
    size_t length = smaller((size_t) (flow->end - flow->sent), FLOW_PIECE_MAX);

    if (length > 0) {
        piece.data = flow->ring + at(flow->sent);
        piece.length = smaller(length, FLOW_CREDIT - at(flow->sent));
        flow->sent += piece.length;
    } else {
        digest_value(flow->digest, piece.digest);
        flow->final_sent = true;
        note_over(flow);
    }
    return piece;
}

/* ---- input ---- */

void inflow_init(struct inflow *flow)
{
    *flow = (struct inflow){.closes_at = UINT64_MAX};
}

void inflow_fini(struct inflow *flow)
{
    free(flow->ring);
    *flow = (struct inflow){.closes_at = UINT64_MAX};
}

static int check_piece(const struct inflow *flow, uint64_t offset, size_t length, struct error *err)
{
    uint64_t end = offset + length;

    if (length > FLOW_PIECE_MAX || end < offset)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a piece of %zu bytes is too long", length);
    if (offset > flow->received)
        return error_set(err, STATUS_DATA_LOSS,
                         "bytes %" PRIu64 " to %" PRIu64 " of the input are missing",
                         flow->received, offset);
    if (end > flow->consumed + FLOW_CREDIT)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED,
                         "input up to %" PRIu64 " is beyond the credit, which ends at %" PRIu64,
                         end, flow->consumed + FLOW_CREDIT);
    if (end > flow->closes_at)
        return error_set(err, STATUS_OUT_OF_RANGE, "input was closed at %" PRIu64, flow->closes_at);
    return 0;
}

int inflow_receive(struct inflow *flow, uint64_t offset, const struct flow_piece *piece,
                   struct error *err)
{
    const uint8_t *data = piece->data;
    size_t length = piece->length;

    if (check_piece(flow, offset, length, err) < 0)
        return -1;
    if (offset + length <= flow->received)
        return 0;
    data += flow->received - offset;
    length -= (size_t) (flow->received - offset);
    if (flow->broken) {
        flow->received += length;
        flow->consumed = flow->received;
        return 0;
    }
    need_ring(&flow->ring);
    while (length > 0) {
        size_t part = smaller(length, FLOW_CREDIT - at(flow->received));

        memcpy(flow->ring + at(flow->received), data, part);
        flow->received += part;
        data += part;
        length -= part;
    }
    return 0;
}

int inflow_close_at(struct inflow *flow, uint64_t offset, struct error *err)
{
    if (flow->closes_at == offset)
        return 0;
    if (flow->closes_at != UINT64_MAX || offset < flow->received)
        return error_set(err, STATUS_OUT_OF_RANGE,
                         "input cannot end at %" PRIu64 ": %" PRIu64 " bytes have come", offset,
                         flow->received);
    flow->closes_at = offset;
    return 0;
}

const uint8_t *inflow_peek(const struct inflow *flow, size_t *ret_length)
{
    *ret_length = smaller((size_t) (flow->received - flow->consumed),
                          FLOW_CREDIT - at(flow->consumed));
    return *ret_length ? flow->ring + at(flow->consumed) : NULL;
}

void inflow_drop(struct inflow *flow, size_t length)
{
    assert(flow->consumed + length <= flow->received);
    flow->consumed += length;
    if (inflow_at_end(flow))
        drop_ring(&flow->ring);
}

void inflow_break(struct inflow *flow)
{
    flow->broken = true;
    flow->consumed = flow->received;
    drop_ring(&flow->ring);
}

bool inflow_at_end(const struct inflow *flow)
{
    return flow->consumed == flow->closes_at;
}

void inflow_detach(struct inflow *flow)
{
    flow->greeted = false;
}

bool inflow_ready(const struct inflow *flow)
{
    uint64_t news = flow->consumed - flow->announced;

    if (!flow->greeted)
        return true;
    return news >= ANNOUNCE_STEP || (news > 0 && flow->consumed == flow->received);
}

uint64_t inflow_announce(struct inflow *flow)
{
    flow->greeted = true;
    flow->announced = flow->consumed;
    return flow->consumed;
}
