/* SPDX-License-Identifier: Apache-2.0 */
/* Two shuttles, each with an end that is a counter, and this program as the connection that drives
 * them. */
#include "io/shuttle.h"

#include "base/error.h"
#include "io/loop.h"
#include "io/replay.h"
#include "suite.h"

enum { LENGTH = 40000 };

struct side {
    uint64_t asked, allowed; /* messages that it has given, and how many it has */
    uint64_t got;
    bool gone, blocks;
    struct shuttle_state state;
    struct shuttle *shuttle;
    int over; /* how often */
    enum shuttle_outcome outcome;
    struct error why;
};

static struct loop *loop;
static struct side a, b;
static struct error err;

#define OK(expression) ck_assert_msg((expression) == 0, "%s", err.message)

static uint8_t fill(uint64_t serial)
{
    return (uint8_t) (serial * 31 + 1);
}

static enum shuttle_result read_side(void *user, uint8_t *data, size_t *filled, struct error *fault)
{
    struct side *side = user;

    (void) fault;
    if (side->gone)
        return SHUTTLE_ENDED;
    if (side->asked == side->allowed)
        return SHUTTLE_LATER;
    memset(data, fill(side->asked++), LENGTH);
    *filled = LENGTH;
    return SHUTTLE_DONE;
}

static enum shuttle_result write_side(void *user, const uint8_t *data, size_t length,
                                      size_t *written, struct error *fault)
{
    struct side *side = user;

    (void) written;
    if (side->blocks)
        return SHUTTLE_LATER;
    if (length != LENGTH || data[0] != fill(side->got) || data[length - 1] != fill(side->got)) {
        error_set(fault, STATUS_DATA_LOSS, "message %d is another", (int) side->got);
        return SHUTTLE_FAILED;
    }
    side->got++;
    return SHUTTLE_DONE;
}

static const struct shuttle_end counter = {.read = read_side, .write = write_side};

static void on_over(void *user, enum shuttle_outcome outcome, const struct error *fault)
{
    struct side *side = user;

    side->over++;
    side->outcome = outcome;
    if (fault)
        side->why = *fault;
}

/* A new connection. */
static void begin(struct side *side)
{
    const struct shuttle_options options = {
        .loop = loop, .state = &side->state, .over = on_over, .user = side};

    shuttle_free(take_ptr(side->shuttle));
    OK(shuttle_new(&options, &side->shuttle, &err));
}

static void init(struct side *side)
{
    *side = (struct side){
        .state = {.end = &counter, .user = side, .fd = 42, .replay = replay_new()}};
    begin(side);
}

static void setup(void)
{
    OK(loop_new(&loop, &err));
    init(&a);
    init(&b);
}

static void teardown(void)
{
    shuttle_free(a.shuttle);
    shuttle_free(b.shuttle);
    replay_free(a.state.replay);
    replay_free(b.state.replay);
    loop_free(loop);
}

/* At most so many bytes; how many went. */
static size_t move(struct side *from, struct side *to, size_t most)
{
    size_t moved = 0, length, room;
    const uint8_t *data;

    while (moved < most) {
        uint8_t *space = shuttle_space(to->shuttle, &room); /* which hands on what had to wait */

        if (shuttle_output(from->shuttle, &data, &length) != SHUTTLE_BYTES)
            break;
        length = length < room ? length : room;
        length = length < most - moved ? length : most - moved;
        memcpy(space, data, length);
        shuttle_sent(from->shuttle, length);
        moved += length;
        if (shuttle_received(to->shuttle, length) < 0)
            break;
    }
    return moved;
}

static enum shuttle_output peek(struct side *side)
{
    const uint8_t *data;
    size_t length;

    return shuttle_output(side->shuttle, &data, &length);
}

static void settle(void)
{
    while (move(&a, &b, SIZE_MAX) + move(&b, &a, SIZE_MAX) > 0)
        continue;
}

static void until_over(struct side *side)
{
    while (!side->over)
        OK(loop_turn(loop, 20, &err));
}

START_TEST(messages_go_from_end_to_end_both_ways)
{
    a.allowed = 500;
    b.allowed = 300;
    settle();
    ck_assert_uint_eq(b.got, 500);
    ck_assert_uint_eq(a.got, 300);
    ck_assert_int_eq(a.over + b.over, 0);
}
END_TEST

START_TEST(an_end_is_read_for_as_long_as_the_other_one_takes)
{
    b.blocks = true;
    a.allowed = 500;
    settle();
    ck_assert_uint_eq(a.asked, REPLAY_WINDOW / LENGTH + 1);
    ck_assert_uint_eq(shuttle_events(a.shuttle), 0);
    ck_assert_uint_eq(shuttle_events(b.shuttle), LOOP_READ | LOOP_WRITE);
    b.blocks = false;
    settle();
    ck_assert_uint_eq(b.got, 500);
    ck_assert_uint_eq(shuttle_events(b.shuttle), LOOP_READ);
}
END_TEST

START_TEST(what_was_on_the_way_goes_with_the_next_connection)
{
    a.allowed = 60;
    for (int i = 0; i < 40; i++) {
        (void) move(&b, &a, SIZE_MAX);
        (void) move(&a, &b, 1 + LENGTH * (size_t) i / 7);
        begin(&a);
        begin(&b);
    }
    settle();
    ck_assert_uint_eq(b.got, 60);
}
END_TEST

START_TEST(the_last_word_finishes_the_connection)
{
    settle();
    a.gone = true;
    (void) move(&a, &b, SIZE_MAX);
    ck_assert_int_eq(peek(&a), SHUTTLE_FINISHED);
    until_over(&a);
    ck_assert_int_eq(a.outcome, SHUTTLE_OWN_ENDED);
    until_over(&b);
    ck_assert_int_eq(b.outcome, SHUTTLE_PEER_ENDED);
    ck_assert_int_eq(peek(&b), SHUTTLE_OVER);
}
END_TEST

/* Its reader may have much to say still. */
START_TEST(nothing_is_taken_behind_the_last_word)
{
    size_t length;

    settle();
    a.gone = true;
    (void) move(&a, &b, REPLAY_HEAD);
    ck_assert_int_eq(peek(&a), SHUTTLE_FINISHED);
    memset(shuttle_space(a.shuttle, &length), 0xff, 100);
    ck_assert_int_eq(shuttle_received(a.shuttle, 100), 0);
    until_over(&a);
    ck_assert_int_eq(a.outcome, SHUTTLE_OWN_ENDED);
}
END_TEST

START_TEST(who_hears_first_that_the_connection_has_ended_hears_what_was_said)
{
    settle();
    a.gone = true;
    (void) move(&a, &b, SIZE_MAX);
    ck_assert_int_eq(b.over, 0); /* the loop has not turned */
    ck_assert(shuttle_tell(b.shuttle));
    ck_assert_int_eq(b.outcome, SHUTTLE_PEER_ENDED);
    ck_assert(!shuttle_tell(b.shuttle));
    ck_assert_int_eq(peek(&a), SHUTTLE_FINISHED);
    until_over(&a);
    ck_assert_int_eq(b.over, 1);
}
END_TEST

START_TEST(a_connection_that_ends_alone_says_nothing)
{
    settle();
    ck_assert(!shuttle_tell(a.shuttle));
    ck_assert_int_eq(a.over, 0);
}
END_TEST

START_TEST(a_last_word_that_nobody_takes_is_given_up)
{
    settle();
    ck_assert_uint_eq(shuttle_patience_ms(a.shuttle), 0);
    a.gone = true;
    ck_assert_int_eq(peek(&a), SHUTTLE_BYTES);
    ck_assert_uint_gt(shuttle_patience_ms(a.shuttle), 0);
    shuttle_rest(a.shuttle);
    until_over(&a);
    ck_assert_int_eq(a.outcome, SHUTTLE_LOST);
    ck_assert_uint_eq(shuttle_patience_ms(a.shuttle), 0);
    ck_assert_int_eq(peek(&a), SHUTTLE_OVER);
}
END_TEST

START_TEST(what_was_taken_is_acknowledged_when_nothing_happens)
{
    a.allowed = 1;
    settle();
    ck_assert_uint_gt(shuttle_patience_ms(b.shuttle), 0);
    shuttle_rest(b.shuttle);
    settle();
    ck_assert_uint_eq(shuttle_patience_ms(b.shuttle), 0);
}
END_TEST

START_TEST(a_peer_that_breaks_the_rules_is_not_heard_again)
{
    size_t length;

    memset(shuttle_space(a.shuttle, &length), 0xff, REPLAY_HEAD);
    ck_assert_int_lt(shuttle_received(a.shuttle, REPLAY_HEAD), 0);
    until_over(&a);
    ck_assert_int_eq(a.outcome, SHUTTLE_PEER_BROKE);
    ck_assert_ptr_nonnull(strstr(a.why.message, "type 255"));
}
END_TEST

START_TEST(an_end_that_fails_says_why_and_tells_the_peer)
{
    settle();
    b.got = 7; /* so that what comes is not what is expected */
    a.allowed = 1;
    settle();
    until_over(&b);
    ck_assert_int_eq(b.outcome, SHUTTLE_OWN_ENDED);
    ck_assert_ptr_nonnull(strstr(b.why.message, "message 7"));
    until_over(&a);
    ck_assert_int_eq(a.outcome, SHUTTLE_PEER_ENDED);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "shuttle", .setup = setup, .teardown = teardown},
        (const TTest *[]){
            messages_go_from_end_to_end_both_ways,
            an_end_is_read_for_as_long_as_the_other_one_takes,
            what_was_on_the_way_goes_with_the_next_connection,
            the_last_word_finishes_the_connection, nothing_is_taken_behind_the_last_word,
            who_hears_first_that_the_connection_has_ended_hears_what_was_said,
            a_connection_that_ends_alone_says_nothing, a_last_word_that_nobody_takes_is_given_up,
            what_was_taken_is_acknowledged_when_nothing_happens,
            a_peer_that_breaks_the_rules_is_not_heard_again,
            an_end_that_fails_says_why_and_tells_the_peer, NULL});
}
