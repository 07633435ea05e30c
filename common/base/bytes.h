/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The only parser and printer primitive for binary formats. All integers are big-endian. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads from memory that it does not own. After the first read past the end `failed` stays true and
 * every read gives 0 or NULL: check once, at the end. */
struct reader {
    const uint8_t *data;
    size_t size;
    size_t position;
    bool failed;
};

static inline void reader_init(struct reader *reader, const void *data, size_t size)
{
    *reader = (struct reader){.data = data, .size = size};
}
static inline size_t reader_left(const struct reader *reader)
{
    return reader->failed ? 0 : reader->size - reader->position;
}
static inline uint8_t reader_u8(struct reader *reader)
{
    if (reader_left(reader) > 0)
        return reader->data[reader->position++];
    reader->failed = true;
    return 0;
}
uint16_t reader_u16(struct reader *reader);
uint32_t reader_u32(struct reader *reader);
uint64_t reader_u64(struct reader *reader);
/* Borrowed, NULL if too few. An empty read succeeds even where there is no data at all. */
static inline const uint8_t *reader_bytes(struct reader *reader, size_t length)
{
    const uint8_t *bytes = reader->data ? reader->data + reader->position : (const uint8_t *) "";

    if (reader->failed || length > reader->size - reader->position) {
        reader->failed = true;
        return NULL;
    }
    reader->position += length;
    return bytes;
}
bool reader_copy(struct reader *reader, void *to, size_t length); /* false if too few */
/* True if nothing failed and nothing is left over. */
bool reader_complete(const struct reader *reader);

/* Grows up to `limit` bytes; past it `failed` stays true and nothing more is written. */
struct writer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t limit;
    bool failed;
};

void writer_init(struct writer *writer, size_t limit);
void writer_fini(struct writer *writer); /* wipes, then frees */
void writer_u8(struct writer *writer, uint8_t value);
void writer_u16(struct writer *writer, uint16_t value);
void writer_u32(struct writer *writer, uint32_t value);
void writer_u64(struct writer *writer, uint64_t value);
void writer_bytes(struct writer *writer, const void *data, size_t length);
void writer_zeros(struct writer *writer, size_t length);

/* Constant-time comparison, for macs and digests that guard something. */
bool bytes_equal_secret(const void *a, const void *b, size_t length);
/* Not optimised away. */
void bytes_wipe(void *data, size_t length);
