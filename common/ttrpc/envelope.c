/* SPDX-License-Identifier: Apache-2.0 */
#include "ttrpc/envelope.h"

#include <string.h>

#include "base/bytes.h"
#include "ttrpc/frame.h"

static uint64_t read_long_varint(struct reader *reader, uint8_t byte)
{
    uint64_t value = byte & 0x7f;

    for (unsigned shift = 7; shift < 70; shift += 7) {
        byte = reader_u8(reader);
        if (shift < 64)
            value |= (uint64_t) (byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    reader->failed = true;
    return 0;
}

static inline uint64_t read_varint(struct reader *reader)
{
    uint8_t byte = reader_u8(reader);

    return byte & 0x80 ? read_long_varint(reader, byte) : byte;
}

static inline const uint8_t *read_bytes(struct reader *reader, size_t *ret_length)
{
    uint64_t length = read_varint(reader);

    if (length > reader_left(reader)) {
        reader->failed = true;
        length = 0;
    }
    *ret_length = (size_t) length;
    return reader_bytes(reader, (size_t) length);
}

static void skip_field(struct reader *reader, unsigned wire_type)
{
    size_t length;

    switch (wire_type) {
    case 0:
        (void) read_varint(reader);
        break;
    case 1:
        (void) reader_bytes(reader, 8);
        break;
    case 2:
        (void) read_bytes(reader, &length);
        break;
    case 5:
        (void) reader_bytes(reader, 4);
        break;
    default:
        reader->failed = true;
    }
}

static void read_metadata(struct envelope *envelope, const uint8_t *data, size_t length)
{
    static const char wanted[] = "containerd-namespace-ttrpc";
    const uint8_t *key = NULL, *value = NULL;
    size_t key_length = 0, value_length = 0;
    struct reader reader;

    reader_init(&reader, data, length);
    while (reader_left(&reader) > 0 && !reader.failed) {
        uint64_t tag = read_varint(&reader);

        if (tag == (1 << 3 | 2))
            key = read_bytes(&reader, &key_length);
        else if (tag == (2 << 3 | 2))
            value = read_bytes(&reader, &value_length);
        else
            skip_field(&reader, tag & 7);
    }
    if (!reader.failed && key && value && key_length == sizeof(wanted) - 1 &&
        memcmp(key, wanted, key_length) == 0) {
        envelope->ns = value;
        envelope->ns_length = value_length;
    }
}

bool envelope_read(const struct frame *frame, struct envelope *ret)
{
    struct reader reader;

    reader_init(&reader, frame->body, frame->length);
    while (reader_left(&reader) > 0 && !reader.failed) {
        uint64_t tag = read_varint(&reader);
        const uint8_t *entry;
        size_t length;

        switch (tag) {
        case 1 << 3 | 2:
            ret->service = read_bytes(&reader, &ret->service_length);
            break;
        case 2 << 3 | 2:
            ret->method = read_bytes(&reader, &ret->method_length);
            break;
        case 3 << 3 | 2:
            ret->payload = read_bytes(&reader, &ret->payload_length);
            break;
        case 4 << 3 | 0:
            ret->timeout_ns = (int64_t) read_varint(&reader);
            break;
        case 5 << 3 | 2:
            entry = read_bytes(&reader, &length);
            if (!reader.failed)
                read_metadata(ret, entry, length);
            break;
        default:
            if (tag >> 3 == 0)
                reader.failed = true;
            skip_field(&reader, tag & 7);
        }
    }
    return !reader.failed;
}
