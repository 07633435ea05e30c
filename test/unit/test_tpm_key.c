/* SPDX-License-Identifier: Apache-2.0 */
/* Attestation keys in both forms and what they sign, made here with keys of this run. */
#include "suite.h"
#include "tpm_fixture.h"

enum { GOOD_ATTRIBUTES = 0x00050072 };

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
        memcpy(pem + size, pem, size);
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
    uint8_t der[1024 + 1] = {0}, pem[TPM_KEY_MAX + 1];
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

int main(void)
{
    int rc;

    make_keys();
    rc = suite_run("tpm_key",
                   (const TTest *[]){
                       signatures_of_both_schemes_verify_and_none_with_one_bit_changed,
                       another_scheme_or_hash_is_refused_by_name,
                       numbers_of_a_wrong_size_are_refused, a_bare_signature_is_of_an_rsa_key_alone,
                       a_key_has_one_digest_as_pem_and_der, what_is_no_spki_alone_is_refused,
                       weak_keys_and_other_curves_are_refused,
                       a_tpm2b_public_is_the_same_key_and_has_a_name,
                       a_key_that_could_sign_forgeries_is_refused,
                       each_field_of_a_tpm2b_public_is_looked_at, NULL});
    free_keys();
    return rc;
}
