/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <string.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/random.h"
#include "base/scoped.h"

START_TEST(hex_goes_both_ways)
{
    const uint8_t data[] = {0x00, 0x1f, 0xab, 0xff};
    uint8_t back[4] = {0};
    char text[9];
    struct error err;

    hex_encode(data, sizeof data, text);
    ck_assert_str_eq(text, "001fabff");
    ck_assert_int_eq(hex_decode(text, back, sizeof back, &err), 0);
    ck_assert_mem_eq(back, data, sizeof data);
    ck_assert_int_eq(hex_decode("001FABFF", back, sizeof back, &err), 0);
    ck_assert_mem_eq(back, data, sizeof data);
}
END_TEST

START_TEST(hex_of_another_length_or_alphabet_is_refused)
{
    static const char *const bad[] = {"",         "00",       "0011223", "001122334",
                                      "0011223g", "00 12233", "0x112233"};
    uint8_t to[4] = {9, 9, 9, 9};
    const uint8_t untouched[4] = {9, 9, 9, 9};
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        ck_assert_msg(hex_decode(bad[i], to, sizeof to, &err) < 0, "%s", bad[i]);
    ck_assert_mem_eq(to, untouched, sizeof to);
}
END_TEST

START_TEST(base64_has_the_values_of_rfc_4648)
{
    static const struct {
        const char *plain, *text;
    } cases[] = {{"", ""},
                 {"f", "Zg=="},
                 {"fo", "Zm8="},
                 {"foo", "Zm9v"},
                 {"foob", "Zm9vYg=="},
                 {"fooba", "Zm9vYmE="},
                 {"foobar", "Zm9vYmFy"}};
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        scoped(freep) char *text = base64_encode(cases[i].plain, strlen(cases[i].plain));
        scoped(freep) uint8_t *back = NULL;
        size_t length = 99;

        ck_assert_str_eq(text, cases[i].text);
        ck_assert_int_eq(base64_decode(text, 6, &back, &length, &err), 0);
        ck_assert_uint_eq(length, strlen(cases[i].plain));
        ck_assert_mem_eq(back, cases[i].plain, length);
    }
}
END_TEST

START_TEST(base64_that_is_not_strict_is_refused)
{
    static const char *const bad[] = {
        "Zg",     "Zg=",   "Zg===",    "Z===", "====", "Zh==", "Zm9=",
        "Zm9v\n", "Zm 9v", "Zg==Zg==", "Zm9-", "Z=g=", "=Zg=", "Zm8=Zm8="};
    uint8_t *data = NULL;
    size_t length;
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        ck_assert_msg(base64_decode(bad[i], 100, &data, &length, &err) < 0, "%s", bad[i]);
    ck_assert_ptr_null(data);
}
END_TEST

START_TEST(base64_has_a_limit)
{
    scoped(freep) uint8_t *data = NULL;
    size_t length;
    struct error err;

    ck_assert_int_eq(base64_decode("Zm9vYg==", 3, &data, &length, &err), -1);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_int_eq(base64_decode("Zm9vYg==", 4, &data, &length, &err), 0);
}
END_TEST

START_TEST(random_bytes_survive_base64)
{
    struct error err;

    for (size_t size = 0; size < 100; size++) {
        uint8_t data[100];
        scoped(freep) char *text = NULL;
        scoped(freep) uint8_t *back = NULL;
        size_t length;

        random_bytes(data, size);
        text = base64_encode(data, size);
        ck_assert_int_eq(base64_decode(text, size, &back, &length, &err), 0);
        ck_assert_uint_eq(length, size);
        ck_assert(memcmp(back, data, size) == 0);
    }
}
END_TEST

int main(void)
{
    return suite_run(
        "hex",
        (const TTest *[]){hex_goes_both_ways, hex_of_another_length_or_alphabet_is_refused,
                          base64_has_the_values_of_rfc_4648, base64_that_is_not_strict_is_refused,
                          base64_has_a_limit, random_bytes_survive_base64, NULL});
}
