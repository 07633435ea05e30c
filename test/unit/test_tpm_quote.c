/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes, attestation keys and evidence made here, with keys of this run: good ones, each field
 * wrong once, cut at each byte. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/ecdsa.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/hex.h"
#include "base/random.h"
#include "base/scoped.h"
#include "evidence/finding.h"
#include "evidence/tpm_evidence.h"
#include "evidence/tpm_quote.h"
#include "suite.h"

enum { RSASSA = 0x14, RSAPSS = 0x16, ECDSA = 0x18, SHA256_ID = 0x000b, SHA384_ID = 0x000c };
enum { SELECTION = BIT(0) | BIT(4) | BIT(11) | BIT(12) };
/* Offsets in a quote whose signer has 34 bytes and whose nonce has 32. */
enum {
    SIGNER_AT = 6,
    NONCE_AT = 42,
    RESET_AT = 84,
    SAFE_AT = 92,
    FIRMWARE_AT = 93,
    BANKS_AT = 101,
    BANK_AT = 105,
    SELECT_SIZE_AT = 107,
    SELECT_AT = 108,
    DIGEST_AT = 111,
};
enum { GOOD_ATTRIBUTES = 0x00050072 };

static mbedtls_pk_context p256, rsa;
static struct finding finding;
static uint8_t nonce[32];

static int random_of_kernel(void *unused, unsigned char *to, size_t length)
{
    random_bytes(to, length);
    return 0;
}

/* Called from main() too, where nothing can be asserted. */
static void must(int rc)
{
    if (rc != 0)
        abort();
}

static void make_rsa(mbedtls_pk_context *key, unsigned bits)
{
    mbedtls_pk_init(key);
    must(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)));
    must(mbedtls_rsa_gen_key(mbedtls_pk_rsa(*key), random_of_kernel, NULL, bits, 65537));
}

static void make_ec(mbedtls_pk_context *key, mbedtls_ecp_group_id curve)
{
    mbedtls_pk_init(key);
    must(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)));
    must(mbedtls_ecp_gen_key(curve, mbedtls_pk_ec(*key), random_of_kernel, NULL));
}

static void ck_finding(enum finding_code code, const char *why)
{
    ck_assert_msg(finding.code == code, "%s: %s, not %s", finding_name(finding.code), finding.text,
                  finding_name(code));
    ck_assert_msg(strstr(finding.text, why), "'%s' is not in: %s", why, finding.text);
}

static void make_registers(struct registers *ret, enum digest_type type, uint32_t set)
{
    registers_init(ret, REGISTERS_PCR, type);
    ret->set = set;
    for (unsigned i = 0; i < REGISTERS_MAX; i++)
        memset(ret->values[i], (int) (i + 1), registers_size(type));
}

static void write_sized(struct writer *writer, const void *data, size_t size)
{
    writer_u16(writer, (uint16_t) size);
    writer_bytes(writer, data, size);
}

static void write_bank(struct writer *writer, const struct registers *bank, struct digest *digest)
{
    writer_u16(writer, bank->type == DIGEST_SHA256 ? SHA256_ID : SHA384_ID);
    writer_u8(writer, 3);
    for (unsigned i = 0; i < 3; i++)
        writer_u8(writer, (uint8_t) (bank->set >> 8 * i));
    for (unsigned i = 0; i < REGISTERS_MAX; i++)
        if (bank->set & BIT(i))
            digest_update(digest, bank->values[i], registers_size(bank->type));
}

static void write_quote(struct writer *writer, const struct registers *banks, size_t count)
{
    scoped(digest_freep) struct digest *digest = digest_new(DIGEST_SHA256);
    uint8_t name[34] = {0, SHA256_ID, 1, 2, 3}, value[SHA256_SIZE];

    writer_init(writer, TPM_QUOTE_MAX + 1);
    writer_u32(writer, 0xff544347);
    writer_u16(writer, 0x8018);
    write_sized(writer, name, sizeof(name));
    write_sized(writer, nonce, sizeof(nonce));
    writer_u64(writer, 1234567); /* clock */
    writer_u32(writer, 7);       /* resetCount */
    writer_u32(writer, 3);       /* restartCount */
    writer_u8(writer, 1);        /* safe */
    writer_u64(writer, 0x2019102300163636);
    writer_u32(writer, (uint32_t) count);
    for (size_t i = 0; i < count; i++)
        write_bank(writer, &banks[i], digest);
    digest_value(digest, value);
    write_sized(writer, value, sizeof(value));
    ck_assert(!writer->failed);
}

/* From a copy of exactly that size, so that ASan sees the first byte behind it. */
static int judge(const void *message, size_t size, const struct registers *banks, size_t count)
{
    scoped(freep) uint8_t *copy = xmemdup(message, size ? size : 1);
    const struct tpm_quote_expected expected = {
        .nonce = nonce, .nonce_size = sizeof(nonce), .banks = banks, .bank_count = count};
    struct tpm_quote quote;

    finding = (struct finding){0};
    if (tpm_quote_parse(copy, size, &quote, &finding) < 0)
        return -1;
    return tpm_quote_check(&quote, &expected, &finding);
}

START_TEST(a_good_quote_is_read_and_taken)
{
    scoped(writer_fini) struct writer message;
    struct tpm_quote quote;
    struct registers bank;

    make_registers(&bank, DIGEST_SHA256, SELECTION);
    write_quote(&message, &bank, 1);
    ck_assert_uint_eq(message.size, 145);
    ck_assert_msg(judge(message.data, message.size, &bank, 1) == 0, "%s", finding.text);
    ck_assert_int_eq(tpm_quote_parse(message.data, message.size, &quote, &finding), 0);
    ck_assert_uint_eq(quote.signer_size, 34);
    ck_assert_uint_eq(quote.clock, 1234567);
    ck_assert_uint_eq(quote.reset_count, 7);
    ck_assert_uint_eq(quote.restart_count, 3);
    ck_assert(quote.safe);
    ck_assert_uint_eq(quote.firmware, 0x2019102300163636);
    ck_assert_uint_eq(quote.banks[0].set, SELECTION);
}
END_TEST

START_TEST(each_field_of_a_quote_is_looked_at)
{
    static const struct {
        size_t offset, width;
        uint64_t value;
        enum finding_code code;
        const char *why;
    } changes[] = {
        {0, 4, 0xff544348, FINDING_QUOTE_MAGIC, "magic is 0xff544348"},
        {4, 2, 0x8017, FINDING_QUOTE_TYPE, "type is 0x8017"},
        {SIGNER_AT, 2, 67, FINDING_QUOTE_SIGNER, "qualifiedSigner of 67"},
        {SIGNER_AT, 2, 0xffff, FINDING_QUOTE_SIGNER, "qualifiedSigner of 65535"},
        {SIGNER_AT, 2, 33, FINDING_QUOTE_CLOCK, "safe is 90"},
        {NONCE_AT, 2, 65, FINDING_QUOTE_NONCE, "extraData of 65"},
        {NONCE_AT + 2, 1, 1, FINDING_QUOTE_NONCE, "not what was asked for"},
        {NONCE_AT + 33, 1, 1, FINDING_QUOTE_NONCE, "not what was asked for"},
        {SAFE_AT, 1, 2, FINDING_QUOTE_CLOCK, "safe is 2"},
        {BANKS_AT, 4, 0, FINDING_QUOTE_BANK, "0 banks"},
        {BANKS_AT, 4, 3, FINDING_QUOTE_BANK, "3 banks"},
        {BANKS_AT, 4, 0xffffffff, FINDING_QUOTE_BANK, "4294967295 banks"},
        {BANK_AT, 2, 4, FINDING_QUOTE_BANK, "bank 0x0004"},
        {BANK_AT, 2, SHA384_ID, FINDING_QUOTE_BANK, "sha384 is not asked for"},
        {SELECT_SIZE_AT, 1, 2, FINDING_QUOTE_BANK, "sizeofSelect of bank sha256 is 2"},
        {SELECT_SIZE_AT, 1, 4, FINDING_QUOTE_BANK, "sizeofSelect of bank sha256 is 4"},
        {SELECT_AT, 1, 0x10, FINDING_QUOTE_PCRS, "PCRs 0x001810, not exactly 0x001811"},
        {SELECT_AT + 2, 1, 0x80, FINDING_QUOTE_PCRS, "PCRs 0x801811, not exactly 0x001811"},
        {SELECT_AT, 3, 0, FINDING_QUOTE_PCRS, "PCRs 0x000000"},
        {DIGEST_AT, 2, 31, FINDING_QUOTE_SIZE, "something is behind"},
        {DIGEST_AT, 2, 33, FINDING_QUOTE_SIZE, "cut short"},
        {DIGEST_AT + 2, 1, 0, FINDING_QUOTE_DIGEST, "pcrDigest"},
        {DIGEST_AT + 33, 1, 0, FINDING_QUOTE_DIGEST, "pcrDigest"},
    };
    struct registers bank;

    make_registers(&bank, DIGEST_SHA256, SELECTION);
    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
        scoped(writer_fini) struct writer message;

        write_quote(&message, &bank, 1);
        for (size_t j = 0; j < changes[i].width; j++)
            message.data[changes[i].offset + j] = (uint8_t) (changes[i].value >>
                                                             8 * (changes[i].width - 1 - j));
        ck_assert_msg(judge(message.data, message.size, &bank, 1) < 0, "taken: %s", changes[i].why);
        ck_finding(changes[i].code, changes[i].why);
    }
}
END_TEST

START_TEST(a_quote_cut_at_any_byte_is_refused)
{
    scoped(writer_fini) struct writer message;
    struct registers bank;

    make_registers(&bank, DIGEST_SHA256, SELECTION);
    write_quote(&message, &bank, 1);
    for (size_t size = 0; size < message.size; size++) {
        ck_assert_msg(judge(message.data, size, &bank, 1) < 0, "cut at %zu", size);
        ck_finding(FINDING_QUOTE_SIZE, "bytes");
    }
    writer_u8(&message, 0);
    ck_assert_int_lt(judge(message.data, message.size, &bank, 1), 0);
    ck_finding(FINDING_QUOTE_SIZE, "something is behind it");
    writer_zeros(&message, TPM_QUOTE_MAX + 1 - message.size);
    ck_assert_int_lt(judge(message.data, message.size, &bank, 1), 0);
    ck_finding(FINDING_QUOTE_SIZE, "limit 1024");
}
END_TEST

START_TEST(two_banks_are_taken_in_their_order_and_none_twice)
{
    struct registers banks[2], reversed[2], twice[2];

    make_registers(&banks[0], DIGEST_SHA256, SELECTION);
    make_registers(&banks[1], DIGEST_SHA384, BIT(7));
    reversed[0] = banks[1];
    reversed[1] = banks[0];
    twice[0] = twice[1] = banks[0];
    {
        scoped(writer_fini) struct writer message;

        write_quote(&message, banks, 2);
        ck_assert_msg(judge(message.data, message.size, banks, 2) == 0, "%s", finding.text);
        ck_assert_msg(judge(message.data, message.size, reversed, 2) == 0, "%s", finding.text);
        ck_assert_int_lt(judge(message.data, message.size, banks, 1), 0);
        ck_finding(FINDING_QUOTE_BANK, "sha384 is not asked for");
    }
    {
        scoped(writer_fini) struct writer message;

        write_quote(&message, banks, 1);
        ck_assert_int_lt(judge(message.data, message.size, banks, 2), 0);
        ck_finding(FINDING_QUOTE_BANK, "1 banks, not 2");
    }
    {
        scoped(writer_fini) struct writer message;

        write_quote(&message, twice, 2);
        ck_assert_int_lt(judge(message.data, message.size, twice, 2), 0);
        ck_finding(FINDING_QUOTE_BANK, "sha256 stands there twice");
    }
}
END_TEST

START_TEST(values_that_are_not_signed_are_refused)
{
    scoped(writer_fini) struct writer message;
    struct registers bank;

    make_registers(&bank, DIGEST_SHA256, SELECTION);
    write_quote(&message, &bank, 1);
    for (unsigned i = 0; i < REGISTERS_MAX; i++) {
        struct registers other = bank;

        other.values[i][31] ^= 1;
        ck_assert_int_eq(judge(message.data, message.size, &other, 1), SELECTION & BIT(i) ? -1 : 0);
    }
}
END_TEST

START_TEST(another_boot_or_firmware_is_refused_if_one_is_asked_for)
{
    scoped(writer_fini) struct writer message;
    uint64_t firmware = 0x2019102300163636;
    uint32_t reset_count = 7;
    struct registers bank;
    struct tpm_quote_expected expected = {.nonce = nonce,
                                          .nonce_size = sizeof(nonce),
                                          .banks = &bank,
                                          .bank_count = 1,
                                          .reset_count = &reset_count,
                                          .firmware = &firmware};
    struct tpm_quote quote;

    make_registers(&bank, DIGEST_SHA256, SELECTION);
    write_quote(&message, &bank, 1);
    ck_assert_int_eq(tpm_quote_parse(message.data, message.size, &quote, &finding), 0);
    ck_assert_int_eq(tpm_quote_check(&quote, &expected, &finding), 0);
    firmware++;
    ck_assert_int_lt(tpm_quote_check(&quote, &expected, &finding), 0);
    ck_finding(FINDING_QUOTE_FIRMWARE, "0x2019102300163636");
    reset_count++;
    ck_assert_int_lt(tpm_quote_check(&quote, &expected, &finding), 0);
    ck_finding(FINDING_QUOTE_RESET, "resetCount is 7, not 8");
}
END_TEST

static size_t spki_of(mbedtls_pk_context *key, uint8_t ret[1024])
{
    int length = mbedtls_pk_write_pubkey_der(key, ret, 1024);

    ck_assert_int_gt(length, 0);
    memmove(ret, ret + 1024 - length, (size_t) length);
    return (size_t) length;
}

static struct tpm_key *key_of(mbedtls_pk_context *pk)
{
    struct tpm_key *key = NULL;
    uint8_t der[1024];
    size_t size = spki_of(pk, der);

    ck_assert_msg(tpm_key_parse_spki(der, size, &key, &finding) == 0, "%s", finding.text);
    return key;
}

static size_t sign_bare(mbedtls_pk_context *pk, const void *message, size_t size, uint8_t *ret)
{
    uint8_t hash[SHA256_SIZE];
    size_t length = 0;

    digest_sha256(message, size, hash);
    ck_assert_int_eq(mbedtls_pk_sign(pk, MBEDTLS_MD_SHA256, hash, sizeof(hash), ret, &length,
                                     random_of_kernel, NULL),
                     0);
    return length;
}

/* A TPMT_SIGNATURE. */
static void sign(mbedtls_pk_context *pk, const void *message, size_t size, struct writer *ret)
{
    uint8_t hash[SHA256_SIZE], bytes[512];
    mbedtls_mpi r, s;

    writer_init(ret, 1024);
    if (mbedtls_pk_get_type(pk) == MBEDTLS_PK_RSA) {
        size_t length = sign_bare(pk, message, size, bytes);

        writer_u16(ret, RSASSA);
        writer_u16(ret, SHA256_ID);
        write_sized(ret, bytes, length);
        return;
    }
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    digest_sha256(message, size, hash);
    ck_assert_int_eq(mbedtls_ecdsa_sign(&mbedtls_pk_ec(*pk)->grp, &r, &s, &mbedtls_pk_ec(*pk)->d,
                                        hash, sizeof(hash), random_of_kernel, NULL),
                     0);
    ck_assert_int_eq(mbedtls_mpi_write_binary(&r, bytes, 32), 0);
    ck_assert_int_eq(mbedtls_mpi_write_binary(&s, bytes + 32, 32), 0);
    mbedtls_mpi_free(&r);
    mbedtls_mpi_free(&s);
    writer_u16(ret, ECDSA);
    writer_u16(ret, SHA256_ID);
    write_sized(ret, bytes, 32);
    write_sized(ret, bytes + 32, 32);
}

static int verify(struct tpm_key *key, const char *message, const void *signature, size_t size)
{
    scoped(freep) uint8_t *copy = xmemdup(signature, size ? size : 1);
    const struct tpm_signed object = {(const uint8_t *) message, copy, strlen(message), size};

    finding = (struct finding){0};
    return tpm_key_verify(key, &object, &finding);
}

START_TEST(signatures_of_both_schemes_verify_and_none_with_one_bit_changed)
{
    mbedtls_pk_context *const keys[] = {&p256, &rsa};

    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        scoped(tpm_key_freep) struct tpm_key *key = key_of(keys[i]);
        scoped(writer_fini) struct writer signature;

        sign(keys[i], "message", 7, &signature);
        ck_assert_msg(verify(key, "message", signature.data, signature.size) == 0, "%s",
                      finding.text);
        ck_assert_int_lt(verify(key, "messagf", signature.data, signature.size), 0);
        ck_finding(FINDING_SIGNATURE, "not that of the attestation key");
        for (size_t at = 0; at < signature.size; at += i ? 17 : 1) {
            signature.data[at] ^= 1;
            ck_assert_msg(verify(key, "message", signature.data, signature.size) < 0, "byte %zu",
                          at);
            signature.data[at] ^= 1;
        }
        for (size_t size = 0; size < signature.size; size++) {
            ck_assert_int_lt(verify(key, "message", signature.data, size), 0);
            ck_finding(FINDING_SIGNATURE_FORMAT, "TPMT_SIGNATURE");
        }
        writer_u8(&signature, 0);
        ck_assert_int_lt(verify(key, "message", signature.data, signature.size), 0);
        ck_finding(FINDING_SIGNATURE_FORMAT, "something is behind it");
    }
}
END_TEST

START_TEST(another_scheme_or_hash_is_refused_by_name)
{
    static const struct {
        uint16_t scheme, hash;
        const char *why;
    } wrong[] = {
        {RSAPSS, SHA256_ID, "RSAPSS"},
        {0x0005, SHA256_ID, "0x0005 is neither RSASSA nor ECDSA"},
        {RSASSA, SHA384_ID, "hash 0x000c is not SHA-256"},
        {RSASSA, 0x0004, "hash 0x0004 is not SHA-256"},
        {ECDSA, SHA256_ID, "sigAlg is ECDSA, but the attestation key is RSA"},
    };
    scoped(tpm_key_freep) struct tpm_key *key = key_of(&rsa);
    scoped(tpm_key_freep) struct tpm_key *ec = key_of(&p256);
    scoped(writer_fini) struct writer signature;

    sign(&rsa, "message", 7, &signature);
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        signature.data[0] = 0;
        signature.data[1] = (uint8_t) wrong[i].scheme;
        signature.data[3] = (uint8_t) wrong[i].hash;
        ck_assert_int_lt(verify(key, "message", signature.data, signature.size), 0);
        ck_finding(FINDING_SIGNATURE_SCHEME, wrong[i].why);
    }
    signature.data[1] = RSASSA;
    signature.data[3] = SHA256_ID;
    ck_assert_int_lt(verify(ec, "message", signature.data, signature.size), 0);
    ck_finding(FINDING_SIGNATURE_SCHEME, "sigAlg is RSASSA, but the attestation key is EC");
}
END_TEST

START_TEST(numbers_of_a_wrong_size_are_refused)
{
    static const uint8_t zeros[64];
    scoped(tpm_key_freep) struct tpm_key *key = key_of(&p256);

    for (size_t size = 0; size < 64; size++) {
        scoped(writer_fini) struct writer signature;

        writer_init(&signature, 256);
        writer_u16(&signature, ECDSA);
        writer_u16(&signature, SHA256_ID);
        write_sized(&signature, zeros, size);
        write_sized(&signature, zeros, size);
        ck_assert_int_lt(verify(key, "message", signature.data, signature.size), 0);
        ck_assert_int_eq(finding.code, size > 32 ? FINDING_SIGNATURE_FORMAT : FINDING_SIGNATURE);
    }
}
END_TEST

START_TEST(a_bare_signature_is_of_an_rsa_key_alone)
{
    scoped(tpm_key_freep) struct tpm_key *key = key_of(&rsa);
    scoped(tpm_key_freep) struct tpm_key *ec = key_of(&p256);
    uint8_t signature[512];
    struct tpm_signed object = {(const uint8_t *) "message", signature, 7, 0};

    object.signature_size = sign_bare(&rsa, "message", 7, signature);
    ck_assert_int_eq(tpm_key_verify_bare(key, &object, &finding), 0);
    ck_assert_int_lt(tpm_key_verify_bare(ec, &object, &finding), 0);
    ck_finding(FINDING_SIGNATURE_SCHEME, "key is EC");
    object.signature_size--;
    ck_assert_int_lt(tpm_key_verify_bare(key, &object, &finding), 0);
    ck_finding(FINDING_SIGNATURE, "signature");
}
END_TEST

static int parse_spki(const void *data, size_t size)
{
    scoped(freep) uint8_t *copy = xmemdup(data, size ? size : 1);
    scoped(tpm_key_freep) struct tpm_key *key = NULL;

    finding = (struct finding){0};
    return tpm_key_parse_spki(copy, size, &key, &finding);
}

START_TEST(a_key_has_one_digest_as_pem_and_der)
{
    mbedtls_pk_context *const keys[] = {&p256, &rsa};

    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        scoped(tpm_key_freep) struct tpm_key *key = key_of(keys[i]), *pem_key = NULL;
        uint8_t pem[2048], der[1024], digest[SHA256_SIZE];
        size_t size = spki_of(keys[i], der);

        digest_sha256(der, size, digest);
        ck_assert_mem_eq(tpm_key_spki_digest(key), digest, sizeof(digest));
        ck_assert_ptr_null(tpm_key_name(key));
        ck_assert_int_eq(mbedtls_pk_write_pubkey_pem(keys[i], pem, sizeof(pem)), 0);
        size = strlen((char *) pem);
        ck_assert_msg(tpm_key_parse_spki(pem, size, &pem_key, &finding) == 0, "%s", finding.text);
        ck_assert_mem_eq(tpm_key_spki_digest(pem_key), digest, sizeof(digest));
        memcpy(pem + size, pem, size + 1);
        ck_assert_int_lt(parse_spki(pem, 2 * size), 0);
        ck_finding(FINDING_KEY_FORMAT, "not one PEM");
        ck_assert_int_lt(parse_spki(pem, size + 1), 0);
        ck_finding(FINDING_KEY_FORMAT, "not one PEM");
        for (size_t cut = 0; cut < size - 1; cut++)
            ck_assert_msg(parse_spki(pem, cut) < 0, "taken: %zu bytes of PEM", cut);
    }
}
END_TEST

START_TEST(what_is_no_spki_alone_is_refused)
{
    uint8_t der[1024 + 1] = {0}, pem[4096];
    size_t size = spki_of(&rsa, der);

    for (size_t cut = 0; cut < size; cut++)
        ck_assert_int_lt(parse_spki(der, cut), 0);
    ck_assert_int_lt(parse_spki(der, size + 1), 0);
    ck_finding(FINDING_KEY_FORMAT, "attestation key");
    ck_assert_int_lt(parse_spki(der + 24, size - 24), 0); /* RSAPublicKey */
    ck_finding(FINDING_KEY_FORMAT, "SubjectPublicKeyInfo");
    ck_assert_int_eq(mbedtls_pk_write_key_pem(&rsa, pem, sizeof(pem)), 0);
    ck_assert_int_lt(parse_spki(pem, strlen((char *) pem)), 0);
    ck_finding(FINDING_KEY_FORMAT, "not one PEM PUBLIC KEY");
    ck_assert_int_lt(parse_spki(pem, TPM_KEY_MAX + 1), 0);
    ck_finding(FINDING_KEY_FORMAT, "limit 4096");
}
END_TEST

START_TEST(weak_keys_and_other_curves_are_refused)
{
    mbedtls_pk_context weak, curve;
    uint8_t der[1024];

    make_rsa(&weak, 1024);
    make_ec(&curve, MBEDTLS_ECP_DP_SECP384R1);
    ck_assert_int_lt(parse_spki(der, spki_of(&weak, der)), 0);
    ck_finding(FINDING_KEY_TYPE, "1024 bits");
    ck_assert_int_lt(parse_spki(der, spki_of(&curve, der)), 0);
    ck_finding(FINDING_KEY_TYPE, "384 bits");
    mbedtls_pk_free(&weak);
    mbedtls_pk_free(&curve);
}
END_TEST

/* TPM2B_PUBLIC of p256, or of the RSA key. Offsets in it: */
enum {
    TYPE_AT = 2,
    NAME_ALG_AT = 4,
    ATTRIBUTES_AT = 6,
    SYMMETRIC_AT = 12,
    SCHEME_AT = 14,
    HASH_AT = 16,
    CURVE_AT = 18,
    KDF_AT = 20,
    X_AT = 22,
    BITS_AT = 18,
    EXPONENT_AT = 20,
    MODULUS_AT = 24
};

static void write_ecc_public(struct writer *writer, uint32_t attributes)
{
    mbedtls_ecp_keypair *ec = mbedtls_pk_ec(p256);
    uint8_t point[65];
    size_t length;

    ck_assert_int_eq(mbedtls_ecp_point_write_binary(&ec->grp, &ec->Q, MBEDTLS_ECP_PF_UNCOMPRESSED,
                                                    &length, point, sizeof(point)),
                     0);
    writer_init(writer, 1024);
    writer_u16(writer, 88);
    writer_u16(writer, 0x0023);
    writer_u16(writer, SHA256_ID);
    writer_u32(writer, attributes);
    writer_u16(writer, 0); /* authPolicy */
    writer_u16(writer, 0x0010);
    writer_u16(writer, ECDSA);
    writer_u16(writer, SHA256_ID);
    writer_u16(writer, 3);
    writer_u16(writer, 0x0010);
    write_sized(writer, point + 1, 32);
    write_sized(writer, point + 33, 32);
}

static void write_rsa_public(struct writer *writer)
{
    uint8_t modulus[256];

    ck_assert_int_eq(mbedtls_mpi_write_binary(&mbedtls_pk_rsa(rsa)->N, modulus, 256), 0);
    writer_init(writer, 1024);
    writer_u16(writer, 280);
    writer_u16(writer, 0x0001);
    writer_u16(writer, SHA256_ID);
    writer_u32(writer, GOOD_ATTRIBUTES);
    writer_u16(writer, 0);
    writer_u16(writer, 0x0010);
    writer_u16(writer, RSASSA);
    writer_u16(writer, SHA256_ID);
    writer_u16(writer, 2048);
    writer_u32(writer, 0);
    write_sized(writer, modulus, sizeof(modulus));
}

static int parse_public(const void *data, size_t size)
{
    scoped(freep) uint8_t *copy = xmemdup(data, size ? size : 1);
    scoped(tpm_key_freep) struct tpm_key *key = NULL;

    finding = (struct finding){0};
    return tpm_key_parse_public(copy, size, &key, &finding);
}

static void ck_public_is(const struct writer *public, mbedtls_pk_context *pk)
{
    scoped(tpm_key_freep) struct tpm_key *key = NULL, *same = key_of(pk);
    uint8_t name[TPM_KEY_NAME_SIZE] = {0, SHA256_ID};

    ck_assert_msg(tpm_key_parse_public(public->data, public->size, &key, &finding) == 0, "%s",
                  finding.text);
    ck_assert_mem_eq(tpm_key_spki_digest(key), tpm_key_spki_digest(same), SHA256_SIZE);
    digest_sha256(public->data + 2, public->size - 2, name + 2);
    ck_assert_mem_eq(tpm_key_name(key), name, sizeof(name));
    for (size_t size = 0; size < public->size; size++) {
        ck_assert_int_lt(parse_public(public->data, size), 0);
        ck_finding(FINDING_KEY_FORMAT, "size of TPM2B_PUBLIC");
    }
    /* The same, with an outer size that fits what is left. */
    for (size_t size = 2; size < public->size; size++) {
        scoped(freep) uint8_t *cut = xmemdup(public->data, size);

        cut[0] = (uint8_t) ((size - 2) >> 8);
        cut[1] = (uint8_t) (size - 2);
        ck_assert_int_lt(parse_public(cut, size), 0);
        ck_finding(FINDING_KEY_FORMAT, "cut short");
    }
}

START_TEST(a_tpm2b_public_is_the_same_key_and_has_a_name)
{
    scoped(writer_fini) struct writer ecc, big;

    write_ecc_public(&ecc, GOOD_ATTRIBUTES);
    write_rsa_public(&big);
    ck_public_is(&ecc, &p256);
    ck_public_is(&big, &rsa);
}
END_TEST

START_TEST(a_key_that_could_sign_forgeries_is_refused)
{
    static const struct {
        uint32_t attributes;
        const char *why;
    } wrong[] = {
        {GOOD_ATTRIBUTES & ~BIT(16), "restricted must be set"},
        {GOOD_ATTRIBUTES & ~BIT(18), "sign must be set"},
        {GOOD_ATTRIBUTES & ~BIT(1), "fixedTPM must be set"},
        {GOOD_ATTRIBUTES & ~BIT(4), "fixedParent must be set"},
        {GOOD_ATTRIBUTES & ~BIT(5), "sensitiveDataOrigin must be set"},
        {GOOD_ATTRIBUTES | BIT(17), "decrypt must be clear"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        scoped(writer_fini) struct writer public;

        write_ecc_public(&public, wrong[i].attributes);
        ck_assert_int_lt(parse_public(public.data, public.size), 0);
        ck_finding(FINDING_KEY_ATTRIBUTES, wrong[i].why);
    }
}
END_TEST

struct public_change {
    size_t offset;
    uint16_t value;
    enum finding_code code;
    const char *why;
};

static void each_public_is_refused(struct writer *public, const struct public_change *changes,
                                   size_t count)
{
    for (size_t i = 0; i < count; i++) {
        scoped(freep) uint8_t *copy = xmemdup(public->data, public->size);

        copy[changes[i].offset] = (uint8_t) (changes[i].value >> 8);
        copy[changes[i].offset + 1] = (uint8_t) changes[i].value;
        ck_assert_msg(parse_public(copy, public->size) < 0, "taken: %s", changes[i].why);
        ck_finding(changes[i].code, changes[i].why);
    }
}

START_TEST(each_field_of_a_tpm2b_public_is_looked_at)
{
    static const struct public_change ecc_changes[] = {
        {0, 87, FINDING_KEY_FORMAT, "size of TPM2B_PUBLIC"},
        {TYPE_AT, 0x0008, FINDING_KEY_TYPE, "type 0x0008"},
        {NAME_ALG_AT, SHA384_ID, FINDING_KEY_TYPE, "nameAlg 0x000c"},
        {SYMMETRIC_AT, 0x0006, FINDING_KEY_TYPE, "symmetric 0x0006"},
        {SCHEME_AT, 0x0010, FINDING_KEY_TYPE, "scheme 0x0010"},
        {SCHEME_AT, RSAPSS, FINDING_KEY_TYPE, "RSAPSS"},
        {HASH_AT, 0x0004, FINDING_KEY_TYPE, "hash 0x0004"},
        {CURVE_AT, 4, FINDING_KEY_TYPE, "curveID 0x0004"},
        {KDF_AT, 0x0020, FINDING_KEY_TYPE, "kdf 0x0020"},
        {X_AT, 33, FINDING_KEY_FORMAT, "cut short"},
        {X_AT, 31, FINDING_KEY_FORMAT, "cut short"},
        {X_AT + 2, 0xffff, FINDING_KEY_FORMAT, "no point of P-256"},
    };
    static const struct public_change rsa_changes[] = {
        {SCHEME_AT, ECDSA, FINDING_KEY_TYPE, "scheme 0x0018"},
        {BITS_AT, 2049, FINDING_KEY_FORMAT, "keyBits 2049 in 256 bytes"},
        {EXPONENT_AT + 2, 2, FINDING_KEY_FORMAT, "no RSA key"},
        {MODULUS_AT, 255, FINDING_KEY_FORMAT, "something is behind"},
        {MODULUS_AT + 2, 0, FINDING_KEY_TYPE, "RSA of"},
    };
    scoped(writer_fini) struct writer ecc, big;

    write_ecc_public(&ecc, GOOD_ATTRIBUTES);
    write_rsa_public(&big);
    each_public_is_refused(&ecc, ecc_changes, ARRAY_LENGTH(ecc_changes));
    each_public_is_refused(&big, rsa_changes, ARRAY_LENGTH(rsa_changes));
}
END_TEST

struct made { /* parts of an evidence; what is not NULL replaces the good part */
    const char *message, *signature, *pcr_4, *key, *more;
};

static char *evidence_text(mbedtls_pk_context *pk, const struct registers *bank,
                           const struct made *made)
{
    scoped(writer_fini) struct writer message, signature;
    scoped(freep) char *message_text = NULL, *signature_text = NULL, *key_text = NULL;
    scoped(freep) char *pcrs = xstrdup("");
    uint8_t der[1024];

    write_quote(&message, bank, 1);
    sign(pk, message.data, message.size, &signature);
    message_text = base64_encode(message.data, message.size);
    signature_text = base64_encode(signature.data, signature.size);
    key_text = base64_encode(der, spki_of(pk, der));
    for (unsigned i = 0; i < REGISTERS_MAX; i++) {
        scoped(freep) char *before = pcrs;
        char hex[2 * SHA256_SIZE + 1];

        hex_encode(bank->values[i], SHA256_SIZE, hex);
        pcrs = xformat("%s%s\"%s\"", before, i ? "," : "",
                       i == 4 && made->pcr_4 ? made->pcr_4 : hex);
    }
    return xformat("{\"tpm_quote\":{\"signature\":\"%s\",\"message\":\"%s\",\"pcrs\":[%s]},"
                   "\"ak_public\":\"%s\"%s}",
                   made->signature ? made->signature : signature_text,
                   made->message ? made->message : message_text, pcrs,
                   made->key ? made->key : key_text, made->more ? made->more : "");
}

static int judge_evidence(const char *text, const struct tpm_policy *policy)
{
    struct tpm_evidence evidence;
    int rc;

    finding = (struct finding){0};
    if (tpm_evidence_parse(text, strlen(text), &evidence, &finding) < 0)
        return -1;
    rc = tpm_evidence_check(&evidence, policy, &finding);
    tpm_evidence_fini(&evidence);
    return rc;
}

START_TEST(evidence_of_an_enrolled_key_is_taken)
{
    mbedtls_pk_context *const keys[] = {&p256, &rsa};

    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        scoped(tpm_key_freep) struct tpm_key *key = key_of(keys[i]);
        scoped(freep) char *text = NULL;
        uint8_t enrolled[2][TPM_KEY_SPKI_DIGEST_SIZE] = {{1}};
        uint32_t reset_count = 7;
        struct registers bank, reference;
        struct tpm_policy policy = {.nonce = nonce,
                                    .nonce_size = sizeof(nonce),
                                    .selection = SELECTION,
                                    .enrolled = enrolled,
                                    .enrolled_count = 2,
                                    .reference = &reference,
                                    .reset_count = &reset_count};

        make_registers(&bank, DIGEST_SHA256, SELECTION);
        make_registers(&reference, DIGEST_SHA256, BIT(4) | BIT(11));
        text = evidence_text(keys[i], &bank, &(struct made){0});
        memcpy(enrolled[1], tpm_key_spki_digest(key), TPM_KEY_SPKI_DIGEST_SIZE);
        ck_assert_msg(judge_evidence(text, &policy) == 0, "%s", finding.text);

        reference.values[11][0] ^= 1;
        ck_assert_int_lt(judge_evidence(text, &policy), 0);
        ck_finding(FINDING_REGISTER_VALUE, "PCR 11");
        reference.set = BIT(9);
        ck_assert_int_lt(judge_evidence(text, &policy), 0);
        ck_finding(FINDING_QUOTE_PCRS, "PCR 9 has a reference value, but is not quoted");
        reset_count = 6;
        ck_assert_int_lt(judge_evidence(text, &policy), 0);
        ck_finding(FINDING_QUOTE_RESET, "resetCount is 7, not 6");
        policy.nonce_size--;
        ck_assert_int_lt(judge_evidence(text, &policy), 0);
        ck_finding(FINDING_QUOTE_NONCE, "(31 bytes)");
        enrolled[1][0] ^= 1;
        ck_assert_int_lt(judge_evidence(text, &policy), 0);
        ck_finding(FINDING_KEY_UNKNOWN, "is not enrolled");
    }
}
END_TEST

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

START_TEST(each_part_of_evidence_is_looked_at)
{
    static const struct {
        struct made made;
        enum finding_code code;
        const char *why;
    } wrong[] = {
        {{.message = "!"}, FINDING_EVIDENCE, "message: base64"},
        {{.message = "AAAA"}, FINDING_SIGNATURE, "not that of the attestation key"},
        {{.signature = "AAA"}, FINDING_EVIDENCE, "signature: base64"},
        {{.signature = ""}, FINDING_SIGNATURE_FORMAT, "TPMT_SIGNATURE of 0 bytes"},
        {{.pcr_4 = "aa"}, FINDING_EVIDENCE, "pcrs[4]: expected 64"},
        {{.pcr_4 = HEX_A}, FINDING_QUOTE_DIGEST, "pcrDigest"},
        {{.pcr_4 = HEX_A "\",\"" HEX_A}, FINDING_EVIDENCE, "pcrs: not an array of 24"},
        {{.key = "AAAA"}, FINDING_KEY_FORMAT, "attestation key"},
        {{.key = "\",\"a\":\""}, FINDING_EVIDENCE, "a"},
        {{.more = ",\"x\":1"}, FINDING_EVIDENCE, "x"},
        {{.more = ",\"ak_public\":\"\""}, FINDING_EVIDENCE, "a key stands twice"},
    };
    scoped(tpm_key_freep) struct tpm_key *key = key_of(&p256);
    uint8_t enrolled[1][TPM_KEY_SPKI_DIGEST_SIZE];
    const struct tpm_policy policy = {.nonce = nonce,
                                      .nonce_size = sizeof(nonce),
                                      .selection = SELECTION,
                                      .enrolled = enrolled,
                                      .enrolled_count = 1};
    struct registers bank;

    memcpy(enrolled[0], tpm_key_spki_digest(key), sizeof(enrolled[0]));
    make_registers(&bank, DIGEST_SHA256, SELECTION);
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        scoped(freep) char *text = evidence_text(&p256, &bank, &wrong[i].made);

        ck_assert_msg(judge_evidence(text, &policy) < 0, "taken: %s", wrong[i].why);
        ck_finding(wrong[i].code, wrong[i].why);
    }
}
END_TEST

START_TEST(evidence_cut_at_any_byte_is_refused)
{
    scoped(freep) char *text = NULL;
    struct tpm_evidence evidence;
    struct registers bank;

    make_registers(&bank, DIGEST_SHA256, SELECTION);
    text = evidence_text(&p256, &bank, &(struct made){0});
    for (size_t size = 0; size < strlen(text); size++) {
        ck_assert_int_lt(tpm_evidence_parse(text, size, &evidence, &finding), 0);
        ck_finding(FINDING_EVIDENCE, "tpm evidence");
    }
    ck_assert_int_lt(tpm_evidence_parse("[]", 2, &evidence, &finding), 0);
    ck_finding(FINDING_EVIDENCE, "no object");
    ck_assert_int_lt(tpm_evidence_parse(text, TPM_EVIDENCE_MAX + 1, &evidence, &finding), 0);
    ck_finding(FINDING_EVIDENCE, "limit 65536");
}
END_TEST

int main(void)
{
    int rc;

    memset(nonce, 0x5a, sizeof(nonce));
    make_ec(&p256, MBEDTLS_ECP_DP_SECP256R1);
    make_rsa(&rsa, 2048);
    rc = suite_run("tpm_quote", (const TTest *[]){
                                    a_good_quote_is_read_and_taken,
                                    each_field_of_a_quote_is_looked_at,
                                    a_quote_cut_at_any_byte_is_refused,
                                    two_banks_are_taken_in_their_order_and_none_twice,
                                    values_that_are_not_signed_are_refused,
                                    another_boot_or_firmware_is_refused_if_one_is_asked_for,
                                    signatures_of_both_schemes_verify_and_none_with_one_bit_changed,
                                    another_scheme_or_hash_is_refused_by_name,
                                    numbers_of_a_wrong_size_are_refused,
                                    a_bare_signature_is_of_an_rsa_key_alone,
                                    a_key_has_one_digest_as_pem_and_der,
                                    what_is_no_spki_alone_is_refused,
                                    weak_keys_and_other_curves_are_refused,
                                    a_tpm2b_public_is_the_same_key_and_has_a_name,
                                    a_key_that_could_sign_forgeries_is_refused,
                                    each_field_of_a_tpm2b_public_is_looked_at,
                                    evidence_of_an_enrolled_key_is_taken,
                                    each_part_of_evidence_is_looked_at,
                                    evidence_cut_at_any_byte_is_refused,
                                    NULL});
    mbedtls_pk_free(&p256);
    mbedtls_pk_free(&rsa);
    return rc;
}
