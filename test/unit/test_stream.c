/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "io/fd.h"
#include "io/loop.h"
#include "io/stream.h"

static struct loop *loop;
static struct stream *stream;
static struct error err;
static int peer;
static char seen[1024];
static size_t seen_length, use_at_most;
static int ends, drained;
static bool end_had_error, free_in_data, free_in_end, pause_in_data;
static char end_message[512];

static size_t on_data(void *user, const uint8_t *data, size_t length)
{
    size_t used = length < use_at_most ? length : use_at_most;

    memcpy(seen + seen_length, data, used);
    seen_length += used;
    if (pause_in_data)
        stream_pause(stream);
    if (free_in_data)
        stream_free(take_ptr(stream));
    return used;
}

static void on_end(void *user, const struct error *given)
{
    ends++;
    end_had_error = given != NULL;
    if (given)
        (void) strcpy(end_message, given->message);
    if (free_in_end)
        stream_free(take_ptr(stream));
}

static void on_drained(void *user)
{
    drained++;
}

static void begin(size_t input, size_t output)
{
    const struct stream_events events = {on_data, on_end, on_drained};
    const struct stream_limits limits = {input, output};
    int pair[2];

    use_at_most = SIZE_MAX;
    ck_assert_int_eq(loop_new(&loop, &err), 0);
    ck_assert_int_eq(fd_pair(pair, &err), 0);
    peer = pair[1];
    ck_assert_int_eq(stream_new(loop, pair[0], &events, NULL, &limits, &stream, &err), 0);
}

static void turn(void)
{
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(loop_turn(loop, 0, &err), 0);
}

static void finish(void)
{
    stream_free(stream);
    (void) close(peer);
    loop_free(loop);
}

static void put(const char *text)
{
    ck_assert_int_eq(write(peer, text, strlen(text)), (ssize_t) strlen(text));
}

START_TEST(what_is_not_used_comes_again_with_the_next)
{
    begin(100, 100);
    use_at_most = 0;
    put("abc");
    turn();
    use_at_most = SIZE_MAX;
    put("def");
    turn();
    ck_assert_uint_eq(seen_length, 6);
    ck_assert_mem_eq(seen, "abcdef", 6);
    use_at_most = 2;
    put("12345");
    turn();
    ck_assert_uint_eq(seen_length, 11);
    ck_assert_int_eq(ends, 0);
    finish();
}
END_TEST

START_TEST(a_piece_larger_than_the_limit_ends_it)
{
    begin(8, 100);
    use_at_most = 0;
    put("1234567");
    turn();
    ck_assert_int_eq(ends, 0);
    put("89");
    turn();
    ck_assert_int_eq(ends, 1);
    ck_assert(end_had_error);
    turn();
    ck_assert_int_eq(ends, 1);
    finish();
}
END_TEST

START_TEST(the_peers_end_comes_after_its_data)
{
    begin(100, 100);
    put("last");
    (void) close(peer);
    peer = -1;
    turn();
    ck_assert_uint_eq(seen_length, 4);
    ck_assert_int_eq(ends, 1);
    ck_assert(!end_had_error);
    ck_assert_int_eq(stream_write(stream, "x", 1, &err), -1);
    ck_assert_int_eq(err.status, STATUS_UNAVAILABLE);
    finish();
}
END_TEST

START_TEST(a_pause_stops_reading_and_a_resume_redelivers)
{
    begin(8, 100);
    pause_in_data = true;
    use_at_most = 0;
    put("12345678"); /* as much as fits: the next read would have no room */
    turn();
    put("9");
    turn();
    ck_assert_uint_eq(seen_length, 0);
    pause_in_data = false;
    use_at_most = SIZE_MAX;
    stream_resume(stream);
    turn();
    ck_assert_uint_eq(seen_length, 9);
    ck_assert_mem_eq(seen, "123456789", 9);
    ck_assert_int_eq(ends, 0);
    finish();
}
END_TEST

START_TEST(writes_are_all_or_nothing_and_drain)
{
    static char block[100000], back[100000];
    size_t written = 0, got = 0;

    begin(8, 1000000);
    memset(block, 'x', sizeof block);
    while (stream_write(stream, block, sizeof block, &err) == 0)
        written += sizeof block;
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_uint_gt(stream_pending(stream), 900000);
    ck_assert_int_eq(drained, 0);
    while (got < written) {
        ssize_t count = read(peer, back, sizeof back);

        if (count > 0)
            got += (size_t) count;
        turn();
    }
    ck_assert_uint_eq(stream_pending(stream), 0);
    ck_assert_int_eq(drained, 1);
    ck_assert_int_eq(read(peer, back, 1), -1);
    ck_assert_int_eq(stream_write(stream, block, 1000001, &err), -1);
    finish();
}
END_TEST

START_TEST(a_vanished_reader_is_an_end_not_a_signal)
{
    static char block[500000];

    begin(8, 1000000);
    ck_assert_int_eq(stream_write(stream, block, sizeof block, &err), 0);
    (void) close(peer);
    peer = -1;
    turn();
    ck_assert_int_eq(ends, 1);
    finish();
}
END_TEST

START_TEST(callbacks_may_free_the_stream)
{
    begin(100, 100);
    free_in_data = true;
    put("abc");
    turn();
    ck_assert_ptr_null(stream);
    ck_assert_int_eq(ends, 0);
    finish();

    free_in_data = false;
    free_in_end = true;
    begin(100, 100);
    (void) close(peer);
    peer = -1;
    turn();
    ck_assert_ptr_null(stream);
    ck_assert_int_eq(ends, 1);
    finish();
}
END_TEST

int main(void)
{
    return suite_run("stream", (const TTest *[]){what_is_not_used_comes_again_with_the_next,
                                                 a_piece_larger_than_the_limit_ends_it,
                                                 the_peers_end_comes_after_its_data,
                                                 a_pause_stops_reading_and_a_resume_redelivers,
                                                 writes_are_all_or_nothing_and_drain,
                                                 a_vanished_reader_is_an_end_not_a_signal,
                                                 callbacks_may_free_the_stream, NULL});
}
