/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "mux.h"

enum { FRAMES_MAX = 64 };

/* A connection that writes down what is sent, as long as it may. */
struct link {
    unsigned may_send;
    unsigned count;
    bool replaced;
    struct {
        char container[16];
        unsigned fd;
        enum mux_kind kind;
        uint64_t offset;
        size_t length;
        char text[80];
    } frames[FRAMES_MAX];
};

static bool writable(void *user)
{
    return ((struct link *) user)->may_send > 0;
}

static void send_frame(void *user, const struct mux_frame *frame)
{
    struct link *link = user;

    ck_assert_uint_lt(link->count, FRAMES_MAX);
    link->may_send--;
    strncpy(link->frames[link->count].container, frame->container_id, 15);
    link->frames[link->count].fd = frame->fd;
    link->frames[link->count].kind = frame->kind;
    link->frames[link->count].offset = frame->offset;
    link->frames[link->count].length = frame->length;
    if (frame->text)
        strncpy(link->frames[link->count].text, frame->text, 79);
    link->count++;
}

static void replaced(void *user)
{
    ((struct link *) user)->replaced = true;
}

static const struct mux_link link_calls = {
    .writable = writable, .send = send_frame, .replaced = replaced};

static void noted(void *user)
{
    ++*(unsigned *) user;
}

static const struct mux_lane_events lane_events = {.on_room = noted, .on_input = noted};

static void add_lane(struct mux *mux, struct mux_lane *lane, const char *id, unsigned fd,
                     unsigned *calls)
{
    *lane = (struct mux_lane){
        .container_id = id, .exec_id = "", .fd = fd, .events = &lane_events, .user = calls};
    mux_add(mux, lane);
}

static void output(struct mux_lane *lane, size_t length)
{
    while (length) {
        size_t room;
        uint8_t *to = outflow_reserve(&lane->out, &room);

        room = room < length ? room : length;
        ck_assert_uint_gt(room, 0);
        memset(to, 'x', room);
        outflow_commit(&lane->out, room);
        length -= room;
    }
    mux_wake(lane);
}

static void say(struct mux *mux, const char *id, unsigned fd, enum mux_kind kind, uint64_t offset)
{
    const struct mux_frame frame = {.container_id = id,
                                    .exec_id = "",
                                    .fd = fd,
                                    .kind = kind,
                                    .offset = offset,
                                    .data = (const uint8_t *) "hello",
                                    .length = kind == MUX_DATA ? 5 : 0};

    mux_receive(mux, &frame);
}

START_TEST(a_flood_takes_turns_with_a_trickle)
{
    struct mux *mux = mux_new();
    struct link link = {.may_send = 0};
    struct mux_lane flood, trickle;
    unsigned calls = 0;

    add_lane(mux, &flood, "flood", 1, &calls);
    add_lane(mux, &trickle, "trickle", 1, &calls);
    mux_attach(mux, &link_calls, &link);
    say(mux, "flood", 1, MUX_CONSUMED, 0);
    say(mux, "trickle", 1, MUX_CONSUMED, 0);
    output(&flood, FLOW_CREDIT);
    output(&trickle, 10);
    link.may_send = 10;
    mux_writable(mux);
    ck_assert_uint_eq(link.count, 5); /* four pieces of the flood, one of the other */
    ck_assert_str_eq(link.frames[0].container, "flood");
    ck_assert_uint_eq(link.frames[0].length, FLOW_PIECE_MAX);
    ck_assert_str_eq(link.frames[1].container, "trickle");
    ck_assert_uint_eq(link.frames[1].length, 10);
    mux_remove(&flood);
    mux_remove(&trickle);
    mux_free(mux);
}
END_TEST

START_TEST(nothing_is_sent_while_the_connection_takes_nothing)
{
    struct mux *mux = mux_new();
    struct link link = {.may_send = 1};
    struct mux_lane lane;
    unsigned calls = 0;

    add_lane(mux, &lane, "one", 1, &calls);
    mux_attach(mux, &link_calls, &link);
    say(mux, "one", 1, MUX_CONSUMED, 0);
    output(&lane, 2 * FLOW_PIECE_MAX);
    ck_assert_uint_eq(link.count, 1);
    link.may_send = 1;
    mux_writable(mux);
    ck_assert_uint_eq(link.count, 2);
    mux_remove(&lane);
    mux_free(mux);
}
END_TEST

START_TEST(the_agent_speaks_first_about_input)
{
    struct mux *mux = mux_new();
    struct link link = {.may_send = 10};
    struct mux_lane lane;
    unsigned calls = 0;
    size_t length;

    add_lane(mux, &lane, "one", 0, &calls);
    mux_attach(mux, &link_calls, &link);
    ck_assert_uint_eq(link.count, 1);
    ck_assert_int_eq(link.frames[0].kind, MUX_CONSUMED);
    ck_assert_uint_eq(link.frames[0].offset, 0);
    say(mux, "one", 0, MUX_DATA, 0);
    ck_assert_uint_eq(calls, 1);
    ck_assert_mem_eq(inflow_peek(&lane.in, &length), "hello", 5);
    say(mux, "one", 0, MUX_FINAL, 5);
    ck_assert_uint_eq(lane.in.closes_at, 5);
    mux_remove(&lane);
    mux_free(mux);
}
END_TEST

START_TEST(a_frame_that_breaks_the_rules_is_answered_on_its_stream)
{
    struct mux *mux = mux_new();
    struct link link = {.may_send = 40};
    struct mux_lane in, out;
    unsigned calls = 0;

    add_lane(mux, &in, "one", 0, &calls);
    add_lane(mux, &out, "one", 1, &calls);
    mux_attach(mux, &link_calls, &link);
    link.count = 0;
    say(mux, "nobody", 1, MUX_CONSUMED, 0);
    say(mux, "one", 7, MUX_CONSUMED, 0);
    say(mux, "one", 1, MUX_DATA, 0);
    say(mux, "one", 1, MUX_CONSUMED, 1);
    say(mux, "one", 0, MUX_CONSUMED, 0);
    say(mux, "one", 0, MUX_DATA, 9);
    ck_assert_uint_eq(link.count, 6);
    for (unsigned i = 0; i < link.count; i++) {
        ck_assert_int_eq(link.frames[i].kind, MUX_ERROR);
        ck_assert_uint_gt(strlen(link.frames[i].text), 0);
    }
    ck_assert_str_eq(link.frames[0].container, "nobody");
    ck_assert_uint_eq(calls, 0);
    mux_remove(&in);
    mux_remove(&out);
    mux_free(mux);
}
END_TEST

START_TEST(complaints_to_a_peer_that_does_not_listen_are_bounded)
{
    struct mux *mux = mux_new();
    struct link link = {.may_send = 0};

    mux_attach(mux, &link_calls, &link);
    for (int i = 0; i < 1000; i++)
        say(mux, "nobody", 1, MUX_CONSUMED, 0);
    link.may_send = 1000;
    mux_writable(mux);
    ck_assert_uint_eq(link.count, 16);
    mux_free(mux);
}
END_TEST

START_TEST(a_newer_connection_takes_over_and_resumes)
{
    struct mux *mux = mux_new();
    struct link first = {.may_send = 10}, second = {.may_send = 10};
    struct mux_lane lane;
    unsigned calls = 0;

    add_lane(mux, &lane, "one", 1, &calls);
    mux_attach(mux, &link_calls, &first);
    say(mux, "one", 1, MUX_CONSUMED, 0);
    output(&lane, 100);
    ck_assert_uint_eq(first.count, 1);
    mux_attach(mux, &link_calls, &second);
    ck_assert(first.replaced);
    ck_assert_uint_eq(second.count, 0); /* the tenant speaks first about output */
    say(mux, "one", 1, MUX_CONSUMED, 40);
    ck_assert_uint_eq(second.count, 1);
    ck_assert_uint_eq(second.frames[0].offset, 40);
    ck_assert_uint_eq(second.frames[0].length, 60);
    mux_detach(mux, &first); /* of old: nothing */
    ck_assert(mux_is_attached(mux, &second));
    mux_detach(mux, &second);
    ck_assert(!mux_is_attached(mux, &second));
    mux_remove(&lane);
    mux_free(mux);
}
END_TEST

START_TEST(it_is_drained_when_the_last_byte_is_consumed_and_the_end_was_told)
{
    struct mux *mux = mux_new();
    struct link link = {.may_send = 10};
    struct mux_lane in, out;
    unsigned calls = 0, drained = 0;

    mux_on_drained(mux, noted, &drained);
    ck_assert(mux_is_drained(mux));
    add_lane(mux, &in, "one", 0, &calls);
    ck_assert(mux_is_drained(mux)); /* input is nobody's output */
    add_lane(mux, &out, "one", 1, &calls);
    mux_attach(mux, &link_calls, &link);
    say(mux, "one", 1, MUX_CONSUMED, 0);
    output(&out, 10);
    outflow_finish(&out.out);
    mux_wake(&out);
    ck_assert(!mux_is_drained(mux));
    ck_assert_uint_eq(drained, 0);
    say(mux, "one", 1, MUX_CONSUMED, 10);
    ck_assert(mux_is_drained(mux));
    ck_assert_uint_eq(drained, 1);
    mux_detach(mux, &link);
    ck_assert(mux_is_drained(mux)); /* it need not come back for this */
    mux_remove(&in);
    mux_remove(&out);
    ck_assert(mux_is_drained(mux));
    mux_free(mux);
}
END_TEST

int main(void)
{
    return suite_run("mux", (const TTest *[]){
                                a_flood_takes_turns_with_a_trickle,
                                nothing_is_sent_while_the_connection_takes_nothing,
                                the_agent_speaks_first_about_input,
                                a_frame_that_breaks_the_rules_is_answered_on_its_stream,
                                complaints_to_a_peer_that_does_not_listen_are_bounded,
                                a_newer_connection_takes_over_and_resumes,
                                it_is_drained_when_the_last_byte_is_consumed_and_the_end_was_told,
                                NULL,
                            });
}
