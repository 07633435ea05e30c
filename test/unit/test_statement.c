/* SPDX-License-Identifier: Apache-2.0 */
/* Known answers for what both ends sign and derive. They were computed without this code, by
 *
 *     import hashlib, hmac, struct
 *     f = lambda first, n: bytes((first + i) & 0xff for i in range(n))
 *     M = (b"cleave evidence v1".ljust(32, b"\0") + bytes([1, 1, 255, 1])
 *          + struct.pack(">HH", 0x0303, 0x0102) + f(0x10, 32) + f(0x30, 32) + f(0x50, 32)
 *          + f(0x70, 32) + f(0x90, 48) + f(0xc0, 48) + f(0xf0, 16) + f(0x08, 32)
 *          + struct.pack(">Q", 0x0102030405060708))
 *     print(M.hex(), hashlib.sha512(M).hexdigest())
 *     for direction in 1, 2:
 *         print(hmac.new(f(0x40, 32), b"cleave join v1".ljust(32, b"\0") + bytes([direction, 2])
 *               + struct.pack(">H", 0x0304) + f(0x10, 16) + f(0x20, 32) + f(0x60, 32) + f(0x80, 32)
 *               + f(0xa0, 32), hashlib.sha256).hexdigest())
 *     print(hashlib.sha256(f(0x30, 32)).hexdigest()[:32])
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
#include "evidence/evidence.h"
#include "secure/exporter.h"
#include "secure/join.h"
#include "secure/statement.h"
#include "suite.h"

static const char statement_hex[] =
    "636c656176652065766964656e636520763100000000000000000000000000000101ff0103030102"
    "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637"
    "38393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
    "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f8081828384858687"
    "88898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
    "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7"
    "d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
    "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223242526270102030405060708";
static const char statement_sha512_hex[] =
    "64ab0f0a79e1f9243730769a2526f066d57c966b9735aacdcbf4e2850675f967516886bc043bb308"
    "7376f343f14ef51de22bb6c861d73da14a7cd8ae76216f89";
static const char mac_to_guest_hex[] =
    "2fc0c64490b656c7c7b29ddc26cb2a4713a9642ae2bf85e22edf9cda2a0b3541";
static const char mac_to_tenant_hex[] =
    "5cf97f7f567ae3ba0da280071ec5712731945b262f118d67888e320607c48053";
static const char control_id_hex[] = "d9c2e699586b948f4022c7994ffe14c6";

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

static void is(const uint8_t *bytes, size_t length, const char *hex)
{
    scoped(freep) char *text = xalloc(2 * length + 1);

    hex_encode(bytes, length, text);
    ck_assert_str_eq(text, hex);
}

static struct statement example(void)
{
    struct statement statement = {
        .role = STATEMENT_GUEST_TO_TENANT,
        .evidence = EVIDENCE_SAMPLE,
        .mode = 1,
        .tls_version = 0x0303,
        .number = 0x0102,
        .epoch = 0x0102030405060708,
    };

    FILL(statement.nonce, 0x10);
    FILL(statement.exporter, 0x30);
    FILL(statement.guest_spki, 0x50);
    FILL(statement.peer_spki, 0x70);
    FILL(statement.initdata_digest, 0x90);
    FILL(statement.manifest_digest, 0xc0);
    FILL(statement.sandbox_id, 0xf0);
    FILL(statement.instance_id, 0x08);
    return statement;
}

START_TEST(the_statement_has_its_bytes)
{
    const struct statement statement = example();
    uint8_t bytes[STATEMENT_SIZE];

    statement_write(&statement, bytes);
    is(bytes, sizeof(bytes), statement_hex);
}
END_TEST

START_TEST(sample_evidence_signs_its_sha512)
{
    const struct statement statement = example();
    const struct evidence_type *sample = evidence_find_name("sample");
    uint8_t bytes[STATEMENT_SIZE], digest[64];

    statement_write(&statement, bytes);
    sample->digest(bytes, sizeof(bytes), digest);
    is(digest, sizeof(digest), statement_sha512_hex);
}
END_TEST

START_TEST(the_fields_cover_the_statement_once)
{
    const struct statement_field *field;
    size_t end = 0;

    for (size_t i = 0; (field = statement_field(i)); i++) {
        ck_assert_uint_eq(field->offset, end);
        end += field->length;
    }
    ck_assert_uint_eq(end, STATEMENT_SIZE);
}
END_TEST

START_TEST(the_macs_of_a_join_have_their_bytes)
{
    struct join_statement statement = {.direction = JOIN_TO_GUEST, .class = 2, .serial = 0x0304};
    uint8_t key[32], mac[32];

    FILL(key, 0x40);
    FILL(statement.control_id, 0x10);
    FILL(statement.nonce, 0x20);
    FILL(statement.exporter, 0x60);
    FILL(statement.guest_spki, 0x80);
    FILL(statement.tenant_spki, 0xa0);
    join_mac(key, &statement, mac);
    is(mac, sizeof(mac), mac_to_guest_hex);
    statement.direction = JOIN_TO_TENANT;
    join_mac(key, &statement, mac);
    is(mac, sizeof(mac), mac_to_tenant_hex);
}
END_TEST

START_TEST(a_control_is_named_by_half_a_digest)
{
    uint8_t exporter[32], id[16];

    FILL(exporter, 0x30);
    join_control_id(exporter, id);
    is(id, sizeof(id), control_id_hex);
}
END_TEST

/* The library tells a secret to the callback that it was given; here the test is the library. */
static void export_and_compare(size_t index, int extended, struct error *err)
{
    uint8_t master[48], client_random[32], server_random[32], value[EXPORTER_SIZE];
    scoped(freep) struct mbedtls_ssl_handshake_params *handshake = xalloc(sizeof(*handshake));
    mbedtls_ssl_context ssl = {.handshake = handshake};
    mbedtls_ssl_config conf;

    mbedtls_ssl_config_init(&conf);
    struct exporter *exporter = exporter_new(&conf);
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
        is(value, sizeof(value), exports[index].channel_hex);
        ck_assert_int_eq(exporter_derive(exporter, EXPORTER_LABEL_JOIN, value, err), 0);
        is(value, sizeof(value), exports[index].join_hex);
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

int main(void)
{
    TCase *tests = suite_case(
        &(struct suite){.name = "statement"},
        (const TTest *[]){the_statement_has_its_bytes, sample_evidence_signs_its_sha512,
                          the_fields_cover_the_statement_once, the_macs_of_a_join_have_their_bytes,
                          a_control_is_named_by_half_a_digest, NULL});

    tcase_add_loop_test(tests, the_exports_have_their_bytes, 0, ARRAY_LENGTH(exports));
    tcase_add_loop_test(tests, nothing_is_exported_without_the_extended_master_secret, 0,
                        ARRAY_LENGTH(exports));
    return suite_run_case("statement", tests);
}
