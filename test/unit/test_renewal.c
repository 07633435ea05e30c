/* SPDX-License-Identifier: Apache-2.0 */
/* The tenant's side of the lease: its clock, its link and its guest are a test's. */
#include "renewal.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent.pb-c.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "fake_time.h"
#include "link.h"
#include "secure/lease_record.h"
#include "suite.h"

#define SANDBOX "abababababababababababababababab"

enum { TTL_MS = 60000, TEN_MINUTES_MS = 600000 };

/* ---- the clock ---- */

uint64_t clock_monotonic_ms(void)
{
    return now_ms;
}

uint64_t clock_monotonic_ns(void)
{
    return now_ms * 1000000;
}

int64_t clock_wall_ns(void)
{
    return 0;
}

/* ---- the link ---- */

static struct link_listener *listener;
static unsigned drops;
static char drop_reason[256];
static enum appraisal_check verdict;
static bool cannot_judge, stale;
static unsigned given_up;
static uint16_t appraisals; /* on this connection */
static int channel;         /* stands for the control */

void link_listen(struct link *link, struct link_listener *l)
{
    listener = l;
}

void link_leave(struct link *link, struct link_listener *l)
{
    listener = NULL;
}

struct channel *link_control(const struct link *link)
{
    return (struct channel *) &channel;
}

void link_drop(struct link *link, const struct error *why)
{
    drops++;
    snprintf(drop_reason, sizeof(drop_reason), "%.255s", why->message);
}

struct channel_facts channel_facts(const struct channel *control)
{
    return (struct channel_facts){.appraisals = appraisals};
}

int channel_appraise_verify(struct channel *control, const struct appraise_answer *answer,
                            enum appraisal_check *ret_failed, struct error *err)
{
    ck_assert_uint_gt(answer->number, appraisals);
    *ret_failed = verdict;
    if (verdict != APPRAISAL_OK || cannot_judge)
        return error_set(err, STATUS_UNAUTHENTICATED, "not the one");
    appraisals = (uint16_t) answer->number;
    return 0;
}

/* ---- calls on the wire ---- */

struct rpc_call {
    char method[32];
    rpc_done_fn *done;
    void *user;
};

static struct rpc_call *wire; /* one at a time */
static struct rpc_channel *called;
static unsigned renewals;
static uint64_t last_seq, last_tenant_ms;
static uint32_t last_number;
static bool refused; /* by the guard */

int rpc_call_unary(struct rpc_channel *on, const struct rpc_request *request, rpc_done_fn *done,
                   void *user, struct rpc_call **ret)
{
    ck_assert_ptr_null(wire);
    if (refused)
        return -1;
    called = on;
    wire = *ret = xnew(struct rpc_call);
    snprintf(wire->method, sizeof(wire->method), "%s", strrchr(request->method, '/') + 1);
    wire->done = done;
    wire->user = user;
    if (strcmp(wire->method, "Renew") == 0) {
        const Agent__RenewRequest *message = (const Agent__RenewRequest *) request->message;

        ck_assert_uint_eq(message->ttl_ms, TTL_MS);
        ck_assert_uint_gt(message->lease_seq, last_seq);
        last_seq = message->lease_seq;
        last_tenant_ms = message->tenant_ms;
        renewals++;
    } else {
        last_number = ((const Agent__AppraiseRequest *) request->message)->number;
    }
    return 0;
}

void rpc_call_free(struct rpc_call *call)
{
    if (call && call == wire)
        wire = NULL;
    free(call);
}

static void guest_answers(const char *method, enum status status, bool needs_appraisal)
{
    Agent__RenewResponse renewed = AGENT__RENEW_RESPONSE__INIT;
    Agent__AppraiseResponse appraised = AGENT__APPRAISE_RESPONSE__INIT;
    struct rpc_result result = {.status = status, .message = "the guest"};

    ck_assert_msg(wire && strcmp(wire->method, method) == 0, "no %s is on the wire", method);
    renewed.frozen = renewed.needs_appraisal = needs_appraisal;
    if (status == STATUS_OK)
        result.reply = strcmp(method, "Renew") == 0 ? &renewed.base : &appraised.base;
    wire->done(wire->user, &result);
}

/* ---- a lease ---- */

static char root[64];
static struct initdata initdata;
static uint8_t instance[32];
static struct renewal *renewal;
static struct rpc_channel *const one = (struct rpc_channel *) &renewals,
                                 *const two = (struct rpc_channel *) &last_seq;

static bool is_stale(void *user)
{
    return stale;
}

static void on_refused(void *user, const struct error *err)
{
    ck_assert_str_eq(err->message, "not the one");
    given_up++;
}

static int begin(struct error *err)
{
    const struct renewal_options options = {.link = (struct link *) &drops,
                                            .directory = root,
                                            .initdata = &initdata,
                                            .instance = instance,
                                            .ttl_ms = TTL_MS,
                                            .is_stale = is_stale,
                                            .refused = on_refused};

    return renewal_new(&options, &renewal, err);
}

static void connect_to(struct rpc_channel *control)
{
    appraisals = control ? 1 : 0;
    listener->changed(listener, control, control);
}

static void setup(void)
{
    struct error err;

    strcpy(root, "/tmp/test_renewal.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    memset(initdata.content.sandbox_id, 0xab, sizeof(initdata.content.sandbox_id));
    memset(instance, 1, sizeof(instance));
    now_ms = 1000000;
    drops = renewals = 0;
    last_seq = 0;
    verdict = APPRAISAL_OK;
    cannot_judge = stale = false;
    given_up = 0;
    refused = false;
    ck_assert_msg(begin(&err) == 0, "%s", err.message);
    ck_assert(renewal_holds(renewal));
    ck_assert_uint_eq(renewals, 0);
    connect_to(one);
}

static void teardown(void)
{
    struct error err;

    renewal_free(renewal);
    ck_assert_ptr_null(wire);
    ck_assert_ptr_null(listener);
    ck_assert_ptr_null(sources);
    ck_assert(file_remove_tree(root, &err) == 0);
}

START_TEST(each_connection_begins_with_a_renewal_of_its_own)
{
    setup();
    ck_assert_uint_eq(renewals, 1);
    ck_assert_uint_eq(last_tenant_ms, now_ms);
    pass(5000);
    connect_to(NULL); /* it was under way: whether it came is not known */
    ck_assert_ptr_null(wire);
    pass(TTL_MS * 3);
    ck_assert_uint_eq(renewals, 1);
    connect_to(two);
    ck_assert_uint_eq(renewals, 2);
    ck_assert_ptr_eq(called, two);
    ck_assert_uint_eq(last_tenant_ms, now_ms); /* not the time when it would have been due */
    ck_assert_uint_eq(drops, 0);
    teardown();
}
END_TEST

START_TEST(a_replacement_carries_it_on)
{
    setup();
    guest_answers("Renew", STATUS_OK, false);
    pass(10000);
    connect_to(two);
    ck_assert_ptr_eq(called, two);
    ck_assert_uint_eq(renewals, 2);
    guest_answers("Renew", STATUS_OK, false);
    pass(TTL_MS / 4);
    ck_assert_ptr_eq(called, two);
    ck_assert_uint_eq(renewals, 3);
    teardown();
}
END_TEST

START_TEST(it_is_renewed_four_times_in_a_ttl)
{
    setup();
    for (unsigned i = 1; i < 20; i++) {
        guest_answers("Renew", STATUS_OK, false);
        pass(TTL_MS / 4 - 1);
        ck_assert_uint_eq(renewals, i);
        pass(1);
        ck_assert_uint_eq(renewals, i + 1);
    }
    ck_assert_uint_eq(drops, 0);
    teardown();
}
END_TEST

START_TEST(a_guest_that_needs_it_is_appraised_and_then_renewed)
{
    setup();
    guest_answers("Renew", STATUS_OK, true);
    ck_assert_uint_eq(last_number, 2);
    guest_answers("Appraise", STATUS_OK, false);
    ck_assert_uint_eq(renewals, 2);
    guest_answers("Renew", STATUS_OK, true); /* it was stopped again meanwhile */
    ck_assert_uint_eq(last_number, 3);
    guest_answers("Appraise", STATUS_OK, false);
    guest_answers("Renew", STATUS_OK, false);
    ck_assert_uint_eq(drops, 0);
    teardown();
}
END_TEST

START_TEST(a_number_whose_answer_was_lost_is_not_used_again)
{
    setup();
    guest_answers("Renew", STATUS_OK, true);
    ck_assert_uint_eq(last_number, 2);
    guest_answers("Appraise", STATUS_DEADLINE_EXCEEDED,
                  false); /* it was stopped, and answers later */
    pass(1000);
    guest_answers("Renew", STATUS_OK, true);
    ck_assert_uint_eq(last_number, 3);
    guest_answers("Appraise", STATUS_OK, false);
    guest_answers("Renew", STATUS_OK, true);
    ck_assert_uint_eq(last_number, 4);
    connect_to(two); /* begins with 1 */
    guest_answers("Renew", STATUS_OK, true);
    ck_assert_uint_eq(last_number, 2);
    teardown();
}
END_TEST

START_TEST(it_is_appraised_every_ten_minutes)
{
    unsigned before = 0;

    setup();
    for (unsigned i = 0; i < 4 * TEN_MINUTES_MS / TTL_MS; i++) {
        before = renewals;
        guest_answers("Renew", STATUS_OK, false);
        pass(TTL_MS / 4);
    }
    ck_assert_uint_eq(renewals, before);
    guest_answers("Appraise", STATUS_OK, false);
    guest_answers("Renew", STATUS_OK, false);
    pass(TTL_MS / 4);
    guest_answers("Renew", STATUS_OK, false);
    teardown();
}
END_TEST

START_TEST(another_guest_is_not_renewed)
{
    static const enum appraisal_check final[] = {
        APPRAISAL_INITDATA,          APPRAISAL_HARDWARE,    APPRAISAL_ATTRIBUTES,
        APPRAISAL_MEASUREMENT,       APPRAISAL_REPORT_DATA, APPRAISAL_INSTANCE,
        APPRAISAL_HARDWARE_INITDATA,
    };

    for (size_t i = 0; i < ARRAY_LENGTH(final); i++) {
        setup();
        guest_answers("Renew", STATUS_OK, true);
        verdict = final[i];
        guest_answers("Appraise", STATUS_OK, false);
        ck_assert_uint_eq(given_up, 1);
        ck_assert_uint_eq(drops, 0);
        ck_assert_uint_eq(renewals, 1);
        teardown();
    }
}
END_TEST

/* A list of this node's may be too old, its policy damaged: that can be mended, and until then the
 * guest is not renewed. */
static void log_says(int log, const char *words)
{
    char line[1024] = "";

    ck_assert_int_gt(pread(log, line, sizeof(line) - 1, 0), 0);
    ck_assert_msg(strstr(line, words), "%s", line);
}

START_TEST(one_that_cannot_be_judged_is_only_let_go)
{
    static const enum appraisal_check mendable[] = {APPRAISAL_OK, APPRAISAL_SIGNATURE,
                                                    APPRAISAL_TCB, APPRAISAL_POLICY};

    for (size_t i = 0; i < ARRAY_LENGTH(mendable); i++) {
        setup();
        guest_answers("Renew", STATUS_OK, true);
        cannot_judge = true;
        verdict = mendable[i];
        scoped(closep) int log = memfd_create("log", 0);
        log_to(log);
        guest_answers("Appraise", STATUS_OK, false);
        log_says(log, verdict == APPRAISAL_OK ? "the guest cannot be judged: not the one"
                                              : "the guest is refused: not the one");
        log_to(STDERR_FILENO);
        ck_assert_uint_eq(given_up, 0);
        ck_assert_uint_eq(drops, 1);
        ck_assert_str_eq(drop_reason, "not the one");
        ck_assert_uint_eq(renewals, 1);
        teardown();
    }
}
END_TEST

START_TEST(a_change_of_what_is_good_is_judged_at_the_next_renewal)
{
    setup();
    guest_answers("Renew", STATUS_OK, false);
    stale = true;
    pass(TTL_MS / 4);
    ck_assert_uint_eq(renewals, 1);
    stale = false;
    guest_answers("Appraise", STATUS_OK, false);
    ck_assert_uint_eq(renewals, 2);
    guest_answers("Renew", STATUS_OK, false);
    stale = true;
    pass(TTL_MS / 4);
    verdict = APPRAISAL_MEASUREMENT;
    guest_answers("Appraise", STATUS_OK, false);
    ck_assert_uint_eq(given_up, 1);
    ck_assert_uint_eq(renewals, 2);
    teardown();
}
END_TEST

START_TEST(a_ttl_without_an_answer_ends_the_connection)
{
    setup();
    guest_answers("Renew", STATUS_OK, false);
    for (unsigned waited = 0; waited < TTL_MS; waited += TTL_MS / 4) {
        ck_assert_uint_eq(drops, 0);
        pass(TTL_MS / 4);
        if (wire)
            guest_answers("Renew", STATUS_DEADLINE_EXCEEDED, false);
    }
    pass(TTL_MS / 4);
    ck_assert_uint_eq(drops, 1);
    ck_assert_ptr_nonnull(strstr(drop_reason, "not renewed"));
    connect_to(two);
    guest_answers("Renew", STATUS_OK, false);
    teardown();
}
END_TEST

START_TEST(a_guest_is_frozen_when_its_last_renewal_is_old)
{
    setup();
    guest_answers("Renew", STATUS_OK, false);
    ck_assert(!renewal_has_lapsed(renewal));
    pass(TTL_MS / 4);
    connect_to(NULL); /* a renewal was on its way */
    pass(TTL_MS);
    ck_assert(!renewal_has_lapsed(renewal)); /* it may have come late, and time pass slowly there */
    pass(TTL_MS / 8 + 4000);
    ck_assert(!renewal_has_lapsed(renewal));
    pass(1);
    ck_assert(renewal_has_lapsed(renewal));
    connect_to(two);
    ck_assert(!renewal_has_lapsed(renewal));
    teardown();
}
END_TEST

START_TEST(a_failed_renewal_is_tried_again_soon_with_another_number)
{
    uint64_t before;

    setup();
    before = last_seq;
    guest_answers("Renew", STATUS_UNAVAILABLE, false);
    pass(1000);
    ck_assert_uint_eq(renewals, 2);
    ck_assert_uint_gt(last_seq, before);
    teardown();
}
END_TEST

START_TEST(a_revocation_is_seen)
{
    scoped(freep) char *path = NULL;
    struct error err;

    setup();
    path = lease_record_path(root, SANDBOX);
    guest_answers("Renew", STATUS_OK, false);
    ck_assert(lease_record_revoke(path, &err) == 0);
    ck_assert(!renewal_holds(renewal));
    refused = true; /* what the link's guard makes of that */
    pass(TTL_MS / 4);
    ck_assert_uint_eq(renewals, 1);
    teardown();
}
END_TEST

START_TEST(what_somebody_holds_is_not_taken)
{
    struct renewal *first;
    struct error err;

    setup();
    first = renewal;
    ck_assert(begin(&err) < 0);
    ck_assert_int_eq(err.status, STATUS_FAILED_PRECONDITION);
    renewal = first;
    memset(instance, 2, sizeof(instance));
    ck_assert(begin(&err) < 0);
    ck_assert_int_eq(err.status, STATUS_FAILED_PRECONDITION);
    teardown();
}
END_TEST

int main(void)
{
    return suite_run("renewal", (const TTest *[]){
                                    each_connection_begins_with_a_renewal_of_its_own,
                                    a_replacement_carries_it_on, it_is_renewed_four_times_in_a_ttl,
                                    a_guest_that_needs_it_is_appraised_and_then_renewed,
                                    a_number_whose_answer_was_lost_is_not_used_again,
                                    it_is_appraised_every_ten_minutes, another_guest_is_not_renewed,
                                    one_that_cannot_be_judged_is_only_let_go,
                                    a_change_of_what_is_good_is_judged_at_the_next_renewal,
                                    a_guest_is_frozen_when_its_last_renewal_is_old,
                                    a_ttl_without_an_answer_ends_the_connection,
                                    a_failed_renewal_is_tried_again_soon_with_another_number,
                                    a_revocation_is_seen, what_somebody_holds_is_not_taken, NULL});
}
