/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "suite.h"
#include "ttrpc/frame.h"

static const uint8_t small[] = {0, 0, 0, 3, 0, 0, 0, 5, 1, 0, 'a', 'b', 'c'};

START_TEST(a_whole_frame_is_decoded)
{
    struct frame_decoder decoder = {0};
    struct frame frame;
    size_t used;

    ck_assert_int_eq(frame_decode(&decoder, small, sizeof(small), &frame, &used), FRAME_COMPLETE);
    ck_assert_uint_eq(used, sizeof(small));
    ck_assert_uint_eq(frame.length, 3);
    ck_assert_uint_eq(frame.stream, 5);
    ck_assert_uint_eq(frame.type, FRAME_REQUEST);
    ck_assert_mem_eq(frame.body, "abc", 3);
}
END_TEST

START_TEST(no_prefix_of_a_frame_is_a_frame)
{
    for (size_t n = 0; n < sizeof(small); n++) {
        struct frame_decoder decoder = {0};
        struct frame frame;
        size_t used;

        ck_assert_int_eq(frame_decode(&decoder, small, n, &frame, &used), FRAME_MORE);
        ck_assert_uint_eq(used, 0);
    }
}
END_TEST

START_TEST(an_empty_body_is_a_frame)
{
    static const uint8_t empty[FRAME_HEADER_SIZE] = {0, 0, 0, 0, 0, 0, 0, 1, 3, 4};
    struct frame_decoder decoder = {0};
    struct frame frame;
    size_t used;

    ck_assert_int_eq(frame_decode(&decoder, empty, sizeof(empty), &frame, &used), FRAME_COMPLETE);
    ck_assert_uint_eq(frame.length, 0);
    ck_assert_uint_eq(frame.flags, FRAME_NO_DATA);
}
END_TEST

START_TEST(the_largest_body_is_waited_for)
{
    static const uint8_t header[] = {0x00, 0x40, 0x00, 0x00, 0, 0, 0, 1, 1, 0};
    struct frame_decoder decoder = {0};
    struct frame frame;
    size_t used;

    ck_assert_int_eq(frame_decode(&decoder, header, sizeof(header), &frame, &used), FRAME_MORE);
    ck_assert_uint_eq(decoder.skip, 0);
}
END_TEST

/* One byte too many, and the most that fits the field: reported at once, then skipped to the next.
 */
START_TEST(a_larger_body_is_skipped)
{
    enum { EXTRA = 7 };
    static const uint8_t header[] = {0x00, 0x40, 0x00, 0x01, 0, 0, 0, 9, 1, 0};
    size_t size = sizeof(header) + FRAME_BODY_MAX + 1 + sizeof(small);
    uint8_t *data = calloc(1, size);
    struct frame_decoder decoder = {0};
    struct frame frame;
    size_t used, at = 0;

    memcpy(data, header, sizeof(header));
    memcpy(data + size - sizeof(small), small, sizeof(small));
    ck_assert_int_eq(frame_decode(&decoder, data, sizeof(header) + EXTRA, &frame, &used),
                     FRAME_TOO_LARGE);
    ck_assert_uint_eq(used, sizeof(header) + EXTRA);
    ck_assert_uint_eq(frame.stream, 9);
    ck_assert_ptr_null(frame.body);
    at = used;
    ck_assert_int_eq(frame_decode(&decoder, data + at, 1000, &frame, &used), FRAME_MORE);
    ck_assert_uint_eq(used, 1000);
    at += used;
    ck_assert_int_eq(frame_decode(&decoder, data + at, size - at, &frame, &used), FRAME_COMPLETE);
    ck_assert_uint_eq(frame.stream, 5);
    ck_assert_uint_eq(at + used, size);
    free(data);
}
END_TEST

START_TEST(the_largest_length_is_skipped_too)
{
    static const uint8_t header[] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 1, 0};
    struct frame_decoder decoder = {0};
    struct frame frame;
    size_t used;

    ck_assert_int_eq(frame_decode(&decoder, header, sizeof(header), &frame, &used),
                     FRAME_TOO_LARGE);
    ck_assert_uint_eq(decoder.skip, 0xffffffff);
}
END_TEST

START_TEST(a_written_header_is_read_back)
{
    struct frame frame = {.length = 0, .stream = 0xfffffffd, .type = 2, .flags = 1}, back;
    struct frame_decoder decoder = {0};
    uint8_t header[FRAME_HEADER_SIZE];
    size_t used;

    frame_put_header(&frame, header);
    ck_assert_int_eq(frame_decode(&decoder, header, sizeof(header), &back, &used), FRAME_COMPLETE);
    ck_assert_uint_eq(back.stream, frame.stream);
    ck_assert_uint_eq(back.type, 2);
    ck_assert_uint_eq(back.flags, 1);
}
END_TEST

int main(void)
{
    return suite_run("frame",
                     (const TTest *[]){a_whole_frame_is_decoded, no_prefix_of_a_frame_is_a_frame,
                                       an_empty_body_is_a_frame, the_largest_body_is_waited_for,
                                       a_larger_body_is_skipped, the_largest_length_is_skipped_too,
                                       a_written_header_is_read_back, NULL});
}
