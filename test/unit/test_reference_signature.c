/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include "base/error.h"
#include "evidence/reference_values.h"

/* openssl ecparam -genkey -name prime256v1; openssl ec -pubout; openssl dgst -sha256 -sign */
static const char text[] = "what is good";

static const uint8_t signature[] = {
    0x30, 0x45, 0x02, 0x21, 0x00, 0xd2, 0xe5, 0x89, 0x90, 0x67, 0xd2, 0xbd, 0xc4, 0x1e, 0x95,
    0xf0, 0x0f, 0x46, 0x5c, 0xf5, 0x4a, 0xc4, 0x68, 0x5e, 0x3e, 0xb2, 0xfa, 0xed, 0x4c, 0xdb,
    0xed, 0x51, 0xec, 0x55, 0x20, 0xe4, 0xb0, 0x02, 0x20, 0x50, 0x19, 0x44, 0xbb, 0x03, 0x6e,
    0x1c, 0xed, 0x33, 0xa9, 0xc8, 0x5a, 0x9e, 0xed, 0xaf, 0xa2, 0x23, 0x56, 0xd2, 0x37, 0x7c,
    0xb7, 0xc8, 0x5b, 0xe4, 0x21, 0x98, 0x0e, 0xd6, 0xd0, 0x31, 0x70,
};

#define KEY                                                                                        \
    "-----BEGIN PUBLIC KEY-----\n"                                                                 \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEC4Xl1NxXfwXIVS6a6vmVHRg45k0j\n"                           \
    "BbOyK8tlHdMMCc7VrlhLezAcwstch0jrHm0y63HeELgx3WyUBLFhYONG1A==\n"                               \
    "-----END PUBLIC KEY-----\n"

#define OTHER_KEY                                                                                  \
    "-----BEGIN PUBLIC KEY-----\n"                                                                 \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEgkHJ2D577Lmd7Ga54hWFRIdRK5oS\n"                           \
    "mm//iHI8jb4NrXp/rHxXdxnCgtDXMkk3yF3nuRnwtLAbvvFltSh7ha42Dw==\n"                               \
    "-----END PUBLIC KEY-----\n"

#define P384_KEY                                                                                   \
    "-----BEGIN PUBLIC KEY-----\n"                                                                 \
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE4MM48yQcncSkoOBwZ74gVq6TX8hZSEoW\n"                           \
    "/A7oIDI1ncbfi8i5SVRPE8xOjTtYa6b6+VdHOo/Eei+pJlD+Oi7BlNp4gwXWNg8U\n"                           \
    "Jho4Pk7GUiY7FUlypk3J5mgrgd6RKasE\n"                                                           \
    "-----END PUBLIC KEY-----\n"

#define TEN(x) x x x x x x x x x x

static int verify(const char *what, const uint8_t *by, size_t size, const char *keys,
                  struct error *err)
{
    return reference_values_verify_signature(
        (struct chain_bytes){(const uint8_t *) what, strlen(what)}, (struct chain_bytes){by, size},
        (struct chain_bytes){(const uint8_t *) keys, strlen(keys)}, err);
}

START_TEST(what_openssl_signs_is_signed)
{
    static const char *const goods[] = {KEY, "\n" KEY "\n\n", OTHER_KEY KEY, KEY OTHER_KEY};
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(goods); i++)
        ck_assert_int_eq(verify(text, signature, sizeof(signature), goods[i], &err), 0);
}
END_TEST

START_TEST(keys_that_are_no_keys_are_refused)
{
    static const struct {
        const char *keys, *text;
    } wrongs[] = {
        {"", "there is no key"},
        {" \n", "there is no key"},
        {"# ours\n" KEY, "something else"},
        {KEY "x", "something else"},
        {"-----BEGIN PUBLIC KEY-----\n", "something else"},
        {"-----BEGIN PUBLIC KEY-----\n????\n-----END PUBLIC KEY-----\n", "not on P-256"},
        {"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", "not on P-256"},
        {KEY P384_KEY, "not on P-256"},
        {TEN(KEY), "more than 8"},
    };
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(wrongs); i++) {
        ck_assert_int_lt(verify(text, signature, sizeof(signature), wrongs[i].keys, &err), 0);
        ck_assert_msg(strstr(err.message, wrongs[i].text), "%s: %s", wrongs[i].keys, err.message);
    }
}
END_TEST

START_TEST(another_key_another_text_or_another_signature_is_refused)
{
    uint8_t changed[sizeof(signature) + 1];
    struct error err;

    ck_assert_int_lt(verify(text, signature, sizeof(signature), OTHER_KEY, &err), 0);
    ck_assert_int_eq(err.status, STATUS_UNAUTHENTICATED);
    ck_assert_int_lt(verify("what is goof", signature, sizeof(signature), KEY, &err), 0);
    ck_assert_int_eq(err.status, STATUS_UNAUTHENTICATED);
    for (size_t i = 0; i < sizeof(signature); i++) {
        memcpy(changed, signature, sizeof(signature));
        changed[i] ^= 1;
        ck_assert_int_lt(verify(text, changed, sizeof(signature), KEY, &err), 0);
    }
    memcpy(changed, signature, sizeof(signature));
    changed[sizeof(signature)] = 0;
    ck_assert_int_lt(verify(text, changed, sizeof(changed), KEY, &err), 0);
    ck_assert_int_lt(verify(text, signature, sizeof(signature) - 1, KEY, &err), 0);
}
END_TEST

START_TEST(no_signature_is_none)
{
    uint8_t large[REFERENCE_VALUES_SIGNATURE_MAX + 1] = {0};
    struct error err;

    ck_assert_int_lt(verify(text, NULL, 0, KEY, &err), 0);
    ck_assert_int_eq(err.status, STATUS_UNAUTHENTICATED);
    ck_assert_int_lt(verify(text, large, sizeof(large), KEY, &err), 0);
    ck_assert_int_eq(err.status, STATUS_UNAUTHENTICATED);
}
END_TEST

int main(void)
{
    return suite_run("reference_signature",
                     (const TTest *[]){what_openssl_signs_is_signed,
                                       keys_that_are_no_keys_are_refused,
                                       another_key_another_text_or_another_signature_is_refused,
                                       no_signature_is_none, NULL});
}
