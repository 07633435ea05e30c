/* SPDX-License-Identifier: Apache-2.0 */
/* Known answers of the exporter of TLS 1.2. They were computed without this code, by
 *
 *     import hashlib, hmac
 *     f = lambda first, n: bytes((first + i) & 0xff for i in range(n))
 *     def prf(h, secret, label, seed, n):  # RFC 5246 section 5
 *         a, out = label + seed, b""
 *         while len(out) < n:
 *             a = hmac.new(secret, a, h).digest()
 *             out += hmac.new(secret, a + label + seed, h).digest()
 *         return out[:n].hex()
 *     for h in hashlib.sha384, hashlib.sha256:
 *         for label in b"EXPORTER-Channel-Binding", b"EXPORTER-cleave-join":
 *             print(prf(h, f(0x01, 48), label, f(0x40, 32) + f(0x80, 32) + b"\0\0", 32))
 */
#include <string.h>

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_internal.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "secure/exporter.h"
#include "suite.h"

static const struct {
    mbedtls_tls_prf_types prf;
    const char *channel_hex, *join_hex;
} exports[] = {
    {MBEDTLS_SSL_TLS_PRF_SHA384, "f287608f91b8f45abb6345b86da0819cd66330326a29b70e4bf49a7815e0fe4e",
     "9dea81d387ce18cd082caa79c009cba58bbedb32fc88740085cb349bd67ac9cf"},
    {MBEDTLS_SSL_TLS_PRF_SHA256, "3b5ccc0707f43d37c2c4ae03545b7e62812fbbe0f648b35afd8dd411145ca8c4",
     "9c3b7bac27cc2827ffc9be97a8082010f6c31f45a2b5223f56f3b844b7e24c81"},
};

/* first, first + 1, ... */
static void fill(uint8_t *to, size_t length, unsigned first)
{
    for (size_t i = 0; i < length; i++)
        to[i] = (uint8_t) (first + i);
}

#define FILL(field, first) fill(field, sizeof(field), first)

static void is(const uint8_t bytes[EXPORTER_SIZE], const char *hex)
{
    char text[2 * EXPORTER_SIZE + 1];

    hex_encode(bytes, EXPORTER_SIZE, text);
    ck_assert_str_eq(text, hex);
}

/* The library tells a secret to the callback that it was given; here the test is the library. */
static void export_and_compare(size_t index, int extended, struct error *err)
{
    uint8_t master[48], client_random[32], server_random[32], value[EXPORTER_SIZE];
    scoped(freep) struct mbedtls_ssl_handshake_params *handshake = xalloc(sizeof(*handshake));
    mbedtls_ssl_context ssl = {.handshake = handshake};
    mbedtls_ssl_config conf;
    struct exporter *exporter;

    mbedtls_ssl_config_init(&conf);
    ck_assert_int_eq(exporter_new(&conf, &exporter, err), 0);
    exporter_attach(exporter, &ssl);
    ck_assert_int_lt(exporter_check(exporter, err), 0);
    FILL(master, 0x01);
    FILL(client_random, 0x40);
    FILL(server_random, 0x80);
    handshake->extended_ms = extended;
    conf.f_export_keys_ext(conf.p_export_keys, master, NULL, 0, 0, 0, client_random, server_random,
                           exports[index].prf);
    if (extended) {
        ck_assert_int_eq(exporter_derive(exporter, EXPORTER_LABEL_CHANNEL, value, err), 0);
        is(value, exports[index].channel_hex);
        ck_assert_int_eq(exporter_derive(exporter, EXPORTER_LABEL_JOIN, value, err), 0);
        is(value, exports[index].join_hex);
        exporter_forget(exporter);
    }
    ck_assert_int_lt(exporter_derive(exporter, EXPORTER_LABEL_JOIN, value, err), 0);
    exporter_free(exporter);
    mbedtls_ssl_config_free(&conf);
}

START_TEST(the_exports_have_their_bytes)
{
    struct error err;

    export_and_compare((size_t) _i, MBEDTLS_SSL_EXTENDED_MS_ENABLED, &err);
}
END_TEST

START_TEST(nothing_is_exported_without_the_extended_master_secret)
{
    struct error err;

    export_and_compare((size_t) _i, MBEDTLS_SSL_EXTENDED_MS_DISABLED, &err);
    ck_assert_ptr_nonnull(strstr(err.message, "extended master secret"));
}
END_TEST

START_TEST(one_version_is_the_least_and_the_greatest)
{
    mbedtls_ssl_config conf;
    struct exporter *exporter;
    struct error err;

    mbedtls_ssl_config_init(&conf);
    for (int endpoint = MBEDTLS_SSL_IS_CLIENT; endpoint <= MBEDTLS_SSL_IS_SERVER; endpoint++) {
        ck_assert_int_eq(mbedtls_ssl_config_defaults(&conf, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM,
                                                     MBEDTLS_SSL_PRESET_DEFAULT),
                         0);
        ck_assert_int_eq(exporter_new(&conf, &exporter, &err), 0);
        ck_assert_int_eq(conf.min_major_ver, MBEDTLS_SSL_MAJOR_VERSION_3);
        ck_assert_int_eq(conf.max_major_ver, MBEDTLS_SSL_MAJOR_VERSION_3);
        ck_assert_int_eq(conf.min_minor_ver, MBEDTLS_SSL_MINOR_VERSION_3);
        ck_assert_int_eq(conf.max_minor_ver, MBEDTLS_SSL_MINOR_VERSION_3);
        exporter_free(exporter);
    }
    mbedtls_ssl_config_free(&conf);
}
END_TEST

int main(void)
{
    TCase *tests = suite_case(&(struct suite){.name = "exporter"},
                              (const TTest *[]){one_version_is_the_least_and_the_greatest, NULL});

    tcase_add_loop_test(tests, the_exports_have_their_bytes, 0, ARRAY_LENGTH(exports));
    tcase_add_loop_test(tests, nothing_is_exported_without_the_extended_master_secret, 0,
                        ARRAY_LENGTH(exports));
    return suite_run_case("exporter", tests);
}
