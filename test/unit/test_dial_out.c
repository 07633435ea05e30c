/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dial_out.h"

#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "suite.h"

static struct error err;

START_TEST(what_is_good_is_read_and_printed_alike)
{
    static const char *const good[] = {
        "192.0.2.1:7433",
        "10.0.0.1:1",
        "10.0.0.1:65535",
        "[2001:db8::1]:7433",
        "[2001:db8:1111:2222:3333:4444:5555:6666]:65535",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        char text[DIAL_OUT_TEXT_SIZE];
        struct dial_out to;

        ck_assert_msg(dial_out_parse(good[i], &to, &err) == 0, "%s: %s", good[i], err.message);
        dial_out_print(&to, text);
        ck_assert_str_eq(text, good[i]);
    }
}
END_TEST

START_TEST(what_is_no_place_is_refused)
{
    static const char *const wrong[] = {
        "",
        ":",
        "10.0.0.1",
        "10.0.0.1:",
        ":7433",
        "10.0.0.1:0",
        "10.0.0.1:65536",
        "10.0.0.1:-1",
        "10.0.0.1:+1",
        "10.0.0.1: 1",
        "10.0.0.1:1 ",
        " 10.0.0.1:1",
        "10.0.0.1:18446744073709551617",
        "10.0.1:7433",
        "010.0.0.1:7433",
        "[10.0.0.1]:7433",
        "2001:db8::1:7433",
        "[2001:db8::1:7433",
        "2001:db8::1]:7433",
        "[]:7433",
        "[:7433",
        "[2001:db8::1]7433",
        "[2001:db8::1%eth0]:7433",
        "host.example:7433",
        "127.0.0.1:7433",
        "127.9.9.9:7433",
        "0.0.0.0:7433",
        "224.0.0.1:7433",
        "255.255.255.255:7433",
        "[::1]:7433",
        "[::]:7433",
        "[ff02::1]:7433",
        "[fe80::1]:7433",
        "[::ffff:10.0.0.1]:7433",
        "[2001:db8:1111:2222:3333:4444:5555:6666]:000000000000000000007433",
        "10.0.0.1:7433,10.0.0.2:7433",
    };
    struct dial_out to = {.port = 99};

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        ck_assert_msg(dial_out_parse(wrong[i], &to, &err) < 0, "'%s' was taken", wrong[i]);
        ck_assert_ptr_nonnull(strstr(err.message, "dial-out"));
        ck_assert_uint_eq(to.port, 99); /* untouched */
    }
}
END_TEST

START_TEST(an_address_alone_has_no_brackets)
{
    char text[DIAL_OUT_TEXT_SIZE];
    struct dial_out to;

    ck_assert_int_eq(dial_out_make("2001:db8::1", 5, &to, &err), 0);
    dial_out_print_address(&to, text);
    ck_assert_str_eq(text, "2001:db8::1");
    ck_assert_int_lt(dial_out_make("[2001:db8::1]", 5, &to, &err), 0);
}
END_TEST

int main(void)
{
    return suite_run("dial_out", (const TTest *[]){what_is_good_is_read_and_printed_alike,
                                                   what_is_no_place_is_refused,
                                                   an_address_alone_has_no_brackets, NULL});
}
