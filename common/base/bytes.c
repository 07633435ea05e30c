/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <string.h>

#include "base/scoped.h"

static uint64_t read_integer(struct reader *reader, size_t length)
{
    const uint8_t *bytes = reader_bytes(reader, length);
    uint64_t value = 0;

    if (!bytes)
        return 0;
    for (size_t i = 0; i < length; i++)
        value = value << 8 | bytes[i];
    return value;
}

uint16_t reader_u16(struct reader *reader)
{
    return (uint16_t) read_integer(reader, 2);
}

uint32_t reader_u32(struct reader *reader)
{
    return (uint32_t) read_integer(reader, 4);
}

uint64_t reader_u64(struct reader *reader)
{
    return read_integer(reader, 8);
}

bool reader_copy(struct reader *reader, void *to, size_t length)
{
    const uint8_t *bytes = reader_bytes(reader, length);

    if (!bytes)
        return false;
    if (length)
        memcpy(to, bytes, length);
    return true;
}

bool reader_complete(const struct reader *reader)
{
    return !reader->failed && reader->position == reader->size;
}

void writer_init(struct writer *writer, size_t limit)
{
    *writer = (struct writer){.limit = limit};
}

void writer_fini(struct writer *writer)
{
    if (writer->data)
        bytes_wipe(writer->data, writer->capacity);
    free(writer->data);
    *writer = (struct writer){0};
}

/* Room for length more bytes, or NULL. The old buffer is wiped: it may hold a secret. */
static uint8_t *extend(struct writer *writer, size_t length)
{
    uint8_t *at;

    if (writer->failed || length > writer->limit - writer->size) {
        writer->failed = true;
        return NULL;
    }
    if (length > writer->capacity - writer->size || !writer->data) {
        size_t capacity = writer->capacity ? writer->capacity : 64;
        uint8_t *data;

        while (capacity - writer->size < length)
            capacity *= 2;
        data = xalloc(capacity);
        if (writer->data) {
            memcpy(data, writer->data, writer->size);
            bytes_wipe(writer->data, writer->capacity);
            free(writer->data);
        }
        writer->data = data;
        writer->capacity = capacity;
    }
    at = writer->data + writer->size;
    writer->size += length;
    return at;
}

static void write_integer(struct writer *writer, uint64_t value, size_t length)
{
    uint8_t *to = extend(writer, length);

    for (size_t i = 0; to && i < length; i++)
        to[i] = (uint8_t) (value >> 8 * (length - 1 - i));
}

void writer_u8(struct writer *writer, uint8_t value)
{
    write_integer(writer, value, 1);
}

void writer_u16(struct writer *writer, uint16_t value)
{
    write_integer(writer, value, 2);
}

void writer_u32(struct writer *writer, uint32_t value)
{
    write_integer(writer, value, 4);
}

void writer_u64(struct writer *writer, uint64_t value)
{
    write_integer(writer, value, 8);
}

void writer_bytes(struct writer *writer, const void *data, size_t length)
{
    uint8_t *to = extend(writer, length);

    if (to && length)
        memcpy(to, data, length);
}

void writer_zeros(struct writer *writer, size_t length)
{
    uint8_t *to = extend(writer, length);

    if (to)
        memset(to, 0, length);
}

bool bytes_equal_secret(const void *a, const void *b, size_t length)
{
    const volatile uint8_t *left = a, *right = b;
    uint8_t difference = 0;

    for (size_t i = 0; i < length; i++)
        difference |= (uint8_t) (left[i] ^ right[i]);
    return difference == 0;
}

void bytes_wipe(void *data, size_t length)
{
    if (length)
        explicit_bzero(data, length);
}
