/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"

START_TEST(what_does_not_fit_is_an_error_and_leaves_nothing)
{
    char buffer[8] = "old";
    struct error err;

    ck_assert_int_eq(text_format(buffer, sizeof buffer, &err, "%s", "1234567"), 0);
    ck_assert_str_eq(buffer, "1234567");
    ck_assert_int_eq(text_format(buffer, sizeof buffer, &err, "%s", "12345678"), -1);
    ck_assert_str_eq(buffer, "");
}
END_TEST

START_TEST(comparisons_know_null_and_ends)
{
    ck_assert(text_equal(NULL, NULL));
    ck_assert(!text_equal(NULL, ""));
    ck_assert(!text_equal("a", NULL));
    ck_assert(text_equal("a", "a"));
    ck_assert(text_starts("sha256:ab", "sha256:"));
    ck_assert(!text_starts("sha", "sha256:"));
    ck_assert(text_ends("a.json", ".json"));
    ck_assert(!text_ends("json", ".json"));
    ck_assert(text_ends("x", ""));
}
END_TEST

START_TEST(identifiers_are_containerds)
{
    static const char *const good[] = {"a", "A0", "a-b", "a.b_c-9", "0123"};
    static const char *const bad[] = {"",    "-a", "a-",  "a--b", "a..b", "a/b", "..",
                                      "a b", ".",  "a\n", "ä",    "a_",   "_a",  "a.-b"};
    char longest[78];

    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        ck_assert_msg(text_is_identifier(good[i]), "%s", good[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        ck_assert_msg(!text_is_identifier(bad[i]), "%s", bad[i]);
    memset(longest, 'a', sizeof longest);
    longest[77] = '\0';
    ck_assert(!text_is_identifier(longest));
    longest[76] = '\0';
    ck_assert(text_is_identifier(longest));
}
END_TEST

START_TEST(numbers_are_whole_strings_in_range)
{
    static const char *const bad[] = {
        "", " 1", "1 ", "+1", "0x1", "1.0", "1e3", "-", "18446744073709551616"};
    uint64_t u = 0;
    int64_t i = 0;

    ck_assert(text_to_u64("18446744073709551615", &u) && u == UINT64_MAX);
    ck_assert(!text_to_u64("-1", &u));
    for (size_t n = 0; n < ARRAY_LENGTH(bad); n++) {
        ck_assert_msg(!text_to_u64(bad[n], &u), "%s", bad[n]);
        ck_assert_msg(!text_to_i64(bad[n], &i), "%s", bad[n]);
    }
    ck_assert(text_to_i64("-9223372036854775808", &i) && i == INT64_MIN);
    ck_assert(!text_to_i64("-9223372036854775809", &i));
    ck_assert(text_to_i64("9223372036854775807", &i) && i == INT64_MAX);
    ck_assert(!text_to_i64("9223372036854775808", &i));
}
END_TEST

START_TEST(sizes_have_binary_suffixes)
{
    static const char *const bad[] = {"",
                                      "MiB",
                                      "1MB",
                                      "1 MiB",
                                      "-1MiB",
                                      "1.5GiB",
                                      "1mib",
                                      "1MiBs",
                                      "18446744073709551615KiB",
                                      "111111111111111111111111111111"};
    uint64_t size = 0;
    struct error err;

    ck_assert_int_eq(text_to_size("512MiB", &size, &err), 0);
    ck_assert_uint_eq(size, 512u << 20);
    ck_assert_int_eq(text_to_size("2GiB", &size, &err), 0);
    ck_assert(size == UINT64_C(2) << 30);
    ck_assert_int_eq(text_to_size("3KiB", &size, &err), 0);
    ck_assert_uint_eq(size, 3072);
    ck_assert_int_eq(text_to_size("1073741824", &size, &err), 0);
    ck_assert_uint_eq(size, 1073741824);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        ck_assert_msg(text_to_size(bad[i], &size, &err) < 0, "%s", bad[i]);
}
END_TEST

START_TEST(only_valid_utf8_remains)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"plain", "plain"},
        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\x80", "?"},
        {"\xc3", "?"},
        {"a\xc3z", "a?z"},
        {"\xc0\xaf", "??"},           /* long form of '/' */
        {"\xe0\x80\xaf", "???"},      /* the same in three bytes */
        {"\xed\xa0\x80", "???"},      /* a surrogate */
        {"\xf4\x90\x80\x80", "????"}, /* beyond U+10FFFF */
        {"\xff\xfe", "??"},
        {"\xf0\x9f\x98", "???"},
    };
    char buffer[32];

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        (void) strcpy(buffer, cases[i].from);
        text_make_utf8(buffer);
        ck_assert_str_eq(buffer, cases[i].to);
        ck_assert_int_eq(text_is_utf8(cases[i].from, strlen(cases[i].from)),
                         strcmp(cases[i].from, cases[i].to) == 0);
    }
}
END_TEST

START_TEST(what_a_terminal_obeys_is_not_printed)
{
    char text[] = "a\x1b[2J\tb\x7f\xc3\xa4";

    text_make_printable(text);
    ck_assert_str_eq(text, "a?[2J?b?\xc3\xa4");
}
END_TEST

int main(void)
{
    return suite_run("text",
                     (const TTest *[]){what_does_not_fit_is_an_error_and_leaves_nothing,
                                       comparisons_know_null_and_ends, identifiers_are_containerds,
                                       numbers_are_whole_strings_in_range,
                                       sizes_have_binary_suffixes, only_valid_utf8_remains,
                                       what_a_terminal_obeys_is_not_printed, NULL});
}
