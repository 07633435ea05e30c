/* SPDX-License-Identifier: Apache-2.0 */
#include "ttrpc/frame.h"

#include "base/bytes.h"

/* Discards what is here of a body that was refused. */
static size_t skip_some(struct frame_decoder *decoder, size_t available)
{
    size_t n = available < decoder->skip ? available : decoder->skip;

    decoder->skip -= (uint32_t) n;
    return n;
}

enum frame_result frame_decode(struct frame_decoder *decoder, const uint8_t *data, size_t size,
                               struct frame *ret, size_t *ret_used)
{
    size_t skipped = skip_some(decoder, size);
    struct reader reader;
    struct frame frame = {0};

    reader_init(&reader, data + skipped, size - skipped);
    frame.length = reader_u32(&reader);
    frame.stream = reader_u32(&reader);
    frame.type = reader_u8(&reader);
    frame.flags = reader_u8(&reader);
    *ret_used = skipped;
    if (reader.failed)
        return FRAME_MORE;

    if (frame.length > FRAME_BODY_MAX) {
        decoder->skip = frame.length;
        *ret_used += FRAME_HEADER_SIZE;
        *ret_used += skip_some(decoder, size - *ret_used);
        *ret = frame;
        return FRAME_TOO_LARGE;
    }
    if (reader_left(&reader) < frame.length)
        return FRAME_MORE;
    frame.body = data + skipped + FRAME_HEADER_SIZE;
    *ret_used += FRAME_HEADER_SIZE + frame.length;
    *ret = frame;
    return FRAME_COMPLETE;
}

void frame_write_header(struct writer *writer, const struct frame *frame)
{
    writer_u32(writer, frame->length);
    writer_u32(writer, frame->stream);
    writer_u8(writer, frame->type);
    writer_u8(writer, frame->flags);
}
