/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"
#include "base/error.h"
#include "suite.h"
#include "window.h"

static uint8_t data[3 * WINDOW_SIZE];

static void fill(void)
{
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t) (i * 7 + i / 251);
}

static size_t drain(struct receive_window *window, size_t most)
{
    size_t length, n = 0;

    while (n < most && receive_window_peek(window, &length)) {
        if (length > most - n)
            length = most - n;
        ck_assert(memcmp(receive_window_peek(window, &(size_t){0}), data + window->consumed,
                         length) == 0);
        receive_window_advance(window, length);
        n += length;
    }
    return n;
}

START_TEST(output_survives_cuts_and_resends)
{
    struct receive_window window;
    struct error err;
    uint8_t sha[32];
    uint64_t at = 0;

    fill();
    receive_window_init(&window);
    for (unsigned round = 0; at < sizeof(data); round++) {
        size_t n = 60000 + round * 13;

        if (round % 3 == 2) /* a cut: the guest starts again from what was stated */
            at = window.consumed;
        if (at + n > sizeof(data))
            n = sizeof(data) - at;
        if (at + n > window.consumed + WINDOW_SIZE)
            n = window.consumed + WINDOW_SIZE - at;
        ck_assert(receive_window_put(&window, at, data + at, n, &err) == 0);
        at += n;
        drain(&window, 50000);
        if (at == sizeof(data))
            break;
    }
    digest_sha256(data, sizeof(data), sha);
    ck_assert(receive_window_end(&window, sizeof(data), sha, &err) == 0);
    drain(&window, sizeof(data));
    ck_assert(receive_window_complete(&window));
    ck_assert(receive_window_verify(&window, &err) == 0);
    receive_window_fini(&window);
}
END_TEST

START_TEST(output_that_breaks_the_rules_is_refused)
{
    struct receive_window window;
    struct error err;
    uint8_t sha[32] = {0};

    receive_window_init(&window);
    ck_assert(receive_window_put(&window, 1, data, 1, &err) < 0);
    ck_assert_int_eq(err.status, STATUS_DATA_LOSS);
    ck_assert(receive_window_put(&window, 0, data, WINDOW_SIZE + 1, &err) < 0);
    ck_assert(receive_window_put(&window, UINT64_MAX, data, 2, &err) < 0);
    ck_assert(receive_window_put(&window, 0, data, 10, &err) == 0);
    ck_assert(receive_window_end(&window, 9, sha, &err) < 0);
    ck_assert(receive_window_end(&window, 11, sha, &err) < 0);
    ck_assert(receive_window_end(&window, 10, sha, &err) == 0);
    ck_assert(receive_window_end(&window, 10, sha, &err) == 0);
    ck_assert(receive_window_put(&window, 10, data, 1, &err) < 0);
    ck_assert(receive_window_verify(&window, &err) < 0); /* not given away yet */
    drain(&window, 10);
    ck_assert(receive_window_verify(&window, &err) < 0); /* another digest */
    ck_assert_int_eq(err.status, STATUS_DATA_LOSS);
    receive_window_fini(&window);
}
END_TEST

START_TEST(input_waits_for_the_receivers_word_and_goes_on_from_there)
{
    struct send_window window;
    struct error err;
    size_t room, length;

    send_window_init(&window);
    memset(send_window_space(&window, &room), 'x', 100);
    send_window_fill(&window, 100);
    ck_assert_ptr_null(send_window_next(&window, 64, &length));
    ck_assert(send_window_consumed(&window, 0, &err) == 0);
    ck_assert_ptr_nonnull(send_window_next(&window, 64, &length));
    ck_assert_uint_eq(length, 64);
    send_window_sent(&window, 64);
    send_window_restart(&window);
    ck_assert_ptr_null(send_window_next(&window, 64, &length));
    ck_assert(send_window_consumed(&window, 30, &err) == 0);
    ck_assert_ptr_nonnull(send_window_next(&window, 1000, &length));
    ck_assert_uint_eq(length, 70);
    send_window_sent(&window, 70);
    ck_assert(!send_window_end_due(&window));
    send_window_finish(&window);
    ck_assert(send_window_end_due(&window));
    ck_assert(send_window_consumed(&window, 20, &err) < 0);
    ck_assert(send_window_consumed(&window, 101, &err) < 0);
    send_window_fini(&window);
}
END_TEST

START_TEST(input_is_bounded)
{
    struct send_window window;
    size_t room, total = 0;

    send_window_init(&window);
    while (send_window_space(&window, &room)) {
        send_window_fill(&window, room);
        total += room;
    }
    ck_assert_uint_eq(total, WINDOW_SIZE);
    send_window_fini(&window);
}
END_TEST

int main(void)
{
    return suite_run("window",
                     (const TTest *[]){output_survives_cuts_and_resends,
                                       output_that_breaks_the_rules_is_refused,
                                       input_waits_for_the_receivers_word_and_goes_on_from_there,
                                       input_is_bounded, NULL});
}
