/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "oci/reference.h"

#define DIGITS "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

START_TEST(a_digest_goes_both_ways)
{
    uint8_t bytes[REFERENCE_DIGEST_SIZE];
    char text[REFERENCE_DIGEST_TEXT];
    struct error err;

    ck_assert(reference_is_digest("sha256:" DIGITS));
    ck_assert_int_eq(reference_parse_digest("sha256:" DIGITS, bytes, &err), 0);
    ck_assert_uint_eq(bytes[0], 0xe3);
    ck_assert_uint_eq(bytes[31], 0x55);
    reference_format_digest(bytes, text);
    ck_assert_str_eq(text, "sha256:" DIGITS);
    ck_assert_str_eq(reference_digits(text), DIGITS);
}
END_TEST

START_TEST(anything_else_is_no_digest)
{
    static const char *const bad[] = {
        "",
        DIGITS,
        "sha256:",
        "sha256:" DIGITS "0",
        "sha512:" DIGITS,
        "SHA256:" DIGITS,
        "sha256:../../../../../../../../../../../../../../../../../etc/passwd/xxxxxxxx",
        "sha256:E3B0C44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        " sha256:" DIGITS,
        "sha256:" DIGITS "\n",
    };
    uint8_t bytes[REFERENCE_DIGEST_SIZE];
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        ck_assert_msg(reference_parse_digest(bad[i], bytes, &err) < 0, "%s", bad[i]);
    ck_assert_int_eq(reference_parse_digest(NULL, bytes, &err), -1);
}
END_TEST

int main(void)
{
    return suite_run("reference",
                     (const TTest *[]){a_digest_goes_both_ways, anything_else_is_no_digest, NULL});
}
