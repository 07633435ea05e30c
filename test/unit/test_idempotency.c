/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/scoped.h"
#include "idempotency.h"

static struct idempotency *table; /* each test is a fork: a fresh one */

static enum status begin_as(const char *key, const char *scope, uint8_t print,
                            enum idempotency_verdict *ret_verdict,
                            struct idempotency_entry **ret_entry)
{
    struct idempotency_request request = {.key = key, .scope = scope, .fingerprint = {print}};
    struct error err;

    return idempotency_begin(table, &request, ret_verdict, ret_entry, &err) < 0 ? err.status
                                                                                : STATUS_OK;
}

static enum idempotency_verdict begin(const char *key, const char *scope,
                                      struct idempotency_entry **ret_entry)
{
    enum idempotency_verdict verdict;

    ck_assert_int_eq(begin_as(key, scope, 1, &verdict, ret_entry), STATUS_OK);
    return verdict;
}

static void finish(struct idempotency_entry *entry, const char *reply)
{
    struct idempotency_answer answer = {.reply = reply, .length = strlen(reply)};

    idempotency_finish(entry, &answer);
}

static void do_once(const char *key, const char *scope, const char *reply)
{
    struct idempotency_entry *entry;

    ck_assert_int_eq(begin(key, scope, &entry), IDEMPOTENCY_NEW);
    finish(entry, reply);
}

static void note(void *user, const struct idempotency_answer *answer)
{
    ck_assert_uint_lt(answer->length, 64);
    memcpy(user, answer->reply, answer->length);
    ((char *) user)[answer->length] = '\0';
}

static bool is_known(const char *key)
{
    struct idempotency_request request = {.key = key, .scope = "probe", .fingerprint = {2}};
    enum idempotency_verdict verdict;
    struct idempotency_entry *entry;
    struct error err;

    if (idempotency_begin(table, &request, &verdict, &entry, &err) < 0)
        return true; /* it stood for another call */
    finish(entry, "");
    idempotency_forget(table, "probe");
    return false;
}

START_TEST(a_repeated_call_gets_the_answer_and_does_nothing)
{
    struct idempotency_entry *first, *second;
    char a[64] = "", b[64] = "", c[64] = "";

    ck_assert_int_eq(begin("k", "one", &first), IDEMPOTENCY_NEW);
    ck_assert_ptr_nonnull(idempotency_wait(first, note, a));
    ck_assert_int_eq(begin("k", "one", &second), IDEMPOTENCY_PENDING);
    ck_assert_ptr_eq(first, second);
    ck_assert_ptr_nonnull(idempotency_wait(second, note, b));
    finish(first, "answer");
    ck_assert_str_eq(a, "answer");
    ck_assert_str_eq(b, "answer");
    ck_assert_int_eq(begin("k", "one", &second), IDEMPOTENCY_DONE);
    ck_assert_ptr_null(idempotency_wait(second, note, c));
    ck_assert_str_eq(c, "answer");
}
END_TEST

START_TEST(whoever_does_not_wait_any_more_is_not_told)
{
    struct idempotency_entry *entry;
    struct idempotency_waiter *waiter;
    char a[64] = "", b[64] = "";

    (void) begin("k", "", &entry);
    waiter = idempotency_wait(entry, note, a);
    (void) idempotency_wait(entry, note, b);
    idempotency_unwait(waiter);
    finish(entry, "x");
    ck_assert_str_eq(a, "");
    ck_assert_str_eq(b, "x");
}
END_TEST

START_TEST(a_key_stands_for_one_call)
{
    enum idempotency_verdict verdict;
    struct idempotency_entry *entry;

    do_once("k", "one", "x");
    ck_assert_int_eq(begin_as("k", "one", 2, &verdict, &entry), STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(a_key_has_1_to_64_bytes)
{
    enum idempotency_verdict verdict;
    struct idempotency_entry *entry;
    char key[IDEMPOTENCY_KEY_MAX + 2];

    memset(key, 'k', sizeof(key));
    key[sizeof(key) - 1] = '\0';
    ck_assert_int_eq(begin_as("", "", 1, &verdict, &entry), STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(begin_as(key, "", 1, &verdict, &entry), STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(begin_as(key + 1, "", 1, &verdict, &entry), STATUS_OK);
}
END_TEST

START_TEST(what_belonged_to_an_object_is_forgotten_with_it)
{
    struct idempotency_entry *pending;

    do_once("create", "one", "x");
    do_once("exec", "one/e1", "x");
    do_once("exec2", "one/e2", "x");
    do_once("other", "one-more", "x");
    do_once("none", "", "x");
    (void) begin("pending", "one", &pending);
    idempotency_forget(table, "one/e1");
    ck_assert(!is_known("exec"));
    ck_assert(is_known("exec2"));
    ck_assert(is_known("create"));
    idempotency_forget(table, "one");
    ck_assert(!is_known("create"));
    ck_assert(!is_known("exec2"));
    ck_assert(is_known("other"));
    ck_assert(is_known("none"));
    ck_assert(is_known("pending"));
}
END_TEST

START_TEST(the_last_deletions_outlive_their_objects)
{
    char key[32];

    for (int i = 0; i < IDEMPOTENCY_DELETIONS_MAX + 3; i++) {
        (void) snprintf(key, sizeof(key), "delete-%d", i);
        do_once(key, IDEMPOTENCY_DELETIONS, "record");
        idempotency_forget(table, "one");
    }
    ck_assert(!is_known("delete-0"));
    ck_assert(!is_known("delete-2"));
    ck_assert(is_known("delete-3"));
    ck_assert(is_known(key));
}
END_TEST

START_TEST(a_full_table_forgets_the_oldest_answer_and_never_work)
{
    enum idempotency_verdict verdict;
    struct idempotency_entry *entry, *first;
    char key[32];

    (void) begin("first", "", &first);
    do_once("second", "", "x");
    for (int i = 2; i < IDEMPOTENCY_ENTRIES_MAX; i++) {
        (void) snprintf(key, sizeof(key), "k%d", i);
        (void) begin(key, "", &entry);
    }
    (void) begin("one more", "", &entry);
    ck_assert_int_eq(begin("first", "", &entry), IDEMPOTENCY_PENDING);
    ck_assert_int_eq(begin_as("another", "", 1, &verdict, &entry), STATUS_RESOURCE_EXHAUSTED);
    finish(first, "x");
    ck_assert_int_eq(begin_as("another", "", 1, &verdict, &entry), STATUS_OK);
}
END_TEST

int main(void)
{
    int result;

    table = idempotency_new();
    result = suite_run("idempotency", (const TTest *[]){
                                          a_repeated_call_gets_the_answer_and_does_nothing,
                                          whoever_does_not_wait_any_more_is_not_told,
                                          a_key_stands_for_one_call,
                                          a_key_has_1_to_64_bytes,
                                          what_belonged_to_an_object_is_forgotten_with_it,
                                          the_last_deletions_outlive_their_objects,
                                          a_full_table_forgets_the_oldest_answer_and_never_work,
                                          NULL,
                                      });
    idempotency_free(table);
    return result;
}
