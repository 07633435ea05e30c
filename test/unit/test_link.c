/* SPDX-License-Identifier: Apache-2.0 */
/* The link between connections that a test opens, breaks and replaces by hand. */
#include <stdio.h>
#include <string.h>

#include "agent.pb-c.h"
#include "base/error.h"
#include "base/scoped.h"
#include "fake_time.h"
#include "link.h"
#include "suite.h"

/* ---- connections ---- */

struct channel {
    bool is_bulk;
    bool retired;
    channel_open_fn *opened;
    channel_end_fn *on_end;
    channel_due_fn *on_due;
    void *opened_user, *end_user, *due_user;
};

struct rpc_channel {
    rpc_end_fn *on_end;
    rpc_guard_fn *guard;
    void *user, *guard_user;
};

static struct channel *last_control, *last_bulk; /* dialled or joined last */
static unsigned dials, channels;
static uint64_t last_deadline_ms;

int channel_dial(struct loop *loop, const struct channel_dial_options *options,
                 channel_open_fn *opened, void *user, struct channel **ret, struct error *err)
{
    *ret = last_control = xnew(struct channel);
    last_control->opened = opened;
    last_control->opened_user = user;
    last_deadline_ms = options->deadline_ms;
    dials++;
    channels++;
    return 0;
}

int channel_join(struct channel *control, enum channel_class class, channel_open_fn *opened,
                 void *user, struct channel **ret, struct error *err)
{
    *ret = last_bulk = xnew(struct channel);
    last_bulk->is_bulk = true;
    last_bulk->opened = opened;
    last_bulk->opened_user = user;
    channels++;
    return 0;
}

void channel_free(struct channel *channel)
{
    if (!channel)
        return;
    if (channel == last_control)
        last_control = NULL;
    channels--;
    free(channel);
}

int channel_take_fd(struct channel *channel, int *ret_fd, struct error *err)
{
    *ret_fd = -1;
    return 0;
}

void channel_on_end(struct channel *channel, channel_end_fn *fn, void *user)
{
    channel->on_end = fn;
    channel->end_user = user;
}

void channel_on_replacement_due(struct channel *channel, channel_due_fn *fn, void *user)
{
    channel->on_due = fn;
    channel->due_user = user;
}

void channel_retire(struct channel *channel)
{
    channel->retired = true;
}

struct channel_facts channel_facts(const struct channel *channel)
{
    return (struct channel_facts){0};
}

int rpc_channel_from_fd(struct rpc_queue *queue, int fd, rpc_end_fn *on_end, void *user,
                        struct rpc_channel **ret)
{
    *ret = xnew(struct rpc_channel);
    (*ret)->on_end = on_end;
    (*ret)->user = user;
    return 0;
}

void rpc_channel_guard(struct rpc_channel *channel, rpc_guard_fn *guard, void *user)
{
    channel->guard = guard;
    channel->guard_user = user;
}

void rpc_channel_free(struct rpc_channel *channel)
{
    free(channel);
}

/* ---- calls on the wire ---- */

struct rpc_call {
    struct rpc_call *next;
    char id[32];
    rpc_done_fn *done;
    void *user;
};

static struct rpc_call *wire; /* in the order in which they were sent */

int rpc_call_unary(struct rpc_channel *channel, const struct rpc_request *request,
                   rpc_done_fn *done, void *user, struct rpc_call **ret)
{
    const Agent__ContainerRequest *message = (const Agent__ContainerRequest *) request->message;
    struct rpc_call *call, **end = &wire;

    if (!channel->guard(channel->guard_user))
        return -1;
    call = xnew(struct rpc_call);
    snprintf(call->id, sizeof(call->id), "%s", message->container_id);
    call->done = done;
    call->user = user;
    while (*end)
        end = &(*end)->next;
    *end = call;
    *ret = call;
    return 0;
}

void rpc_call_free(struct rpc_call *call)
{
    struct rpc_call **p = &wire;

    if (!call)
        return;
    while (*p != call)
        p = &(*p)->next;
    *p = call->next;
    free(call);
}

static void expect_wire(const char *expected)
{
    char ids[256] = "";

    for (struct rpc_call *call = wire; call; call = call->next)
        strcat(strcat(ids, call->id), " ");
    ck_assert_str_eq(ids, expected);
}

static void answer(const char *id, enum status status)
{
    struct rpc_result result = {.status = status, .message = ""};
    struct rpc_call *call = wire;

    while (call && strcmp(call->id, id) != 0)
        call = call->next;
    ck_assert_msg(call != NULL, "'%s' is not on the wire", id);
    call->done(call->user, &result);
}

/* ---- a link ---- */

static struct link *guest;
static unsigned opened, lost, ended;
static enum status last_status;
static unsigned answers;

static bool claimed, held;

static int on_appraised(void *user, const struct channel_facts *facts, struct error *err)
{
    return claimed ? 0 : error_set(err, STATUS_FAILED_PRECONDITION, "held by another");
}

static bool may_call(void *user)
{
    return held;
}

static void on_opened(void *user)
{
    opened++;
}

static void on_lost(void *user, const struct error *err)
{
    lost++;
}

static void on_ended(void *user, const struct error *err)
{
    ended++;
}

static void on_answer(void *user, const struct rpc_result *result)
{
    answers++;
    last_status = result->status;
}

static struct link_call *send(const char *id, uint64_t deadline_ms)
{
    Agent__ContainerRequest message = AGENT__CONTAINER_REQUEST__INIT;
    struct link_request request = {.method = "/agent.Control/Stats",
                                   .message = &message.base,
                                   .reply = &agent__stats_response__descriptor,
                                   .deadline_ms = deadline_ms};

    message.container_id = (char *) id;
    return link_call(guest, &request, on_answer, NULL);
}

static void open_connection(void)
{
    last_control->opened(last_control->opened_user, last_control, NULL);
    last_bulk->opened(last_bulk->opened_user, last_bulk, NULL);
}

static void break_connection(struct channel *control)
{
    struct error err;

    error_set(&err, STATUS_UNAVAILABLE, "cut");
    control->on_end(control->end_user, control, &err);
    pass(0);
}

static void setup_by(struct offers *offers)
{
    static const struct link_events events = {on_appraised, may_call, on_opened, on_lost, on_ended};
    struct link_options options = {.endpoint = {.offers = offers},
                                   .dial_timeout_ms = 10000,
                                   .request_timeout_ms = 60000,
                                   .lost_timeout_ms = 20000};
    struct error err;

    opened = lost = ended = answers = dials = 0;
    claimed = held = true;
    ck_assert(link_new(&options, &events, NULL, &guest, &err) == 0);
    pass(0);
    ck_assert_uint_eq(dials, 1);
}

static void setup(void)
{
    setup_by(NULL);
}

static void teardown(void)
{
    link_free(guest);
    ck_assert_ptr_null(wire);
    ck_assert_ptr_null(sources);
    ck_assert_uint_eq(channels, 0);
}

START_TEST(calls_wait_for_the_first_connection)
{
    struct link_call *call;

    setup();
    call = send("a", 0);
    send("b", 0);
    expect_wire("");
    ck_assert(!link_call_was_sent(call));
    open_connection();
    expect_wire("a b ");
    ck_assert(link_call_was_sent(call));
    ck_assert_uint_eq(opened, 1);
    teardown();
}
END_TEST

START_TEST(what_was_cut_off_is_sent_again_in_its_order)
{
    struct channel *first;

    setup();
    first = last_control;
    open_connection();
    send("a", 0);
    send("b", 0);
    answer("a", STATUS_OK);
    send("c", 0);
    break_connection(first);
    ck_assert_uint_eq(lost, 1);
    expect_wire("");
    send("d", 0);
    pass(200);
    ck_assert_uint_eq(dials, 2);
    open_connection();
    expect_wire("b c d ");
    ck_assert_uint_eq(answers, 1);
    teardown();
}
END_TEST

START_TEST(a_call_that_the_connection_cut_short_is_tried_again)
{
    setup();
    open_connection();
    send("a", 0);
    answer("a", STATUS_UNAVAILABLE);
    ck_assert_uint_eq(answers, 0);
    pass(200);
    expect_wire("a ");
    answer("a", STATUS_NOT_FOUND);
    ck_assert_uint_eq(answers, 1);
    ck_assert_int_eq(last_status, STATUS_NOT_FOUND);
    teardown();
}
END_TEST

START_TEST(a_replacement_takes_new_calls_and_lets_old_ones_end)
{
    struct channel *first;

    setup();
    first = last_control;
    open_connection();
    send("a", 0);
    first->on_due(first->due_user, first);
    ck_assert_uint_eq(dials, 2);
    expect_wire("a ");
    open_connection();
    ck_assert(first->retired);
    ck_assert_uint_eq(lost, 0);
    send("b", 0);
    expect_wire("a b ");
    answer("a", STATUS_OK);
    pass(0);
    ck_assert_uint_eq(channels, 2); /* the old pair is gone */
    answer("b", STATUS_OK);
    ck_assert_uint_eq(answers, 2);
    teardown();
}
END_TEST

static void fail_to_open(enum status status)
{
    struct error err;

    error_set(&err, status, "not there");
    last_control->opened(last_control->opened_user, last_control, &err);
    pass(0);
}

START_TEST(an_attempt_to_connect_begins_anew_soon_and_then_later)
{
    setup();
    ck_assert_uint_lt(last_deadline_ms, 1000);
    for (unsigned i = 0; i < 4; i++) {
        fail_to_open(STATUS_DEADLINE_EXCEEDED);
        pass(100u << i);
        ck_assert_uint_eq(dials, 2 + i);
    }
    teardown();
}
END_TEST

START_TEST(who_is_dialled_waits_all_the_time)
{
    static char somewhere; /* nobody looks into it here */

    setup_by((struct offers *) &somewhere);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(last_deadline_ms, 10000);
        fail_to_open(STATUS_DEADLINE_EXCEEDED);
        pass(100);
        ck_assert_uint_eq(dials, 2 + i);
    }
    ck_assert_uint_eq(ended, 0);
    teardown();
}
END_TEST

START_TEST(a_cancelled_call_is_never_sent)
{
    struct link_call *call;

    setup();
    call = send("a", 0);
    send("b", 0);
    link_cancel(call);
    open_connection();
    expect_wire("b ");
    teardown();
}
END_TEST

START_TEST(a_call_ends_with_its_deadline_though_nobody_answers)
{
    setup();
    send("a", 500);
    pass(499);
    ck_assert_uint_eq(answers, 0);
    pass(1);
    ck_assert_uint_eq(answers, 1);
    ck_assert_int_eq(last_status, STATUS_DEADLINE_EXCEEDED);
    teardown();
}
END_TEST

START_TEST(a_link_that_is_lost_for_too_long_has_ended)
{
    setup();
    open_connection();
    send("a", 0);
    break_connection(last_control);
    pass(20000);
    ck_assert_uint_eq(ended, 1);
    pass(0);
    ck_assert_uint_eq(answers, 1);
    ck_assert_int_eq(last_status, STATUS_UNAVAILABLE);
    teardown();
}
END_TEST

START_TEST(a_healthy_connection_is_not_reaped)
{
    setup();
    open_connection();
    pass(UINT64_C(400) * 86400 * 1000);
    ck_assert(link_is_open(guest));
    ck_assert_uint_eq(lost, 0);
    teardown();
}
END_TEST

START_TEST(a_refusal_at_the_first_appraisal_is_the_end)
{
    struct error err;

    setup();
    error_set(&err, STATUS_PERMISSION_DENIED, "evidence");
    last_control->opened(last_control->opened_user, last_control, &err);
    pass(0);
    ck_assert_uint_eq(ended, 1);
    ck_assert_str_eq(link_why(guest), "evidence");
    teardown();
}
END_TEST

START_TEST(without_the_lease_no_call_goes_out)
{
    setup();
    open_connection();
    send("a", 0);
    held = false;
    send("b", 0);
    expect_wire("a ");
    pass(0);
    ck_assert_uint_eq(ended, 1);
    expect_wire("");
    pass(0);
    ck_assert_uint_eq(answers, 2);
    ck_assert_int_eq(last_status, STATUS_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(link_why(guest), "revoked"));
    pass(UINT64_C(100) * 1000);
    ck_assert_uint_eq(dials, 1);
    teardown();
}
END_TEST

START_TEST(a_guest_whose_lease_is_not_ours_gets_no_connection)
{
    setup();
    claimed = false;
    send("a", 0);
    last_control->opened(last_control->opened_user, last_control, NULL);
    pass(0);
    ck_assert_uint_eq(ended, 1);
    expect_wire("");
    ck_assert_str_eq(link_why(guest), "held by another");
    teardown();
}
END_TEST

START_TEST(a_dropped_connection_is_followed_by_another)
{
    struct error err;

    setup();
    open_connection();
    ck_assert_ptr_eq(link_control(guest), last_control);
    send("a", 0);
    error_set(&err, STATUS_DEADLINE_EXCEEDED, "late");
    link_drop(guest, &err);
    pass(0);
    ck_assert_ptr_null(link_control(guest));
    pass(200);
    ck_assert_uint_eq(dials, 2);
    open_connection();
    expect_wire("a ");
    teardown();
}
END_TEST

int main(void)
{
    return suite_run(
        "link",
        (const TTest *[]){
            calls_wait_for_the_first_connection, what_was_cut_off_is_sent_again_in_its_order,
            a_call_that_the_connection_cut_short_is_tried_again,
            a_replacement_takes_new_calls_and_lets_old_ones_end,
            an_attempt_to_connect_begins_anew_soon_and_then_later,
            who_is_dialled_waits_all_the_time, a_cancelled_call_is_never_sent,
            a_call_ends_with_its_deadline_though_nobody_answers,
            a_link_that_is_lost_for_too_long_has_ended, a_healthy_connection_is_not_reaped,
            a_refusal_at_the_first_appraisal_is_the_end, without_the_lease_no_call_goes_out,
            a_guest_whose_lease_is_not_ours_gets_no_connection,
            a_dropped_connection_is_followed_by_another, NULL});
}
