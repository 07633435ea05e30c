/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <string.h>

#include "base/bytes.h"
#include "base/scoped.h"

START_TEST(integers_are_big_endian)
{
    const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    struct reader reader;

    reader_init(&reader, data, sizeof data);
    ck_assert_uint_eq(reader_u8(&reader), 1);
    ck_assert_uint_eq(reader_u16(&reader), 0x0203);
    ck_assert_uint_eq(reader_u32(&reader), 0x04050607);
    ck_assert(!reader_complete(&reader));
    ck_assert(reader_u64(&reader) == 0x08090a0b0c0d0e0fu);
    ck_assert(reader_complete(&reader));
}
END_TEST

START_TEST(a_read_past_the_end_fails_for_good)
{
    const uint8_t data[] = {1, 2, 3};
    struct reader reader;
    uint8_t to[4] = {9, 9, 9, 9};

    reader_init(&reader, data, sizeof data);
    ck_assert_uint_eq(reader_u32(&reader), 0);
    ck_assert(reader.failed);
    ck_assert_uint_eq(reader_u8(&reader), 0);
    ck_assert_ptr_null(reader_bytes(&reader, 0));
    ck_assert(!reader_copy(&reader, to, 1));
    ck_assert_uint_eq(to[0], 9);
    ck_assert_uint_eq(reader_left(&reader), 0);
    ck_assert(!reader_complete(&reader));
}
END_TEST

START_TEST(a_huge_length_does_not_wrap)
{
    const uint8_t data[8] = {0};
    struct reader reader;

    reader_init(&reader, data, sizeof data);
    (void) reader_u32(&reader);
    ck_assert_ptr_null(reader_bytes(&reader, SIZE_MAX));
    ck_assert_ptr_null(reader_bytes(&reader, SIZE_MAX - 3));
}
END_TEST

START_TEST(an_empty_reader_is_complete)
{
    struct reader reader;

    reader_init(&reader, NULL, 0);
    ck_assert(reader_complete(&reader));
    ck_assert_ptr_nonnull(reader_bytes(&reader, 0));
    ck_assert_uint_eq(reader_u8(&reader), 0);
    ck_assert(reader.failed);
}
END_TEST

START_TEST(what_is_written_reads_back)
{
    scoped(writer_fini) struct writer writer;
    struct reader reader;

    writer_init(&writer, 1000);
    writer_u8(&writer, 0xfe);
    writer_u16(&writer, 0xabcd);
    writer_u32(&writer, 0x12345678);
    writer_u64(&writer, 0x1122334455667788u);
    writer_bytes(&writer, "cleave", 6);
    writer_zeros(&writer, 200);
    writer_bytes(&writer, NULL, 0);
    ck_assert(!writer.failed);
    ck_assert_uint_eq(writer.size, 221);

    reader_init(&reader, writer.data, writer.size);
    ck_assert_uint_eq(reader_u8(&reader), 0xfe);
    ck_assert_uint_eq(reader_u16(&reader), 0xabcd);
    ck_assert_uint_eq(reader_u32(&reader), 0x12345678);
    ck_assert(reader_u64(&reader) == 0x1122334455667788u);
    ck_assert_mem_eq(reader_bytes(&reader, 6), "cleave", 6);
    for (int i = 0; i < 200; i++)
        ck_assert_uint_eq(reader_u8(&reader), 0);
    ck_assert(reader_complete(&reader));
}
END_TEST

START_TEST(a_writer_stops_at_its_limit)
{
    scoped(writer_fini) struct writer writer;

    writer_init(&writer, 4);
    writer_u32(&writer, 1);
    ck_assert(!writer.failed);
    writer_u8(&writer, 1);
    ck_assert(writer.failed);
    ck_assert_uint_eq(writer.size, 4);
    writer_bytes(&writer, "x", SIZE_MAX);
    ck_assert_uint_eq(writer.size, 4);
}
END_TEST

START_TEST(secret_comparison_sees_each_bit)
{
    uint8_t a[32] = {0}, b[32] = {0};

    ck_assert(bytes_equal_secret(a, b, sizeof a));
    for (size_t bit = 0; bit < 256; bit++) {
        b[bit / 8] ^= (uint8_t) (1 << bit % 8);
        ck_assert(!bytes_equal_secret(a, b, sizeof a));
        b[bit / 8] ^= (uint8_t) (1 << bit % 8);
    }
    ck_assert(bytes_equal_secret(a, "x", 0));
    memset(a, 7, sizeof a);
    bytes_wipe(a, sizeof a);
    ck_assert_mem_eq(a, b, sizeof a);
}
END_TEST

int main(void)
{
    return suite_run("bytes",
                     (const TTest *[]){integers_are_big_endian, a_read_past_the_end_fails_for_good,
                                       a_huge_length_does_not_wrap, an_empty_reader_is_complete,
                                       what_is_written_reads_back, a_writer_stops_at_its_limit,
                                       secret_comparison_sees_each_bit, NULL});
}
