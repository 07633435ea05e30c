/* SPDX-License-Identifier: Apache-2.0 */
/* Known answers of the exporter of TLS 1.3. They were computed without this code, by
 *
 *     import hashlib, hmac, struct
 *     f = lambda first, n: bytes((first + i) & 0xff for i in range(n))
 *     def expand(h, secret, label, context, n):  # HKDF-Expand-Label, RFC 8446 section 7.1
 *         info = struct.pack(">HB", n, 6 + len(label)) + b"tls13 " + label
 *         info += bytes([len(context)]) + context
 *         return hmac.new(secret, info + b"\1", h).digest()[:n]
 *     for h in hashlib.sha384, hashlib.sha256:
 *         none = h().digest()                    # of no messages, and of the empty context
 *         for label in b"EXPORTER-Channel-Binding", b"EXPORTER-cleave-join":
 *             secret = expand(h, f(0x01, len(none)), label, none, len(none))
 *             print(expand(h, secret, b"exporter", none, 32).hex())
 */
#include <string.h>

#include <mbedtls/ssl.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "secure/exporter.h"
#include "suite.h"

static const struct {
    int suite;
    const char *channel_hex, *join_hex;
} exports[] = {
    {MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
     "fa87c078302fe4922c0261f5e977684e97c42f7be8ba2f00005cdd8cf56e3abc",
     "b887742d90a1dfc7e703f0f4b596b3da05aff0068b59e07d6eb295a5f968d478"},
    {MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
     "65d02161918cb81a1724bc385f36bb9190337cdec4ac27dfb8ef84e4b6a5ba07",
     "d34a33cc839b2f7324206396f581bc245716fc8aa5dbdbcee8a8db79f357b546"},
};

static struct error err;
static mbedtls_ssl_config conf;
static struct exporter *exporter;

static void setup(void)
{
    mbedtls_ssl_config_init(&conf);
    ck_assert_int_eq(mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_CLIENT,
                                                 MBEDTLS_SSL_TRANSPORT_STREAM,
                                                 MBEDTLS_SSL_PRESET_DEFAULT),
                     0);
    ck_assert_int_eq(exporter_new(&conf, &exporter, &err), 0);
}

static void teardown(void)
{
    exporter_free(exporter);
    mbedtls_ssl_config_free(&conf);
}

static void derives(const char *label, const char *hex)
{
    uint8_t value[EXPORTER_SIZE];
    char text[2 * EXPORTER_SIZE + 1];

    ck_assert_msg(exporter_derive(exporter, label, value, &err) == 0, "%s", err.message);
    hex_encode(value, sizeof(value), text);
    ck_assert_str_eq(text, hex);
}

/* A handshake that nobody made. */
START_TEST(the_exports_have_their_bytes)
{
    uint8_t value[EXPORTER_SIZE];
    mbedtls_ssl_session session = {.ciphersuite = exports[_i].suite};
    mbedtls_ssl_context ssl = {.session = &session};
    unsigned char *secret = session.app_secrets.exporter_master_secret;

    exporter_attach(exporter, &ssl);
    ck_assert_int_lt(exporter_derive(exporter, EXPORTER_LABEL_CHANNEL, value, &err), 0);
    ssl.state = MBEDTLS_SSL_HANDSHAKE_OVER;
    ssl.tls_version = MBEDTLS_SSL_VERSION_TLS1_3;
    for (size_t i = 0; i < sizeof(session.app_secrets.exporter_master_secret); i++)
        secret[i] = (uint8_t) (i + 1);
    derives(EXPORTER_LABEL_CHANNEL, exports[_i].channel_hex);
    derives(EXPORTER_LABEL_JOIN, exports[_i].join_hex);
    exporter_forget(exporter);
    ck_assert_int_lt(exporter_derive(exporter, EXPORTER_LABEL_JOIN, value, &err), 0);
    for (size_t i = 0; i < sizeof(session.app_secrets.exporter_master_secret); i++)
        ck_assert_int_eq(secret[i], 0);
}
END_TEST

START_TEST(nothing_is_exported_from_another_version)
{
    uint8_t value[EXPORTER_SIZE];
    mbedtls_ssl_session session = {.ciphersuite = MBEDTLS_TLS1_3_AES_256_GCM_SHA384};
    mbedtls_ssl_context ssl = {.session = &session,
                               .state = MBEDTLS_SSL_HANDSHAKE_OVER,
                               .tls_version = MBEDTLS_SSL_VERSION_TLS1_2};

    exporter_attach(exporter, &ssl);
    ck_assert_int_lt(exporter_derive(exporter, EXPORTER_LABEL_CHANNEL, value, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "TLS 1.3"));
}
END_TEST

START_TEST(one_version_is_the_least_and_the_greatest)
{
    ck_assert_int_eq(conf.min_tls_version, MBEDTLS_SSL_VERSION_TLS1_3);
    ck_assert_int_eq(conf.max_tls_version, MBEDTLS_SSL_VERSION_TLS1_3);
}
END_TEST

START_TEST(no_psk_and_no_ticket_is_configured)
{
    ck_assert_int_eq(conf.tls13_kex_modes, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL);
    ck_assert_int_eq(conf.new_session_tickets_count, 0);
    ck_assert_ptr_null(conf.f_ticket_write);
    ck_assert_ptr_null(conf.f_ticket_parse);
}
END_TEST

int main(void)
{
    TCase *tests = suite_case(
        &(struct suite){.name = "exporter", .setup = setup, .teardown = teardown},
        (const TTest *[]){nothing_is_exported_from_another_version,
                          one_version_is_the_least_and_the_greatest,
                          no_psk_and_no_ticket_is_configured, NULL});

    tcase_add_loop_test(tests, the_exports_have_their_bytes, 0, ARRAY_LENGTH(exports));
    return suite_run_case("exporter", tests);
}
