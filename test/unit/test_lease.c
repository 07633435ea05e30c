/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's side of the lease; a test moves both clocks. */
#include "lease.h"

#include "base/error.h"
#include "fake_time.h"
#include "suite.h"

enum { TTL_MS = 60000, OFF_MS = 600000, STEP_MS = 15000 };

static struct lease *lease;
static unsigned freezes, thaws, offs;
static uint64_t seq, tenant_ms, guest_ms;
static const int one, other; /* sessions */

static void on_freeze(void *user)
{
    freezes++;
}

static void on_thaw(void *user)
{
    thaws++;
}

static void on_off(void *user)
{
    offs++;
}

static void setup(void)
{
    static const struct lease_events events = {on_freeze, on_thaw, on_off};
    struct error err;

    freezes = thaws = offs = 0;
    seq = 0;
    tenant_ms = 5000000;
    guest_ms = 700;
    ck_assert(lease_new(NULL, &events, NULL, &lease, &err) == 0);
}

static void teardown(void)
{
    lease_free(lease);
    ck_assert_ptr_null(sources);
}

/* The tenant's time and the guest's. */
static void live(uint64_t tenants_ms, uint64_t guests_ms)
{
    tenant_ms += tenants_ms;
    guest_ms += guests_ms;
    pass(guests_ms);
}

static struct lease_renewal next(void)
{
    return (struct lease_renewal){
        .seq = ++seq, .tenant_ms = tenant_ms, .guest_ms = guest_ms, .ttl_ms = TTL_MS};
}

static struct lease_state renew_as(const void *session, const struct lease_renewal *renewal)
{
    struct lease_state state;
    struct error err;

    ck_assert_msg(lease_renew(lease, session, renewal, &state, &err) == 0, "%s", err.message);
    ck_assert(state.frozen == lease_is_frozen(lease));
    return state;
}

static struct lease_state renew(void)
{
    const struct lease_renewal renewal = next();

    return renew_as(&one, &renewal);
}

static void begin(void)
{
    setup();
    lease_appraised(lease, &one);
    ck_assert(!renew().frozen);
}

static void expect_refusal(struct lease_renewal renewal, enum status status)
{
    struct lease_state state;
    struct error err;

    ck_assert(lease_renew(lease, &one, &renewal, &state, &err) < 0);
    ck_assert_int_eq(err.status, status);
}

START_TEST(before_the_first_appraisal_no_time_runs)
{
    setup();
    pass(UINT64_C(100) * TTL_MS);
    ck_assert_uint_eq(freezes + offs, 0);
    teardown();
}
END_TEST

START_TEST(a_lease_that_is_never_renewed_freezes_and_then_ends)
{
    setup();
    lease_appraised(lease, &one);
    pass(LEASE_TTL_MS - 1);
    ck_assert_uint_eq(freezes, 0);
    pass(1);
    ck_assert_uint_eq(freezes, 1);
    pass(OFF_MS - 1);
    ck_assert_uint_eq(offs, 0);
    pass(1);
    ck_assert_uint_eq(offs, 1);
    ck_assert_uint_eq(thaws, 0);
    teardown();
}
END_TEST

START_TEST(renewals_keep_it)
{
    begin();
    for (int i = 0; i < 100; i++) {
        live(STEP_MS, STEP_MS);
        ck_assert(!renew().frozen);
    }
    ck_assert_uint_eq(freezes, 0);
    teardown();
}
END_TEST

START_TEST(the_renewal_says_how_long)
{
    struct lease_renewal renewal;

    begin();
    renewal = next();
    renewal.ttl_ms = 5000;
    renewal.power_off_ms = 7000;
    ck_assert(!renew_as(&one, &renewal).frozen);
    pass(4999);
    ck_assert_uint_eq(freezes, 0);
    pass(1);
    ck_assert_uint_eq(freezes, 1);
    pass(7000);
    ck_assert_uint_eq(offs, 1);
    teardown();
}
END_TEST

START_TEST(a_lapse_needs_an_appraisal_and_a_renewal)
{
    begin();
    live(TTL_MS, TTL_MS);
    ck_assert(lease_is_frozen(lease));
    ck_assert(renew().needs_appraisal);
    ck_assert(lease_is_frozen(lease));
    lease_appraised(lease, &one);
    ck_assert(lease_is_frozen(lease)); /* the tenant has not said yet what he thinks of it */
    ck_assert(!renew().frozen);
    ck_assert_uint_eq(freezes, 1);
    ck_assert_uint_eq(thaws, 1);
    live(TTL_MS - 1, TTL_MS - 1);
    ck_assert_uint_eq(freezes, 1);
    teardown();
}
END_TEST

START_TEST(an_appraisal_from_before_the_lapse_does_not_count)
{
    begin();
    lease_appraised(lease, &one);
    live(TTL_MS, TTL_MS);
    ck_assert(renew().needs_appraisal);
    teardown();
}
END_TEST

START_TEST(another_connections_appraisal_does_not_count)
{
    begin();
    live(TTL_MS, TTL_MS);
    lease_appraised(lease, &other);
    ck_assert(renew().frozen);
    const struct lease_renewal renewal = next();
    ck_assert(!renew_as(&other, &renewal).frozen);
    teardown();
}
END_TEST

START_TEST(renewals_without_appraisal_keep_the_power_on)
{
    begin();
    live(TTL_MS, TTL_MS);
    for (int i = 0; i < 100; i++) {
        live(STEP_MS, STEP_MS);
        ck_assert(renew().frozen);
    }
    ck_assert_uint_eq(offs, 0);
    teardown();
}
END_TEST

START_TEST(a_stop_of_more_than_two_seconds_freezes)
{
    begin();
    live(STEP_MS + 2000, STEP_MS);
    ck_assert(!renew().frozen);
    live(STEP_MS + 2001, STEP_MS);
    ck_assert(renew().needs_appraisal);
    ck_assert_uint_eq(freezes, 1);
    lease_appraised(lease, &one);
    live(10, 10);
    ck_assert(!renew().frozen);
    ck_assert_uint_eq(thaws, 1);
    teardown();
}
END_TEST

START_TEST(a_tenth_is_allowed_when_that_is_more)
{
    begin();
    live(50000, 45000);
    ck_assert(!renew().frozen);
    live(50000, 44000);
    ck_assert(renew().frozen);
    teardown();
}
END_TEST

START_TEST(a_stop_behind_the_appraisal_needs_another)
{
    begin();
    live(STEP_MS + 5000, STEP_MS);
    ck_assert(renew().frozen);
    lease_appraised(lease, &one);
    live(5000, 0);
    ck_assert(renew().needs_appraisal);
    lease_appraised(lease, &one);
    ck_assert(!renew().frozen);
    teardown();
}
END_TEST

START_TEST(a_new_connection_does_not_hide_a_stop)
{
    begin();
    live(5000, 0);
    lease_appraised(lease, &other);
    const struct lease_renewal renewal = next();
    ck_assert(renew_as(&other, &renewal).needs_appraisal);
    teardown();
}
END_TEST

START_TEST(a_renewal_that_came_late_is_no_stop)
{
    struct lease_renewal late;

    begin();
    live(STEP_MS, STEP_MS);
    late = next();
    live(9000, 9000);
    late.guest_ms = guest_ms;
    ck_assert(!renew_as(&one, &late).frozen);
    live(6000, 6000);
    ck_assert(!renew().frozen);
    live(6000, 3000);
    ck_assert(renew().frozen);
    teardown();
}
END_TEST

START_TEST(renewals_that_were_kept_back_prolong_nothing)
{
    struct lease_renewal kept[4];

    begin();
    for (size_t i = 0; i < 4; i++) {
        live(STEP_MS, i < 3 ? STEP_MS : STEP_MS - 1);
        kept[i] = next();
    }
    kept[0].guest_ms = guest_ms; /* sent 45 s before: 15 s are left, and what goes unnoticed */
    ck_assert(!renew_as(&one, &kept[0]).frozen);
    live(STEP_MS + LEASE_JUMP_MS, STEP_MS + LEASE_JUMP_MS);
    ck_assert_uint_eq(freezes, 0);
    live(1, 1);
    ck_assert_uint_eq(freezes, 1);
    live(OFF_MS - 1000, OFF_MS - 1000);
    for (size_t i = 1; i < 4; i++) {
        kept[i].guest_ms = guest_ms;
        ck_assert(renew_as(&one, &kept[i]).frozen);
    }
    ck_assert_uint_eq(offs, 0);
    live(1000, 1000);
    ck_assert_uint_eq(offs, 1);
    teardown();
}
END_TEST

START_TEST(the_comparison_is_from_one_renewal_to_the_next)
{
    begin();
    live(STEP_MS + 1500, STEP_MS);
    ck_assert(!renew().frozen);
    live(STEP_MS + 1500, STEP_MS);
    ck_assert(!renew().frozen);
    live(STEP_MS + 2500, STEP_MS);
    ck_assert(renew().frozen);
    teardown();
}
END_TEST

START_TEST(a_guest_clock_that_is_fast_is_no_excuse_after_an_appraisal)
{
    begin();
    live(STEP_MS, STEP_MS + 3000);
    ck_assert(!renew().frozen);
    lease_appraised(lease, &one);
    ck_assert(!renew().frozen);
    live(STEP_MS + 2500, STEP_MS);
    ck_assert(renew().frozen);
    teardown();
}
END_TEST

START_TEST(a_number_counts_once)
{
    struct lease_renewal renewal;

    begin();
    renewal = next();
    ck_assert(!renew_as(&one, &renewal).frozen);
    live(TTL_MS - 1, TTL_MS - 1);
    expect_refusal(renewal, STATUS_ABORTED);
    renewal.seq--;
    expect_refusal(renewal, STATUS_ABORTED);
    live(1, 1);
    ck_assert_uint_eq(freezes, 1); /* the repetition has not renewed anything */
    teardown();
}
END_TEST

START_TEST(values_that_cannot_be_are_refused)
{
    struct lease_renewal renewal;

    begin();
    renewal = next();
    renewal.ttl_ms = LEASE_TTL_MIN_MS - 1;
    expect_refusal(renewal, STATUS_INVALID_ARGUMENT);
    renewal.ttl_ms = LEASE_TTL_MAX_MS + 1;
    expect_refusal(renewal, STATUS_INVALID_ARGUMENT);
    renewal.ttl_ms = TTL_MS;
    renewal.power_off_ms = LEASE_POWER_OFF_MS + 1;
    expect_refusal(renewal, STATUS_INVALID_ARGUMENT);
    renewal.power_off_ms = 1;
    expect_refusal(renewal, STATUS_INVALID_ARGUMENT);
    renewal.power_off_ms = 0;
    renewal.tenant_ms = UINT64_MAX;
    expect_refusal(renewal, STATUS_INVALID_ARGUMENT);
    renewal.tenant_ms = tenant_ms - 1;
    expect_refusal(renewal, STATUS_INVALID_ARGUMENT);
    renewal.tenant_ms = tenant_ms;
    ck_assert(!renew_as(&one, &renewal).frozen);
    teardown();
}
END_TEST

int main(void)
{
    return suite_run(
        "lease",
        (const TTest *[]){
            before_the_first_appraisal_no_time_runs,
            a_lease_that_is_never_renewed_freezes_and_then_ends, renewals_keep_it,
            the_renewal_says_how_long, a_lapse_needs_an_appraisal_and_a_renewal,
            an_appraisal_from_before_the_lapse_does_not_count,
            another_connections_appraisal_does_not_count,
            renewals_without_appraisal_keep_the_power_on, a_stop_of_more_than_two_seconds_freezes,
            a_tenth_is_allowed_when_that_is_more, a_stop_behind_the_appraisal_needs_another,
            a_new_connection_does_not_hide_a_stop, a_renewal_that_came_late_is_no_stop,
            renewals_that_were_kept_back_prolong_nothing,
            the_comparison_is_from_one_renewal_to_the_next,
            a_guest_clock_that_is_fast_is_no_excuse_after_an_appraisal, a_number_counts_once,
            values_that_cannot_be_are_refused, NULL});
}
