/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Certificates and revocation lists of any shape, also such as no library would write: DER by hand,
 * signed with ECDSA (P-256, P-384) or RSA-PSS. */
#include <check.h>
#include <mbedtls/base64.h>
#include <mbedtls/ecp.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "evidence/compat_mbedtls.h"

struct der {
    uint8_t data[6000];
    size_t size;
};

enum x509_ca { X509_CA, X509_LEAF, X509_CA_FALSE, X509_CA_NUMBER /* instead of a boolean */ };

struct x509_spec {
    const char *subject, *issuer;
    mbedtls_pk_context *key, *issuer_key;
    const char *from, *to; /* GeneralizedTime; NULL: 2020 to 2040 */
    enum x509_ca ca;
    int pathlen; /* -1: no limit */
    int usage;   /* first octet of keyUsage: 0x04 signs certificates, 0x02 lists; 0: none */
    int version; /* 0: 3 */
    int serial;
    struct der extensions; /* more of them */
};

static inline int x509_random(void *unused, unsigned char *to, size_t length)
{
    random_bytes(to, length);
    return 0;
}

static inline void der_raw(struct der *to, const void *data, size_t size)
{
    ck_assert_uint_le(to->size + size, sizeof(to->data));
    memcpy(to->data + to->size, data, size);
    to->size += size;
}

static inline void der_put(struct der *to, uint8_t tag, const void *data, size_t size)
{
    uint8_t head[4] = {tag, (uint8_t) size};
    size_t head_size = 2;

    if (size >= 256) {
        head[1] = 0x82, head[2] = (uint8_t) (size >> 8), head[3] = (uint8_t) size;
        head_size = 4;
    } else if (size >= 128) {
        head[1] = 0x81, head[2] = (uint8_t) size;
        head_size = 3;
    }
    der_raw(to, head, head_size);
    der_raw(to, data, size);
}

static inline void der_wrap(struct der *to, uint8_t tag, const struct der *inner)
{
    der_put(to, tag, inner->data, inner->size);
}

static inline void der_number(struct der *to, int value)
{
    uint8_t bytes[3] = {(uint8_t) (value >> 8), (uint8_t) value};

    if (value < 128)
        der_put(to, 0x02, bytes + 1, 1);
    else if (value < 256)
        der_put(to, 0x02, (uint8_t[]){0, (uint8_t) value}, 2);
    else
        der_put(to, 0x02, bytes, 2);
}

static inline void x509_extension(struct der *to, const struct der *oid, bool critical,
                                  const void *value, size_t size)
{
    struct der inner = {0};

    der_put(&inner, 0x06, oid->data, oid->size);
    if (critical)
        der_put(&inner, 0x01, "\xff", 1);
    der_put(&inner, 0x04, value, size);
    der_wrap(to, 0x30, &inner);
}

/* In place of the key that is there; the first time all is zero. */
static inline void x509_key_ec(mbedtls_pk_context *key, mbedtls_ecp_group_id curve)
{
    mbedtls_pk_free(key);
    mbedtls_pk_init(key);
    ck_assert_int_eq(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
    ck_assert_int_eq(mbedtls_ecp_gen_key(curve, mbedtls_pk_ec(*key), x509_random, NULL), 0);
}

static inline void x509_key_rsa(mbedtls_pk_context *key, unsigned bits)
{
    mbedtls_pk_free(key);
    mbedtls_pk_init(key);
    ck_assert_int_eq(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)), 0);
    ck_assert_int_eq(mbedtls_rsa_gen_key(mbedtls_pk_rsa(*key), x509_random, NULL, bits, 65537), 0);
}

static inline bool x509_is_rsa(const mbedtls_pk_context *key)
{
    return mbedtls_pk_get_type(key) == MBEDTLS_PK_RSA;
}

static inline bool x509_is_p256(const mbedtls_pk_context *key)
{
    return !x509_is_rsa(key) && mbedtls_pk_ec(*key)->grp.id == MBEDTLS_ECP_DP_SECP256R1;
}

/* Signatures that are good, by an algorithm that nobody should use here. */
enum x509_quirk {
    X509_NO_QUIRK,
    X509_PSS_SALT_32,
    X509_PSS_SHA256,
    X509_RSA_V15,
    X509_ECDSA_SHA256, /* with P-384, too */
};
static enum x509_quirk x509_quirk;

static inline mbedtls_md_type_t x509_hash(const mbedtls_pk_context *key)
{
    bool weak = x509_is_rsa(key) ? x509_quirk == X509_PSS_SHA256
                                 : x509_is_p256(key) || x509_quirk == X509_ECDSA_SHA256;

    return weak ? MBEDTLS_MD_SHA256 : MBEDTLS_MD_SHA384;
}

static inline uint8_t x509_salt(const mbedtls_pk_context *key)
{
    return x509_quirk == X509_PSS_SALT_32 || x509_hash(key) == MBEDTLS_MD_SHA256 ? 32 : 48;
}

static inline void x509_algorithm(struct der *to, const mbedtls_pk_context *key)
{
    const uint8_t sha = x509_hash(key) == MBEDTLS_MD_SHA256 ? 1 : 2; /* last arc of the OID */
    const uint8_t ecdsa[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                             0x48, 0xce, 0x3d, 0x04, 0x03, sha + 1};
    const uint8_t v15[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                           0xf7, 0x0d, 0x01, 0x01, 0x0c, 0x05, 0x00};
    const uint8_t pss[] = {
        0x30, 0x41, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,          0x01, 0x0a, 0x30,
        0x34, 0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,          0x65, 0x03, 0x04,
        0x02, sha,  0x05, 0x00, 0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a,          0x86, 0x48, 0x86,
        0xf7, 0x0d, 0x01, 0x01, 0x08, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86,          0x48, 0x01, 0x65,
        0x03, 0x04, 0x02, sha,  0x05, 0x00, 0xa2, 0x03, 0x02, 0x01, x509_salt(key)};

    if (!x509_is_rsa(key))
        der_raw(to, ecdsa, sizeof(ecdsa));
    else if (x509_quirk == X509_RSA_V15)
        der_raw(to, v15, sizeof(v15));
    else
        der_raw(to, pss, sizeof(pss));
}

/* SEQUENCE { tbs, algorithm, signature } */
static inline void x509_sign(struct der *to, const struct der *tbs, mbedtls_pk_context *key)
{
    mbedtls_md_type_t md = x509_hash(key);
    size_t size = mbedtls_pk_get_len(key), hash_size = md == MBEDTLS_MD_SHA256 ? 32 : 48;
    uint8_t hash[48], bits[1 + 1024] = {0};
    struct der inner = *tbs;
    int rc;

    mbedtls_md(mbedtls_md_info_from_type(md), tbs->data, tbs->size, hash);
    if (x509_is_rsa(key) && x509_quirk != X509_RSA_V15) {
        mbedtls_rsa_set_padding(mbedtls_pk_rsa(*key), MBEDTLS_RSA_PKCS_V21, (int) md);
        rc = mbedtls_rsa_rsassa_pss_sign_ext(mbedtls_pk_rsa(*key), x509_random, NULL, md,
                                             (unsigned) hash_size, hash, x509_salt(key), bits + 1);
    } else {
        if (x509_is_rsa(key))
            mbedtls_rsa_set_padding(mbedtls_pk_rsa(*key), MBEDTLS_RSA_PKCS_V15, 0);
        rc = mbedtls_pk_sign(key, md, hash, hash_size, bits + 1, sizeof(bits) - 1, &size,
                             x509_random, NULL);
    }
    ck_assert_int_eq(rc, 0);
    x509_algorithm(&inner, key);
    der_put(&inner, 0x03, bits, size + 1);
    to->size = 0;
    der_wrap(to, 0x30, &inner);
}

static inline void x509_name(struct der *to, const char *text)
{
    struct der pair = {0}, sequence = {0}, set = {0};

    der_put(&pair, 0x06, "\x55\x04\x03", 3);
    der_put(&pair, 0x0c, text, strlen(text));
    der_wrap(&sequence, 0x30, &pair);
    der_wrap(&set, 0x31, &sequence);
    der_wrap(to, 0x30, &set);
}

static inline void x509_times(struct der *to, const char *from, const char *till)
{
    der_put(to, 0x18, from, strlen(from));
    der_put(to, 0x18, till, strlen(till));
}

static inline void x509_extensions(struct der *to, const struct x509_spec *spec)
{
    static const struct der basic = {{0x55, 0x1d, 0x13}, 3}, usage = {{0x55, 0x1d, 0x0f}, 3};
    struct der value = {0}, constraints = {0}, all = {0}, list = {0};

    if (spec->ca == X509_CA)
        der_put(&constraints, 0x01, "\xff", 1);
    if (spec->ca == X509_CA_NUMBER)
        der_number(&constraints, 1);
    if (spec->ca == X509_CA && spec->pathlen >= 0)
        der_number(&constraints, spec->pathlen);
    der_wrap(&value, 0x30, &constraints);
    if (spec->ca != X509_LEAF)
        x509_extension(&all, &basic, true, value.data, value.size);
    if (spec->usage)
        x509_extension(&all, &usage, true, (uint8_t[]){3, 2, 0, (uint8_t) spec->usage}, 4);
    der_raw(&all, spec->extensions.data, spec->extensions.size);
    if (!all.size)
        return;
    der_wrap(&list, 0x30, &all);
    der_wrap(to, 0xa3, &list);
}

static inline void x509_make(const struct x509_spec *spec, struct der *ret)
{
    struct der inner = {0}, tbs = {0}, times = {0}, version = {0};
    uint8_t spki[1024];

    if (spec->version != 1) {
        der_number(&version, 2);
        der_wrap(&inner, 0xa0, &version);
    }
    der_number(&inner, spec->serial);
    x509_algorithm(&inner, spec->issuer_key);
    x509_name(&inner, spec->issuer);
    x509_times(&times, spec->from ? spec->from : "20200101000000Z",
               spec->to ? spec->to : "20400101000000Z");
    der_wrap(&inner, 0x30, &times);
    x509_name(&inner, spec->subject);
    int size = mbedtls_pk_write_pubkey_der(spec->key, spki, sizeof(spki));
    ck_assert_int_gt(size, 0);
    der_raw(&inner, spki + sizeof(spki) - size, (size_t) size);
    if (spec->version != 1)
        x509_extensions(&inner, spec);
    der_wrap(&tbs, 0x30, &inner);
    x509_sign(ret, &tbs, spec->issuer_key);
}

/* A list of one serial number. */
static inline void x509_make_crl(const char *issuer, mbedtls_pk_context *key, int serial,
                                 const char *till, struct der *ret)
{
    struct der inner = {0}, tbs = {0}, entry = {0}, entries = {0};

    der_number(&inner, 1);
    x509_algorithm(&inner, key);
    x509_name(&inner, issuer);
    x509_times(&inner, "20200101000000Z", till);
    der_number(&entry, serial);
    der_put(&entry, 0x18, "20200101000000Z", 15);
    der_wrap(&entries, 0x30, &entry);
    der_wrap(&inner, 0x30, &entries);
    der_wrap(&tbs, 0x30, &inner);
    x509_sign(ret, &tbs, key);
}

/* Appends to a text with a NUL behind it. */
static inline void x509_pem(const struct der *der, char *text, size_t size)
{
    size_t at = strlen(text), length;

    at += (size_t) snprintf(text + at, size - at, "-----BEGIN CERTIFICATE-----\n");
    ck_assert_int_eq(mbedtls_base64_encode((unsigned char *) text + at, size - at, &length,
                                           der->data, der->size),
                     0);
    at += length;
    ck_assert_uint_lt((size_t) snprintf(text + at, size - at, "\n-----END CERTIFICATE-----\n"),
                      size - at);
}
