/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/scoped.h"
#include "flow.h"

/* Byte n of every stream here. */
static uint8_t byte_at(uint64_t offset)
{
    return (uint8_t) (offset * 31 + offset / 251);
}

/* What a process writes: as much as there is room for, at most. */
static size_t produce(struct outflow *flow, size_t most)
{
    size_t done = 0;

    while (done < most) {
        size_t room;
        uint8_t *to = outflow_reserve(flow, &room);

        if (room > most - done)
            room = most - done;
        if (room == 0)
            break;
        for (size_t i = 0; i < room; i++)
            to[i] = byte_at(flow->end + i);
        outflow_commit(flow, room);
        done += room;
    }
    return done;
}

static void consume(struct outflow *flow, uint64_t consumed)
{
    struct error err;

    ck_assert_msg(outflow_consume(flow, consumed, &err) == 0, "%s", err.message);
}

/* Sends until there is nothing more; where it stopped. */
static uint64_t send_all(struct outflow *flow)
{
    while (outflow_ready(flow)) {
        struct flow_piece piece = outflow_next(flow);

        ck_assert_uint_le(piece.length, FLOW_PIECE_MAX);
        for (size_t i = 0; i < piece.length; i++)
            ck_assert_uint_eq(piece.data[i], byte_at(piece.offset + i));
        if (piece.length == 0)
            break;
    }
    return flow->sent;
}

START_TEST(output_waits_for_its_receiver)
{
    struct outflow flow;

    outflow_init(&flow);
    ck_assert_uint_eq(produce(&flow, 100), 100);
    ck_assert(!outflow_ready(&flow));
    consume(&flow, 0);
    ck_assert(outflow_ready(&flow));
    ck_assert_uint_eq(send_all(&flow), 100);
    outflow_fini(&flow);
}
END_TEST

START_TEST(a_full_buffer_has_no_room_until_bytes_are_consumed)
{
    struct outflow flow;
    size_t room;

    outflow_init(&flow);
    consume(&flow, 0);
    ck_assert_uint_eq(produce(&flow, 2 * FLOW_CREDIT), FLOW_CREDIT);
    (void) outflow_reserve(&flow, &room);
    ck_assert_uint_eq(room, 0);
    ck_assert_uint_eq(send_all(&flow), FLOW_CREDIT);
    (void) outflow_reserve(&flow, &room);
    ck_assert_uint_eq(room, 0); /* sent is not consumed */
    consume(&flow, 1000);
    ck_assert_uint_eq(produce(&flow, FLOW_CREDIT), 1000);
    ck_assert_uint_eq(send_all(&flow), FLOW_CREDIT + 1000);
    outflow_fini(&flow);
}
END_TEST

START_TEST(a_new_connection_goes_on_where_the_receiver_is)
{
    struct outflow flow;

    outflow_init(&flow);
    consume(&flow, 0);
    (void) produce(&flow, 5000);
    (void) send_all(&flow);
    consume(&flow, 2000);
    outflow_detach(&flow);
    ck_assert(!outflow_ready(&flow));
    consume(&flow, 3000); /* bytes that were in flight had come */
    ck_assert_uint_eq(flow.sent, 3000);
    ck_assert_uint_eq(send_all(&flow), 5000);
    outflow_fini(&flow);
}
END_TEST

START_TEST(what_was_consumed_cannot_be_asked_for_again)
{
    struct outflow flow;
    struct error err;

    outflow_init(&flow);
    consume(&flow, 0);
    (void) produce(&flow, 100);
    ck_assert_int_eq(outflow_consume(&flow, 1, &err), -1); /* not sent yet */
    ck_assert_int_eq(err.status, STATUS_OUT_OF_RANGE);
    (void) send_all(&flow);
    consume(&flow, 60);
    ck_assert_int_eq(outflow_consume(&flow, 59, &err), -1);
    ck_assert_int_eq(err.status, STATUS_DATA_LOSS);
    ck_assert_int_eq(outflow_consume(&flow, 101, &err), -1);
    ck_assert_int_eq(err.status, STATUS_OUT_OF_RANGE);
    ck_assert_uint_eq(flow.consumed, 60);
    outflow_fini(&flow);
}
END_TEST

START_TEST(the_end_carries_the_digest_and_is_over_when_consumed)
{
    uint8_t bytes[100], expected[32];
    struct flow_piece piece;
    struct outflow flow;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = byte_at(i);
    digest_sha256(bytes, sizeof(bytes), expected);
    outflow_init(&flow);
    consume(&flow, 0);
    (void) produce(&flow, sizeof(bytes));
    outflow_finish(&flow);
    (void) outflow_next(&flow);
    ck_assert(!outflow_is_over(&flow));
    piece = outflow_next(&flow);
    ck_assert_uint_eq(piece.length, 0);
    ck_assert_uint_eq(piece.offset, sizeof(bytes));
    ck_assert_mem_eq(piece.digest, expected, 32);
    ck_assert(!outflow_ready(&flow));
    ck_assert(!outflow_is_over(&flow));
    consume(&flow, sizeof(bytes));
    ck_assert(outflow_is_over(&flow));
    outflow_detach(&flow); /* on the next connection it is said again */
    ck_assert(outflow_is_over(&flow));
    consume(&flow, sizeof(bytes));
    ck_assert(outflow_ready(&flow));
    piece = outflow_next(&flow);
    ck_assert_mem_eq(piece.digest, expected, 32);
    outflow_fini(&flow);
}
END_TEST

static uint8_t input[FLOW_PIECE_MAX + 1];

static int receive(struct inflow *flow, uint64_t offset, size_t length, struct error *err)
{
    const struct flow_piece piece = {.data = input, .length = length};

    for (size_t i = 0; i < length; i++)
        input[i] = byte_at(offset + i);
    return inflow_receive(flow, offset, &piece, err);
}

static void must_receive(struct inflow *flow, uint64_t offset, size_t length)
{
    struct error err;

    ck_assert_msg(receive(flow, offset, length, &err) == 0, "%s", err.message);
}

static void refuse(struct inflow *flow, uint64_t offset, size_t length, enum status status)
{
    struct error err;

    ck_assert_int_eq(receive(flow, offset, length, &err), -1);
    ck_assert_msg(err.status == status, "%s: %s", status_name(err.status), err.message);
}

/* What the process reads. */
static size_t take_input(struct inflow *flow, size_t most)
{
    size_t taken = 0, length;
    const uint8_t *data;

    while (taken < most && (data = inflow_peek(flow, &length))) {
        if (length > most - taken)
            length = most - taken;
        for (size_t i = 0; i < length; i++)
            ck_assert_uint_eq(data[i], byte_at(flow->consumed + i));
        inflow_drop(flow, length);
        taken += length;
    }
    return taken;
}

START_TEST(input_comes_once_however_often_it_is_sent)
{
    struct inflow flow;

    inflow_init(&flow);
    must_receive(&flow, 0, 100);
    must_receive(&flow, 0, 100);
    must_receive(&flow, 50, 100);
    ck_assert_uint_eq(flow.received, 150);
    ck_assert_uint_eq(take_input(&flow, 1000), 150);
    must_receive(&flow, 10, 20); /* consumed long ago */
    ck_assert_uint_eq(take_input(&flow, 1000), 0);
    inflow_fini(&flow);
}
END_TEST

START_TEST(input_that_breaks_the_rules_is_refused)
{
    struct inflow flow;
    struct error err;

    inflow_init(&flow);
    must_receive(&flow, 0, 10);
    refuse(&flow, 11, 1, STATUS_DATA_LOSS);
    refuse(&flow, 10, FLOW_PIECE_MAX + 1, STATUS_INVALID_ARGUMENT);
    refuse(&flow, UINT64_MAX, 2, STATUS_INVALID_ARGUMENT);
    for (uint64_t at = 10; at + FLOW_PIECE_MAX <= FLOW_CREDIT; at += FLOW_PIECE_MAX)
        must_receive(&flow, at, FLOW_PIECE_MAX);
    refuse(&flow, flow.received, FLOW_PIECE_MAX, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_int_eq(inflow_close_at(&flow, flow.received - 1, &err), -1);
    ck_assert_int_eq(inflow_close_at(&flow, flow.received, &err), 0);
    ck_assert_int_eq(inflow_close_at(&flow, flow.received, &err), 0);
    ck_assert_int_eq(inflow_close_at(&flow, flow.received + 1, &err), -1);
    refuse(&flow, flow.received, 1, STATUS_OUT_OF_RANGE);
    ck_assert(!inflow_at_end(&flow));
    (void) take_input(&flow, SIZE_MAX);
    ck_assert(inflow_at_end(&flow));
    inflow_fini(&flow);
}
END_TEST

START_TEST(credit_is_stated_first_and_then_in_steps)
{
    struct inflow flow;

    inflow_init(&flow);
    ck_assert(inflow_ready(&flow));
    ck_assert_uint_eq(inflow_announce(&flow), 0);
    ck_assert(!inflow_ready(&flow));
    for (uint64_t at = 0; at < FLOW_CREDIT; at += FLOW_PIECE_MAX)
        must_receive(&flow, at, FLOW_PIECE_MAX);
    (void) take_input(&flow, 1);
    ck_assert(!inflow_ready(&flow));
    (void) take_input(&flow, FLOW_CREDIT / 4 - 1);
    ck_assert(inflow_ready(&flow));
    ck_assert_uint_eq(inflow_announce(&flow), FLOW_CREDIT / 4);
    (void) take_input(&flow, FLOW_CREDIT);
    ck_assert(inflow_ready(&flow)); /* empty: whoever waits may go on */
    ck_assert_uint_eq(inflow_announce(&flow), FLOW_CREDIT);
    inflow_detach(&flow);
    ck_assert(inflow_ready(&flow));
    inflow_fini(&flow);
}
END_TEST

START_TEST(input_that_nobody_reads_is_taken_and_dropped)
{
    struct inflow flow;
    size_t length;

    inflow_init(&flow);
    must_receive(&flow, 0, 100);
    inflow_break(&flow);
    for (uint64_t at = 100; at < 3 * FLOW_CREDIT; at += FLOW_PIECE_MAX)
        must_receive(&flow, at, FLOW_PIECE_MAX);
    ck_assert_ptr_null(inflow_peek(&flow, &length));
    ck_assert_uint_eq(flow.consumed, flow.received);
    inflow_fini(&flow);
}
END_TEST

int main(void)
{
    return suite_run("flow", (const TTest *[]){
                                 output_waits_for_its_receiver,
                                 a_full_buffer_has_no_room_until_bytes_are_consumed,
                                 a_new_connection_goes_on_where_the_receiver_is,
                                 what_was_consumed_cannot_be_asked_for_again,
                                 the_end_carries_the_digest_and_is_over_when_consumed,
                                 input_comes_once_however_often_it_is_sent,
                                 input_that_breaks_the_rules_is_refused,
                                 credit_is_stated_first_and_then_in_steps,
                                 input_that_nobody_reads_is_taken_and_dropped,
                                 NULL,
                             });
}
