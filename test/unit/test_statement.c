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
 */
#include <string.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "evidence/evidence.h"
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

int main(void)
{
    return suite_run("statement", (const TTest *[]){the_statement_has_its_bytes,
                                                    sample_evidence_signs_its_sha512,
                                                    the_fields_cover_the_statement_once,
                                                    the_macs_of_a_join_have_their_bytes,
                                                    a_control_is_named_by_half_a_digest, NULL});
}
