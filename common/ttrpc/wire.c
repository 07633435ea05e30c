/* SPDX-License-Identifier: Apache-2.0 */
#include "ttrpc/wire.h"

#include <string.h>

enum { TAG_MAX = 1, VARINT_MAX = 10, NUMBER = 0, BYTES = 2 };

void wire_init(struct wire *wire, uint8_t *buffer, size_t size)
{
    *wire = (struct wire){.at = buffer, .end = buffer + size};
}

static bool has_room(struct wire *wire, size_t length)
{
    if (wire->full || length > (size_t) (wire->end - wire->at))
        wire->full = true;
    return !wire->full;
}

static uint8_t *put(uint8_t *at, unsigned tag, uint64_t value)
{
    *at++ = (uint8_t) tag;
    for (; value > 0x7f; value >>= 7)
        *at++ = (uint8_t) (value | 0x80);
    *at++ = (uint8_t) value;
    return at;
}

void wire_number(struct wire *wire, unsigned field, uint64_t value)
{
    if (value != 0 && has_room(wire, TAG_MAX + VARINT_MAX))
        wire->at = put(wire->at, field << 3 | NUMBER, value);
}

void wire_bytes(struct wire *wire, unsigned field, const void *bytes, size_t length)
{
    if (length > SIZE_MAX / 2 || !has_room(wire, TAG_MAX + VARINT_MAX + length))
        return;
    wire->at = put(wire->at, field << 3 | BYTES, length);
    memcpy(wire->at, bytes, length);
    wire->at += length;
}

void wire_text(struct wire *wire, unsigned field, const char *text)
{
    if (text && text[0])
        wire_bytes(wire, field, text, strlen(text));
}
