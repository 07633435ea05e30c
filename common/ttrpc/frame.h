/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* ttrpc's frames: u32 length of the body, u32 stream, u8 type, u8 flags, body. The decoder looks at
 * bytes that its caller buffers; nothing is allocated for what a peer merely announces. */
#include <stddef.h>
#include <stdint.h>

enum { FRAME_HEADER_SIZE = 10, FRAME_BODY_MAX = 4194304 };

enum frame_type { FRAME_REQUEST = 1, FRAME_RESPONSE = 2, FRAME_DATA = 3 };

enum frame_flags {
    FRAME_REMOTE_CLOSED = 0x01,
    FRAME_REMOTE_OPEN = 0x02,
    FRAME_NO_DATA = 0x04,
};

struct frame {
    uint32_t length;
    uint32_t stream;
    uint8_t type; /* any value: unknown types are the caller's to ignore */
    uint8_t flags;
    const uint8_t *body; /* inside the caller's buffer; NULL if too large */
};

/* Zeroed at the start of a connection. */
struct frame_decoder {
    uint32_t skip; /* bytes of a too large body that are still to be discarded */
};

enum frame_result {
    FRAME_MORE,      /* nothing yet: call again with more bytes behind these */
    FRAME_COMPLETE,  /* *ret is a whole frame */
    FRAME_TOO_LARGE, /* *ret has the header only; its body will be discarded as it comes */
};

/* *ret_used: how many bytes the caller drops from the front of its buffer, in each case. */
enum frame_result frame_decode(struct frame_decoder *decoder, const uint8_t *data, size_t size,
                               struct frame *ret, size_t *ret_used);
void frame_put_header(const struct frame *frame, uint8_t to[FRAME_HEADER_SIZE]);
