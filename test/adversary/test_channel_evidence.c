/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of a device that takes its time, or never answers: the guest goes on meanwhile, and what
 * is made too late or for nobody is dropped. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "evidence/sample.h"
#include "io/loop.h"
#include "pair.h"
#include "raw.h"
#include "secure/appraisal.h"
#include "secure/hello.h"
#include "secure/maker.h"
#include "suite.h"

/* A device that makes samples when it is told to. */
static struct device {
    struct maker_order order;
    struct evidence_output output;
    bool busy, refuses;
    int started, cancelled;
} device;

static struct pair pair;
static struct outcome tenant;

static int start(void *context, const struct maker_order *order, void **ret_job, struct error *err)
{
    ck_assert_ptr_eq(context, &device);
    if (device.refuses)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the device is busy");
    ck_assert(!device.busy);
    device.order = *order;
    device.busy = true;
    device.started++;
    appraisal_output_init(&device.output);
    ck_assert_int_eq(evidence_sample.produce(order->request, &device.output, err), 0);
    *ret_job = &device;
    return 0;
}

static void cancel(void *job)
{
    ck_assert_ptr_eq(job, &device);
    ck_assert(device.busy);
    device.busy = false;
    device.cancelled++;
    evidence_output_fini(&device.output);
}

/* The device is done. */
static void make(const struct error *err)
{
    ck_assert(device.busy);
    device.busy = false;
    device.order.made(device.order.user, err ? NULL : &device.output, err);
    evidence_output_fini(&device.output);
}

static const struct maker maker = {start, cancel, &device};

static void setup(void)
{
    memset(&device, 0, sizeof(device));
    memset(&tenant, 0, sizeof(tenant));
    pair_init(&pair);
    pair.maker = &maker;
}

static void teardown(void)
{
    outcome_fini(&tenant);
    pair_fini(&pair);
    ck_assert(!device.busy);
}

static void on_open(void *user, struct channel *channel, const struct error *err)
{
    struct outcome *outcome = user;

    outcome->opened = !err;
    outcome->failed = err != NULL;
    if (err)
        outcome->err = *err;
}

static void begin(void)
{
    struct channel_dial_options options;
    struct error err;

    pair_listen(&pair);
    options = pair_dial_options(&pair);
    ck_assert_int_eq(channel_dial(pair.loop, &options, on_open, &tenant, &tenant.channel, &err), 0);
}

/* Until the device has been asked. */
static void dial(void)
{
    begin();
    pair_until(&pair, &device.busy);
}

START_TEST(the_loop_goes_on_while_evidence_is_made)
{
    dial();
    pair_turns(&pair, 20);
    ck_assert(!tenant.opened && !tenant.failed);
    make(NULL);
    pair_until(&pair, &tenant.opened);
    pair_turns(&pair, 5);
    ck_assert_uint_eq(pair.guest_count, 1);
    ck_assert_int_eq(device.started, 1);
}
END_TEST

START_TEST(evidence_that_cannot_be_made_ends_the_connection_with_the_reason)
{
    struct error err;

    error_set(&err, STATUS_UNAVAILABLE, "the device is broken");
    dial();
    make(&err);
    pair_until_refused(&pair, 1);
    ck_assert_ptr_nonnull(strstr(pair.refused.message, "the device is broken"));
    pair_until(&pair, &tenant.failed);
    ck_assert_uint_eq(pair.guest_count, 0);
}
END_TEST

START_TEST(a_device_that_takes_no_order_ends_the_connection)
{
    struct channel_dial_options options;

    device.refuses = true;
    pair_listen(&pair);
    options = pair_dial_options(&pair);
    pair_dial(&pair, &options, &tenant);
    ck_assert(tenant.failed);
    pair_until_refused(&pair, 1);
    ck_assert_ptr_nonnull(strstr(pair.refused.message, "the device is busy"));
}
END_TEST

START_TEST(a_device_that_never_answers_is_given_up_at_the_deadline)
{
    for (size_t i = 0; i < PAIR_DEADLINES && device.started == 0; i++) {
        teardown();
        setup();
        pair.guest_deadline_ms = pair_deadlines_ms[i];
        begin();
        pair_until_refused(&pair, 1);
    }
    ck_assert_ptr_nonnull(strstr(pair.refused.message, "while evidence was made"));
    ck_assert_int_eq(device.cancelled, 1);
}
END_TEST

START_TEST(what_is_made_for_a_tenant_that_went_away_harms_nobody)
{
    dial();
    outcome_fini(&tenant);
    memset(&tenant, 0, sizeof(tenant));
    pair_turns(&pair, 5);
    make(NULL);
    pair_until_refused(&pair, 1);
    ck_assert_uint_eq(pair.guest_count, 0);
}
END_TEST

START_TEST(a_guest_that_ends_cancels_the_order)
{
    dial();
    channel_listener_free(take_ptr(pair.listener));
    ck_assert_int_eq(device.cancelled, 1);
}
END_TEST

START_TEST(more_than_the_frame_takes_is_not_sent)
{
    dial();
    writer_zeros(&device.output.event_log, EVENT_LOG_MAX + 1);
    make(NULL);
    pair_until_refused(&pair, 1);
    ck_assert_ptr_nonnull(strstr(pair.refused.message, "the event log would be more than"));
}
END_TEST

/* ---- Appraise -------------------------------------------------------------------------------- */

static struct {
    bool made, failed;
    uint8_t body[4096];
    size_t length;
} answer;

static void on_made(void *user, const uint8_t *body, size_t length, const struct error *err)
{
    answer.made = !err;
    answer.failed = err != NULL;
    if (err)
        return;
    ck_assert_uint_le(length, sizeof(answer.body));
    memcpy(answer.body, body, length);
    answer.length = length;
}

static struct channel *open_pair(void)
{
    memset(&answer, 0, sizeof(answer));
    dial();
    make(NULL);
    pair_until(&pair, &tenant.opened);
    pair_turns(&pair, 5);
    ck_assert_uint_eq(pair.guest_count, 1);
    return pair.guest[0].channel;
}

static const uint8_t nonce[32] = {7};

static int ask(struct channel *control, uint32_t number, struct error *err)
{
    const struct appraise_question question = {nonce, number};

    return channel_evidence(control, &question, on_made, NULL, err);
}

START_TEST(a_later_appraisal_takes_its_time_too)
{
    struct channel *control = open_pair();
    struct appraise_answer told = {.nonce = nonce, .number = 2, .body = answer.body};
    enum appraisal_check failed;
    struct error err;

    ck_assert_int_eq(ask(control, 2, &err), 0);
    ck_assert_int_lt(ask(control, 3, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "being made already"));
    pair_turns(&pair, 5);
    ck_assert(!answer.made);
    make(NULL);
    ck_assert(answer.made);
    told.length = answer.length;
    ck_assert_msg(channel_appraise_verify(tenant.channel, &told, &failed, &err) == 0, "%s",
                  err.message);
    ck_assert_uint_eq(channel_facts(control).appraisals, 2);
}
END_TEST

START_TEST(an_appraisal_that_failed_may_be_asked_for_again)
{
    struct channel *control = open_pair();
    struct error err;

    ck_assert_int_eq(ask(control, 2, &err), 0);
    error_set(&err, STATUS_UNAVAILABLE, "the device is broken");
    make(&err);
    ck_assert(answer.failed);
    ck_assert_uint_eq(channel_facts(control).appraisals, 1);
    ck_assert_int_eq(ask(control, 2, &err), 0);
    channel_evidence_cancel(control);
    channel_evidence_cancel(control);
    ck_assert_int_eq(device.cancelled, 1);
    ck_assert_int_eq(ask(control, 2, &err), 0);
    make(NULL);
    ck_assert(answer.made);
}
END_TEST

START_TEST(an_end_of_the_connection_cancels_the_appraisal)
{
    struct channel *control = open_pair();
    struct error err;

    ck_assert_int_eq(ask(control, 2, &err), 0);
    outcome_fini(&tenant);
    memset(&tenant, 0, sizeof(tenant));
    pair_until(&pair, &pair.guest[0].ended);
    ck_assert_int_eq(device.cancelled, 1);
    ck_assert(!answer.made && !answer.failed);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){
            .name = "channel_evidence", .setup = setup, .teardown = teardown, .timeout_s = 60},
        (const TTest *[]){
            the_loop_goes_on_while_evidence_is_made,
            evidence_that_cannot_be_made_ends_the_connection_with_the_reason,
            a_device_that_takes_no_order_ends_the_connection,
            a_device_that_never_answers_is_given_up_at_the_deadline,
            what_is_made_for_a_tenant_that_went_away_harms_nobody,
            a_guest_that_ends_cancels_the_order, more_than_the_frame_takes_is_not_sent,
            a_later_appraisal_takes_its_time_too, an_appraisal_that_failed_may_be_asked_for_again,
            an_end_of_the_connection_cancels_the_appraisal, NULL});
}
