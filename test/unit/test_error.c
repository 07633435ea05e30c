/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

START_TEST(each_call_returns_minus_one_and_keeps_the_status)
{
    struct error err;

    ck_assert_int_eq(error_set(&err, STATUS_ABORTED, "pod '%s'", "p1"), -1);
    ck_assert_str_eq(err.message, "pod 'p1'");
    ck_assert_int_eq(error_wrap(&err, "create %d", 7), -1);
    ck_assert_str_eq(err.message, "create 7: pod 'p1'");
    ck_assert_int_eq(err.status, STATUS_ABORTED);
}
END_TEST

START_TEST(errno_gives_text_and_status)
{
    struct error err;

    ck_assert_int_eq(error_errno(&err, ENOENT, "open '%s'", "/x"), -1);
    ck_assert_str_eq(err.message, "open '/x': No such file or directory");
    ck_assert_int_eq(err.status, STATUS_NOT_FOUND);
    (void) error_errno(&err, EPERM, "x");
    ck_assert_int_eq(err.status, STATUS_PERMISSION_DENIED);
    (void) error_errno(&err, 99999, "x");
    ck_assert_str_eq(err.message, "x: unknown error");
    ck_assert_int_eq(err.status, STATUS_INTERNAL);
}
END_TEST

START_TEST(an_error_may_be_made_from_itself)
{
    struct error err;

    (void) error_set(&err, STATUS_INTERNAL, "inner");
    (void) error_set(&err, STATUS_UNKNOWN, "outer (%s)", err.message);
    ck_assert_str_eq(err.message, "outer (inner)");
    (void) error_wrap(&err, "%s", err.message);
    ck_assert_str_eq(err.message, "outer (inner): outer (inner)");
}
END_TEST

START_TEST(a_long_message_is_cut_and_stays_utf8)
{
    char text[2000];
    struct error err;

    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[sizeof text - 2] = '\0';
    (void) error_set(&err, STATUS_INTERNAL, "%s", text);
    ck_assert_uint_eq(strlen(err.message), sizeof err.message - 1);
    ck_assert(text_is_utf8(err.message, strlen(err.message)));
    (void) error_wrap(&err, "%s", text);
    ck_assert(text_is_utf8(err.message, strlen(err.message)));
    (void) error_set(&err, STATUS_INTERNAL, "bad \xff byte");
    ck_assert_str_eq(err.message, "bad ? byte");
}
END_TEST

START_TEST(status_names_are_those_of_grpc)
{
    ck_assert_str_eq(status_name(STATUS_OK), "OK");
    ck_assert_str_eq(status_name(STATUS_FAILED_PRECONDITION), "FAILED_PRECONDITION");
    ck_assert_str_eq(status_name(STATUS_UNAUTHENTICATED), "UNAUTHENTICATED");
    ck_assert_str_eq(status_name((enum status) 17), "UNKNOWN");
}
END_TEST

int main(void)
{
    return suite_run("error", (const TTest *[]){each_call_returns_minus_one_and_keeps_the_status,
                                                errno_gives_text_and_status,
                                                an_error_may_be_made_from_itself,
                                                a_long_message_is_cut_and_stays_utf8,
                                                status_names_are_those_of_grpc, NULL});
}
