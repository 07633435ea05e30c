/* SPDX-License-Identifier: Apache-2.0 */
/* Two ends of a replay and a connection between them that is cut wherever it can be; and peers who
 * say what they cannot. */
#include "io/replay.h"

#include <stdio.h>

#include "base/error.h"
#include "suite.h"

static struct error err;

#define OK(expression) ck_assert_msg((expression) == 0, "%s", err.message)

/* Fill that tells a message from others, and its middle from its ends. */
static uint8_t fill(uint64_t serial, size_t at)
{
    return (uint8_t) (serial * 31 + at * 7 + (at >> 8));
}

static bool add(struct replay *replay, uint64_t serial, size_t length)
{
    uint8_t *room = replay_room(replay);

    if (!room)
        return false;
    for (size_t i = 0; i < length; i++)
        room[i] = fill(serial, i);
    OK(replay_add(replay, length, &err));
    return true;
}

static void check_first(const struct replay *replay, uint64_t serial, size_t length)
{
    size_t got, good = 0;
    const uint8_t *message = replay_first(replay, &got);

    ck_assert_ptr_nonnull(message);
    ck_assert_uint_eq(got, length);
    while (good < length && message[good] == fill(serial, good))
        good++; /* each assertion is a system call */
    ck_assert_uint_eq(good, length);
}

/* At most `most` bytes, at most `piece` with each call; how many went. */
static size_t move(struct replay *from, struct replay *to, size_t most, size_t piece)
{
    size_t moved = 0;

    while (moved < most) {
        size_t length, space;
        const uint8_t *data = replay_output(from, &length);
        uint8_t *room = replay_space(to, &space);

        length = length < most - moved ? length : most - moved;
        length = length < space ? length : space;
        length = length < piece ? length : piece;
        if (length == 0)
            break;
        memcpy(room, data, length);
        replay_sent(from, length);
        OK(replay_received(to, length, &err));
        moved += length;
    }
    return moved;
}

static void connect_both(struct replay *a, struct replay *b)
{
    replay_begin(a);
    replay_begin(b);
}

static void settle(struct replay *a, struct replay *b)
{
    while (move(a, b, SIZE_MAX, SIZE_MAX) + move(b, a, SIZE_MAX, SIZE_MAX) > 0)
        continue;
}

START_TEST(messages_arrive_in_order_and_are_forgotten_when_they_were_taken)
{
    scoped(replay_freep) struct replay *a = replay_new(), *b = replay_new();
    size_t length;

    connect_both(a, b);
    for (uint64_t i = 0; i < 100; i++)
        ck_assert(add(a, i, 16 + i));
    settle(a, b);
    for (uint64_t i = 0; i < 100; i++) {
        check_first(b, i, 16 + i);
        replay_taken(b);
    }
    ck_assert_ptr_null(replay_first(b, &length));
    ck_assert(replay_is_restless(b)); /* a has not heard of it */
    replay_rest(b);
    ck_assert_uint_eq(move(b, a, SIZE_MAX, SIZE_MAX), REPLAY_HEAD);
    ck_assert(!replay_is_restless(b));
    ck_assert_uint_eq(move(b, a, SIZE_MAX, SIZE_MAX), 0);
}
END_TEST

/* The answer to a write of 1 MiB has the word; where there is none it goes alone, in time. */
START_TEST(half_of_the_window_is_acknowledged_without_an_answer)
{
    scoped(replay_freep) struct replay *a = replay_new(), *b = replay_new();

    connect_both(a, b);
    settle(a, b);
    for (uint64_t i = 0; i < 2; i++) {
        ck_assert(add(a, i, REPLAY_MESSAGE_MAX));
        settle(a, b);
        ck_assert_uint_eq(move(b, a, SIZE_MAX, SIZE_MAX), 0);
        replay_taken(b);
    }
    ck_assert_uint_eq(move(b, a, SIZE_MAX, SIZE_MAX), REPLAY_HEAD);
    ck_assert(add(a, 2, REPLAY_MESSAGE_MAX));
    settle(a, b);
    replay_taken(b);
    ck_assert_uint_eq(move(b, a, SIZE_MAX, SIZE_MAX), 0);
    ck_assert(add(b, 0, 16)); /* the answer */
    ck_assert_uint_eq(move(b, a, SIZE_MAX, SIZE_MAX), REPLAY_HEAD + 16);
    replay_rest(b);
    ck_assert_uint_eq(move(b, a, SIZE_MAX, SIZE_MAX), 0);
}
END_TEST

/* A conversation of a few messages, cut once after `cut` bytes one way; each arrives once. */
static size_t converse(size_t cut, size_t piece)
{
    static const size_t lengths[] = {16, 17, 40, 333, 16, 129};
    scoped(replay_freep) struct replay *a = replay_new(), *b = replay_new();
    size_t moved, length;

    connect_both(a, b);
    move(b, a, SIZE_MAX, piece);
    for (uint64_t i = 0; i < ARRAY_LENGTH(lengths); i++)
        ck_assert(add(a, i, lengths[i]));
    moved = move(a, b, cut, piece);
    if (replay_first(b, &length)) { /* one is handed on before the cut, and answered */
        replay_taken(b);
        ck_assert(add(b, 1000, 64));
        move(b, a, cut % 97, piece);
    }
    connect_both(a, b);
    settle(a, b);
    for (uint64_t i = moved >= REPLAY_HEAD + REPLAY_HEAD + 16; i < ARRAY_LENGTH(lengths); i++) {
        check_first(b, i, lengths[i]);
        replay_taken(b);
    }
    ck_assert_ptr_null(replay_first(b, &length));
    if (moved >= REPLAY_HEAD + REPLAY_HEAD + 16) {
        check_first(a, 1000, 64);
        replay_taken(a);
    }
    ck_assert_ptr_null(replay_first(a, &length));
    return moved;
}

START_TEST(a_cut_at_any_byte_loses_and_doubles_nothing)
{
    for (size_t piece = 1; piece < 8; piece += 3)
        for (size_t cut = 0;; cut++)
            if (converse(cut, piece) < cut)
                break;
    for (size_t cut = 0; converse(cut, SIZE_MAX) == cut; cut++)
        continue;
}
END_TEST

/* Many cuts, lengths up to the longest, both ways at once. */
START_TEST(cuts_without_end_lose_nothing)
{
    scoped(replay_freep) struct replay *a = replay_new(), *b = replay_new();
    uint64_t added[2] = {0}, seen[2] = {0};
    size_t lengths[2][400];

    srandom(7);
    for (size_t i = 0; i < 400; i++)
        for (int side = 0; side < 2; side++)
            lengths[side][i] = i % 197 == 5 ? REPLAY_MESSAGE_MAX - i
                                            : 16 + (size_t) random() % 3000;
    while (seen[0] < 400 || seen[1] < 400) {
        struct replay *sides[2] = {a, b};

        connect_both(a, b);
        for (int turn = 0; turn < 1 + (int) (random() % 16); turn++) {
            for (int side = 0; side < 2; side++) {
                struct replay *from = sides[side], *to = sides[1 - side];
                size_t length;

                for (long n = random() % 20; n > 0 && added[side] < 400; n--)
                    if (!add(from, added[side], lengths[side][added[side]]))
                        break;
                    else
                        added[side]++;
                move(from, to, (size_t) random() % (512 * 1024), 1 + (size_t) random() % 70000);
                for (long n = random() % 20; n > 0 && replay_first(to, &length); n--) {
                    check_first(to, seen[side], lengths[side][seen[side]]);
                    seen[side]++;
                    replay_taken(to);
                }
                if (random() % 4 == 0)
                    replay_rest(to);
            }
        }
    }
}
END_TEST

/* Never empty, so that it begins anew only where it is full. */
START_TEST(the_buffers_go_round)
{
    scoped(replay_freep) struct replay *a = replay_new(), *b = replay_new();
    enum { COUNT = 300, LEFT = 2 };
    size_t lengths[COUNT];
    uint64_t added = 0, seen = 0;

    srandom(11);
    for (size_t i = 0; i < COUNT; i++)
        lengths[i] = random() % 3 ? 16 + (size_t) random() % 300000
                                  : REPLAY_MESSAGE_MAX - (size_t) random() % 30;
    connect_both(a, b);
    while (seen + LEFT < COUNT) {
        while (added < COUNT && add(a, added, lengths[added]))
            added++;
        if (random() % 5 == 0)
            connect_both(a, b);
        settle(a, b);
        while (seen + LEFT < added) {
            check_first(b, seen, lengths[seen]);
            seen++;
            replay_taken(b);
            if (random() % 3 == 0)
                break;
        }
        replay_rest(b);
        settle(a, b);
    }
}
END_TEST

START_TEST(what_is_not_acknowledged_is_bounded)
{
    scoped(replay_freep) struct replay *a = replay_new(), *b = replay_new();
    size_t added = 0, count = 0, length;

    connect_both(a, b);
    while (add(a, count, REPLAY_MESSAGE_MAX)) {
        added += REPLAY_MESSAGE_MAX;
        count++;
        settle(a, b); /* received is not handed on */
    }
    ck_assert_uint_ge(added, REPLAY_WINDOW - REPLAY_MESSAGE_MAX);
    ck_assert_uint_le(added, REPLAY_WINDOW + REPLAY_MESSAGE_MAX);
    ck_assert(!replay_may_add(a));
    replay_taken(b);
    replay_rest(b);
    settle(b, a);
    ck_assert(replay_may_add(a));
    for (size_t i = 1; i < count; i++)
        replay_taken(b); /* so much that it is said without a rest */
    settle(b, a);
    ck_assert(!replay_is_restless(b) || !replay_first(b, &length));
    for (size_t i = 0; i + 1 < count; i++)
        ck_assert(add(a, count + i, REPLAY_MESSAGE_MAX));
}
END_TEST

static size_t resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long size, resident = 0;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%lu %lu", &size, &resident), 2);
    (void) fclose(file);
    return resident * 4;
}

START_TEST(memory_is_given_back_at_rest)
{
    scoped(replay_freep) struct replay *a = replay_new(), *b = replay_new();
    size_t before = resident_kib(), full;

    connect_both(a, b);
    for (uint64_t i = 0; add(a, i, REPLAY_MESSAGE_MAX); i++)
        continue;
    settle(a, b);
    full = resident_kib();
    ck_assert_uint_gt(full, before + 2 * 3 * 1024);
    for (size_t length; replay_first(b, &length);)
        replay_taken(b);
    replay_rest(b);
    settle(a, b);
    replay_rest(a);
    ck_assert(!replay_is_restless(a) && !replay_is_restless(b));
    ck_assert_uint_lt(resident_kib(), before + 512);
}
END_TEST

START_TEST(the_end_is_said_once_and_again_on_the_next_connection)
{
    scoped(replay_freep) struct replay *a = replay_new(), *b = replay_new();

    connect_both(a, b);
    ck_assert(add(a, 0, 100));
    replay_end(a);
    ck_assert_ptr_null(replay_room(a));
    settle(a, b);
    ck_assert(replay_peer_has_ended(b));
    ck_assert(!replay_peer_has_ended(a));
    scoped(replay_freep) struct replay *c = replay_new();
    connect_both(a, c);
    ck_assert_uint_eq(move(a, c, SIZE_MAX, SIZE_MAX), 2 * REPLAY_HEAD);
    ck_assert(replay_peer_has_ended(c));
}
END_TEST

/* ---- hostile peers --------------------------------------------------------------------------- */

/* A peer that says just that, behind an honest greeting if it is asked for. */
static int say(struct replay *to, const struct replay_head *head)
{
    uint8_t bytes[REPLAY_HEAD];
    size_t space;

    replay_head_put(bytes, head);
    memcpy(replay_space(to, &space), bytes, sizeof(bytes));
    return replay_received(to, sizeof(bytes), &err);
}

static struct replay *greeted(void)
{
    struct replay *replay = replay_new();

    replay_begin(replay);
    OK(say(replay, &(struct replay_head){.type = REPLAY_RESUME}));
    return replay;
}

static void drain(struct replay *replay)
{
    size_t length;

    while (replay_output(replay, &length) && length > 0)
        replay_sent(replay, length);
}

START_TEST(heads_that_do_not_exist_are_refused)
{
    static const struct replay_head heads[] = {
        {.type = 0, .length = 0},
        {.type = 5, .length = 0},
        {.type = 255, .length = 100},
        {.type = REPLAY_RESUME, .length = 1},
        {.type = REPLAY_ACK, .length = 16},
        {.type = REPLAY_END, .length = 16},
        {.type = REPLAY_MESSAGE, .length = 0},
        {.type = REPLAY_MESSAGE, .length = REPLAY_MESSAGE_MIN - 1},
        {.type = REPLAY_MESSAGE, .length = REPLAY_MESSAGE_MAX + 1},
        {.type = REPLAY_MESSAGE, .length = 0xffffff},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(heads); i++) {
        scoped(replay_freep) struct replay *replay = greeted();

        ck_assert_int_eq(say(replay, &heads[i]), -1);
    }
}
END_TEST

START_TEST(claims_that_cannot_be_true_end_it)
{
    static const struct {
        struct replay_head head;
        const char *why;
    } claims[] = {
        {{REPLAY_ACK, 0, 0, 3}, "acknowledged"}, /* two were sent */
        {{REPLAY_ACK, 0, 0, 0}, "acknowledged"}, /* one was acknowledged already */
        {{REPLAY_ACK, 0, 0, UINT64_MAX}, "acknowledged"},
        {{REPLAY_ACK, 0, 1, 1}, "with a number"},
        {{REPLAY_END, 0, 1, 1}, "with a number"},
        {{REPLAY_RESUME, 0, 1, 1}, "in the middle"},
        {{REPLAY_MESSAGE, 16, 1, 1}, "came instead of 0"},
        {{REPLAY_MESSAGE, 16, UINT64_MAX, 1}, "came instead of 0"},
        {{REPLAY_MESSAGE, 16, 0, 3}, "acknowledged"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(claims); i++) {
        scoped(replay_freep) struct replay *replay = greeted();

        ck_assert(add(replay, 0, 16) && add(replay, 1, 16));
        drain(replay);
        ck_assert(add(replay, 2, 16));
        OK(say(replay, &(struct replay_head){.type = REPLAY_ACK, .taken = 1}));
        ck_assert_int_eq(say(replay, &claims[i].head), -1);
        ck_assert_msg(strstr(err.message, claims[i].why), "%zu: %s", i, err.message);
    }
}
END_TEST

START_TEST(greetings_that_cannot_be_true_end_it)
{
    static const struct replay_head greetings[] = {
        {REPLAY_RESUME, 0, 3, 1}, /* two were sent */
        {REPLAY_RESUME, 0, 0, 0}, /* one was acknowledged */
        {REPLAY_RESUME, 0, 1, 2}, /* handed on before it came */
        {REPLAY_RESUME, 0, UINT64_MAX, 1}, {REPLAY_ACK, 0, 0, 1},
        {REPLAY_MESSAGE, 16, 0, 1},        {REPLAY_END, 0, 0, 1},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(greetings); i++) {
        scoped(replay_freep) struct replay *replay = greeted();

        ck_assert(add(replay, 0, 16) && add(replay, 1, 16));
        drain(replay);
        ck_assert(add(replay, 2, 16));
        OK(say(replay, &(struct replay_head){.type = REPLAY_ACK, .taken = 1}));
        replay_begin(replay);
        ck_assert_msg(say(replay, &greetings[i]) == -1, "greeting %zu", i);
    }
}
END_TEST

/* It was sent on the connection before, but the peer has just said that it has not got it. */
START_TEST(what_was_not_sent_again_cannot_be_acknowledged)
{
    scoped(replay_freep) struct replay *replay = greeted();

    ck_assert(add(replay, 0, 16) && add(replay, 1, 16));
    drain(replay);
    replay_begin(replay);
    OK(say(replay, &(struct replay_head){.type = REPLAY_RESUME, .number = 1}));
    OK(say(replay, &(struct replay_head){.type = REPLAY_ACK, .taken = 1}));
    ck_assert_int_eq(say(replay, &(struct replay_head){.type = REPLAY_ACK, .taken = 2}), -1);
    ck_assert_ptr_nonnull(strstr(err.message, "before it was sent again"));
}
END_TEST

START_TEST(more_than_the_window_is_not_taken)
{
    scoped(replay_freep) struct replay *replay = greeted();
    size_t length, came = 0;
    int r = 0;

    for (uint64_t i = 0; r == 0 && i < 16; i++) {
        r = say(replay, &(struct replay_head){
                            .type = REPLAY_MESSAGE, .length = REPLAY_MESSAGE_MAX, .number = i});
        for (size_t done = 0; r == 0 && done < REPLAY_MESSAGE_MAX; done += length) {
            size_t left = REPLAY_MESSAGE_MAX - done;

            (void) replay_space(replay, &length);
            length = length < left ? length : left;
            OK(replay_received(replay, length, &err));
            came += length;
        }
    }
    ck_assert_int_eq(r, -1);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_uint_le(came, REPLAY_WINDOW + REPLAY_MESSAGE_MAX);
}
END_TEST

START_TEST(nothing_comes_after_the_end)
{
    scoped(replay_freep) struct replay *replay = greeted();

    OK(say(replay, &(struct replay_head){.type = REPLAY_END}));
    ck_assert_int_eq(say(replay, &(struct replay_head){.type = REPLAY_ACK}), -1);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "replay", .timeout_s = 60},
        (const TTest *[]){
            messages_arrive_in_order_and_are_forgotten_when_they_were_taken,
            half_of_the_window_is_acknowledged_without_an_answer,
            a_cut_at_any_byte_loses_and_doubles_nothing, cuts_without_end_lose_nothing,
            the_buffers_go_round, what_is_not_acknowledged_is_bounded, memory_is_given_back_at_rest,
            the_end_is_said_once_and_again_on_the_next_connection,
            heads_that_do_not_exist_are_refused, claims_that_cannot_be_true_end_it,
            greetings_that_cannot_be_true_end_it, what_was_not_sent_again_cannot_be_acknowledged,
            more_than_the_window_is_not_taken, nothing_comes_after_the_end, NULL});
}
