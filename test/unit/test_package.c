/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "sealed/manifest.h"
#include "sealed/package.h"
#include "suite.h"

static struct error err;

static void make(const char *text, size_t length, char **ret)
{
    ck_assert_msg(package_make(text, length, ret, &err) == 0, "%s", err.message);
}

/* What is packed in a package, so that a test can break it. */
static uint8_t *packed_bytes(const char *text, size_t *ret_length)
{
    scoped(freep) char *package = NULL;
    uint8_t *bytes;

    make(text, strlen(text), &package);
    ck_assert_int_eq(base64_decode(package, PACKAGE_TEXT_MAX, &bytes, ret_length, &err), 0);
    return bytes;
}

static int open_bytes(const void *bytes, size_t length)
{
    scoped(freep) char *text = base64_encode(bytes, length), *out = NULL;
    size_t out_length;

    return package_open(text, &out, &out_length, &err);
}

START_TEST(what_is_packed_is_unpacked)
{
    static const char *const texts[] = {"", "{}", "{\"a\":\"\xc3\xa9\"}"};

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        scoped(freep) char *package = NULL, *again = NULL, *out = NULL;
        size_t length;

        make(texts[i], strlen(texts[i]), &package);
        make(texts[i], strlen(texts[i]), &again);
        ck_assert_str_eq(package, again);
        ck_assert_ptr_null(strpbrk(package, " \n"));
        ck_assert_msg(package_open(package, &out, &length, &err) == 0, "%s", err.message);
        ck_assert_uint_eq(length, strlen(texts[i]));
        ck_assert_str_eq(out, texts[i]);
    }
}
END_TEST

START_TEST(the_largest_manifest_goes_through)
{
    scoped(freep) char *large = xalloc(MANIFEST_SIZE_MAX + 1), *package = NULL, *out = NULL;
    size_t length;

    memset(large, 'a', MANIFEST_SIZE_MAX);
    make(large, MANIFEST_SIZE_MAX, &package);
    ck_assert_msg(package_open(package, &out, &length, &err) == 0, "%s", err.message);
    ck_assert_uint_eq(length, MANIFEST_SIZE_MAX);
    ck_assert_str_eq(out, large);
    free(take_ptr(package));
    ck_assert_int_lt(package_make(large, MANIFEST_SIZE_MAX + 1, &package, &err), 0);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_ptr_null(package);
}
END_TEST

START_TEST(what_does_not_fit_into_an_annotation_is_not_made)
{
    size_t length = PACKAGE_TEXT_MAX;
    scoped(freep) char *noise = xalloc(length), *package = NULL;
    uint32_t state = 1;

    for (size_t i = 0; i < length; i++) {
        state = state * 1664525 + 1013904223;
        noise[i] = (char) (state >> 24);
    }
    ck_assert_int_lt(package_make(noise, length, &package, &err), 0);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_ptr_nonnull(strstr(err.message, "annotation"));
    ck_assert_ptr_null(package);
}
END_TEST

/* A member of 1 MiB and one byte: zeros, so that the whole is small. */
START_TEST(what_unpacks_to_too_much_is_refused)
{
    size_t half = MANIFEST_SIZE_MAX / 2 + 1, length;
    scoped(freep) char *zeros = xalloc(half + 1), *package = NULL, *out = NULL;

    memset(zeros, '0', half);
    scoped(freep) uint8_t *one = packed_bytes(zeros, &length);
    ck_assert_int_eq(open_bytes(one, length), 0);
    /* made by: head -c 1048577 /dev/zero | gzip -9n | base64 -w0 */
    static const char bomb[] =
        "H4sIAAAAAAACA+3BMQEAAADCoPVPbQhfoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAATgMoi6TGAQAQAA==";
    size_t got;
    ck_assert_int_lt(package_open(bomb, &out, &got, &err), 0);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_ptr_nonnull(strstr(err.message, "unpacks to more than 1048576"));
    ck_assert_ptr_null(out);
}
END_TEST

START_TEST(too_long_a_text_is_refused_unread)
{
    scoped(freep) char *text = xalloc(PACKAGE_TEXT_MAX + 5), *out = NULL;
    size_t length;

    memset(text, 'A', PACKAGE_TEXT_MAX + 4);
    ck_assert_int_lt(package_open(text, &out, &length, &err), 0);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_ptr_nonnull(strstr(err.message, "131076 characters, at most 131072"));
}
END_TEST

START_TEST(what_is_no_package_is_refused)
{
    static const char *const texts[] = {"", "{}", "H4sI!", "AAAA", "eJwDAAAAAAE="};
    scoped(freep) char *out = NULL;
    size_t length;

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        ck_assert_msg(package_open(texts[i], &out, &length, &err) < 0, "%s", texts[i]);
        ck_assert_msg(strstr(err.message, "package: "), "%s", err.message);
    }
    ck_assert_ptr_null(out);
}
END_TEST

START_TEST(no_cut_and_no_flipped_bit_unpacks_to_something_else)
{
    static const char text[] = "{\"salt\":\"0123456789abcdef\",\"version\":1}";
    size_t length;
    scoped(freep) uint8_t *bytes = packed_bytes(text, &length);

    for (size_t i = 0; i < length; i++)
        ck_assert_msg(open_bytes(bytes, i) < 0, "cut at %zu", i);
    /* Bits that say nothing about the content (the time, what fills the last byte) may be any. */
    for (size_t i = 0; i < 8 * length; i++) {
        scoped(freep) char *package = NULL, *out = NULL;
        size_t out_length;

        bytes[i / 8] ^= (uint8_t) (1 << i % 8);
        package = base64_encode(bytes, length);
        if (package_open(package, &out, &out_length, &err) == 0)
            ck_assert_str_eq(out, text);
        bytes[i / 8] ^= (uint8_t) (1 << i % 8);
    }
}
END_TEST

START_TEST(nothing_may_follow)
{
    size_t length;
    scoped(freep) uint8_t *bytes = packed_bytes("{}", &length);
    scoped(freep) uint8_t *twice = xalloc(2 * length);

    memcpy(twice, bytes, length);
    memcpy(twice + length, bytes, length);
    ck_assert_int_lt(open_bytes(twice, 2 * length), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "bytes follow"));
    ck_assert_int_lt(open_bytes(twice, length + 1), 0);
}
END_TEST

int main(void)
{
    return suite_run(
        "package",
        (const TTest *[]){
            what_is_packed_is_unpacked, the_largest_manifest_goes_through,
            what_does_not_fit_into_an_annotation_is_not_made, what_unpacks_to_too_much_is_refused,
            too_long_a_text_is_refused_unread, what_is_no_package_is_refused,
            no_cut_and_no_flipped_bit_unpacks_to_something_else, nothing_may_follow, NULL});
}
