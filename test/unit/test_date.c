/* SPDX-License-Identifier: Apache-2.0 */
#include "base/date.h"
#include "base/scoped.h"
#include "suite.h"

START_TEST(a_time_is_read_and_written_alike)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } times[] = {{"1970-01-01T00:00:00Z", 0},
                 {"2024-02-29T23:59:59Z", 1709251199},
                 {"2027-01-01T00:00:00Z", 1798761600},
                 {"9999-12-31T23:59:59Z", 253402300799}};
    char text[DATE_SIZE];
    int64_t seconds;

    for (size_t i = 0; i < ARRAY_LENGTH(times); i++) {
        ck_assert(date_parse(times[i].text, &seconds));
        ck_assert_int_eq(seconds, times[i].seconds);
        date_print(seconds, text);
        ck_assert_str_eq(text, times[i].text);
    }
    date_print(253402300800, text);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(another_spelling_is_no_time)
{
    static const char *const wrongs[] = {
        "",
        "2027-01-01",
        "2027-01-01T00:00:00",
        "2027-01-01 00:00:00Z",
        "2027-01-01T00:00:00z",
        "2027-1-01T00:00:00Z",
        "2027-01-01T00:00:00Z ",
        " 2027-01-01T00:00:00Z",
        "2027-01-01T00:00:00+00:00",
        "2027-04-31T00:00:00Z",
        "2027-02-29T00:00:00Z",
        "2027-01-01T24:00:00Z",
        "2027-01-01T00:00:60Z",
    };
    int64_t seconds = 7;

    for (size_t i = 0; i < ARRAY_LENGTH(wrongs); i++)
        ck_assert_msg(!date_parse(wrongs[i], &seconds), "%s", wrongs[i]);
    ck_assert_int_eq(seconds, 7);
}
END_TEST

int main(void)
{
    return suite_run("date", (const TTest *[]){a_time_is_read_and_written_alike,
                                               another_spelling_is_no_time, NULL});
}
