/* SPDX-License-Identifier: Apache-2.0 */
#include "ttrpc/frame.h"

/* Discards what is here of a body that was refused. */
static size_t skip_some(struct frame_decoder *decoder, size_t available)
{
    size_t n = available < decoder->skip ? available : decoder->skip;

    decoder->skip -= (uint32_t) n;
    return n;
}

static uint32_t get_u32(const uint8_t from[4])
{
    return (uint32_t) from[0] << 24 | (uint32_t) from[1] << 16 | (uint32_t) from[2] << 8 | from[3];
}

enum frame_result frame_decode(struct frame_decoder *decoder, const uint8_t *data, size_t size,
                               struct frame *ret, size_t *ret_used)
{
    size_t skipped = skip_some(decoder, size), left = size - skipped;
    const uint8_t *header = data + skipped;
    struct frame frame = {0};

    *ret_used = skipped;
    if (left < FRAME_HEADER_SIZE)
        return FRAME_MORE;

    frame.length = get_u32(header);
    frame.stream = get_u32(header + 4);
    frame.type = header[8];
    frame.flags = header[9];
    left -= FRAME_HEADER_SIZE;
    if (frame.length > FRAME_BODY_MAX) {
        decoder->skip = frame.length;
        *ret_used += FRAME_HEADER_SIZE;
        *ret_used += skip_some(decoder, left);
        *ret = frame;
        return FRAME_TOO_LARGE;
    }
    if (left < frame.length)
        return FRAME_MORE;
    frame.body = header + FRAME_HEADER_SIZE;
    *ret_used += FRAME_HEADER_SIZE + frame.length;
    *ret = frame;
    return FRAME_COMPLETE;
}

static void put_u32(uint32_t value, uint8_t to[4])
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t) (value >> (24 - 8 * i));
}

void frame_put_header(const struct frame *frame, uint8_t to[FRAME_HEADER_SIZE])
{
    put_u32(frame->length, to);
    put_u32(frame->stream, to + 4);
    to[8] = frame->type;
    to[9] = frame->flags;
}
