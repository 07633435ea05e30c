/* SPDX-License-Identifier: Apache-2.0 */
/* What the shim does about a lost guest, with a host that a test speaks for. */
#include "fate.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "fake_time.h"
#include "host_half.h"
#include "provision.h"
#include "suite.h"

/* ---- the host ---- */

struct provision {
    const char *verb;
    provision_done_fn *done;
    void *user;
};

static struct provision *at_work;
static unsigned questions, deletions;

static int begin(const char *verb, provision_done_fn *done, void *user, struct provision **ret)
{
    ck_assert_ptr_null(at_work);
    at_work = *ret = xnew(struct provision);
    **ret = (struct provision){verb, done, user};
    return 0;
}

int provision_status(struct loop *loop, const struct provision_options *options,
                     provision_done_fn *done, void *user, struct provision **ret, struct error *err)
{
    ck_assert_str_eq(options->cri_sandbox_id, "id");
    questions++;
    return begin("status", done, user, ret);
}

int provision_delete(struct loop *loop, const struct provision_options *options,
                     provision_done_fn *done, void *user, struct provision **ret, struct error *err)
{
    deletions++;
    return begin("delete", done, user, ret);
}

void provision_free(struct provision *provision)
{
    if (provision == at_work)
        at_work = NULL;
    free(provision);
}

/* The program has ended; its owner frees it later. */
static void host_says(const char *verb, enum provision_state state, enum status status)
{
    struct provision_answer answer = {.state = state};
    struct provision *provision = at_work;
    struct error err;

    ck_assert_msg(provision && strcmp(provision->verb, verb) == 0, "no %s is at work", verb);
    at_work = NULL;
    error_set(&err, status, "the host");
    provision->done(provision->user, status ? NULL : &answer, status ? &err : NULL);
    pass(0);
}

/* ---- a guest ---- */

static char id[] = "id", program[] = "program";
static const struct host_half half = {.program = program, .cri_sandbox_id = id};
static struct fate *fate;
static unsigned gone;

static void on_gone(void *user)
{
    gone++;
}

static void setup(void)
{
    struct error err;

    questions = deletions = gone = 0;
    ck_assert(fate_new(NULL, &half, on_gone, NULL, &fate, &err) == 0);
    pass(100000);
    ck_assert_uint_eq(questions, 0);
}

static void lose(void)
{
    fate_ask(fate);
    pass(0);
}

static void teardown(void)
{
    fate_free(fate);
    ck_assert_ptr_null(at_work);
    ck_assert_ptr_null(sources);
}

START_TEST(a_host_is_asked_at_once_and_then_every_ten_seconds)
{
    setup();
    lose();
    ck_assert_uint_eq(questions, 1);
    host_says("status", PROVISION_RUNS, 0);
    pass(1000);
    ck_assert_uint_eq(questions, 2);
    for (unsigned i = 3; i < 10; i++) {
        host_says("status", i % 2 ? PROVISION_RUNS : PROVISION_UNKNOWN, 0);
        pass(9999);
        ck_assert_uint_eq(questions, i - 1);
        pass(1);
        ck_assert_uint_eq(questions, i);
    }
    ck_assert_uint_eq(deletions + gone, 0);
    teardown();
}
END_TEST

START_TEST(a_host_that_fails_has_said_nothing)
{
    setup();
    lose();
    host_says("status", PROVISION_UNKNOWN, STATUS_UNAVAILABLE);
    pass(1000);
    host_says("status", PROVISION_UNKNOWN, STATUS_DEADLINE_EXCEEDED);
    pass(10000);
    ck_assert_uint_eq(questions, 3);
    ck_assert_uint_eq(deletions, 0);
    teardown();
}
END_TEST

START_TEST(gone_is_what_was_deleted)
{
    setup();
    lose();
    host_says("status", PROVISION_GONE, 0);
    ck_assert_uint_eq(deletions, 1);
    ck_assert_uint_eq(gone, 0);
    host_says("delete", PROVISION_UNKNOWN, 0);
    ck_assert_uint_eq(gone, 1);
    pass(100000);
    ck_assert_uint_eq(questions, 1);
    teardown();
}
END_TEST

START_TEST(a_half_that_nobody_knows_is_deleted_as_well)
{
    setup();
    lose();
    host_says("status", PROVISION_UNKNOWN, STATUS_NOT_FOUND);
    host_says("delete", PROVISION_UNKNOWN, 0);
    ck_assert_uint_eq(gone, 1);
    teardown();
}
END_TEST

START_TEST(a_deletion_that_fails_is_no_end)
{
    setup();
    lose();
    host_says("status", PROVISION_GONE, 0);
    host_says("delete", PROVISION_UNKNOWN, STATUS_UNAVAILABLE);
    ck_assert_uint_eq(gone, 0);
    pass(1000);
    host_says("status", PROVISION_GONE, 0);
    host_says("delete", PROVISION_UNKNOWN, 0);
    ck_assert_uint_eq(gone, 1);
    teardown();
}
END_TEST

START_TEST(a_channel_that_is_back_ends_the_questions)
{
    setup();
    lose();
    fate_rest(fate);
    ck_assert_ptr_null(at_work);
    pass(100000);
    ck_assert_uint_eq(questions, 1);
    lose();
    ck_assert_uint_eq(questions, 2);
    teardown();
}
END_TEST

START_TEST(a_deletion_that_has_begun_goes_on)
{
    setup();
    lose();
    host_says("status", PROVISION_GONE, 0);
    fate_rest(fate);
    host_says("delete", PROVISION_UNKNOWN, 0);
    ck_assert_uint_eq(gone, 1);
    teardown();
}
END_TEST

START_TEST(a_failed_deletion_behind_a_channel_that_is_back_is_forgotten)
{
    setup();
    lose();
    host_says("status", PROVISION_GONE, 0);
    fate_rest(fate);
    host_says("delete", PROVISION_UNKNOWN, STATUS_UNAVAILABLE);
    pass(100000);
    ck_assert_uint_eq(gone, 0);
    ck_assert_uint_eq(questions, 1);
    teardown();
}
END_TEST

int main(void)
{
    return suite_run(
        "fate", (const TTest *[]){
                    a_host_is_asked_at_once_and_then_every_ten_seconds,
                    a_host_that_fails_has_said_nothing, gone_is_what_was_deleted,
                    a_half_that_nobody_knows_is_deleted_as_well, a_deletion_that_fails_is_no_end,
                    a_channel_that_is_back_ends_the_questions, a_deletion_that_has_begun_goes_on,
                    a_failed_deletion_behind_a_channel_that_is_back_is_forgotten, NULL});
}
