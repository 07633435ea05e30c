/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Keys and signatures of a TPM that does not exist. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/ecdsa.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/random.h"
#include "base/scoped.h"
#include "evidence/compat_mbedtls.h"
#include "evidence/finding.h"
#include "evidence/tpm_key.h"

enum { RSASSA = 0x14, RSAPSS = 0x16, ECDSA = 0x18, SHA256_ID = 0x000b, SHA384_ID = 0x000c };

static mbedtls_pk_context p256, rsa; /* of this run */
static struct finding finding;

static inline int random_of_kernel(void *unused, unsigned char *to, size_t length)
{
    random_bytes(to, length);
    return 0;
}

/* Called from main() too, where nothing can be asserted. */
static inline void must(int rc)
{
    if (rc != 0)
        abort();
}

static inline void make_rsa(mbedtls_pk_context *key, unsigned bits)
{
    mbedtls_pk_init(key);
    must(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)));
    must(mbedtls_rsa_gen_key(mbedtls_pk_rsa(*key), random_of_kernel, NULL, bits, 65537));
}

static inline void make_ec(mbedtls_pk_context *key, mbedtls_ecp_group_id curve)
{
    mbedtls_pk_init(key);
    must(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)));
    must(mbedtls_ecp_gen_key(curve, mbedtls_pk_ec(*key), random_of_kernel, NULL));
}

static inline void ck_finding(enum finding_code code, const char *why)
{
    ck_assert_msg(finding.code == code, "%s: %s, not %s", finding_name(finding.code), finding.text,
                  finding_name(code));
    ck_assert_msg(strstr(finding.text, why), "'%s' is not in: %s", why, finding.text);
}

static inline void write_sized(struct writer *writer, const void *data, size_t size)
{
    writer_u16(writer, (uint16_t) size);
    writer_bytes(writer, data, size);
}

static inline size_t spki_of(mbedtls_pk_context *key, uint8_t ret[1024])
{
    int length = mbedtls_pk_write_pubkey_der(key, ret, 1024);

    ck_assert_int_gt(length, 0);
    memmove(ret, ret + 1024 - length, (size_t) length);
    return (size_t) length;
}

static inline struct tpm_key *key_of(mbedtls_pk_context *pk)
{
    struct tpm_key *key = NULL;
    uint8_t der[1024];
    size_t size = spki_of(pk, der);

    ck_assert_msg(tpm_key_parse_spki(der, size, &key, &finding) == 0, "%s", finding.text);
    return key;
}

/* RSASSA. */
static inline size_t sign_bare(mbedtls_pk_context *pk, const void *message, size_t size,
                               uint8_t *ret)
{
    uint8_t hash[SHA256_SIZE];
    size_t length = 0;

    digest_sha256(message, size, hash);
    ck_assert_int_eq(mbedtls_pk_sign(pk, MBEDTLS_MD_SHA256, hash, sizeof(hash), ret,
                                     mbedtls_pk_get_len(pk), &length, random_of_kernel, NULL),
                     0);
    return length;
}

/* A TPMT_SIGNATURE. */
static inline void sign(mbedtls_pk_context *pk, const void *message, size_t size,
                        struct writer *ret)
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

static inline void make_keys(void)
{
    make_ec(&p256, MBEDTLS_ECP_DP_SECP256R1);
    make_rsa(&rsa, 2048);
}

static inline void free_keys(void)
{
    mbedtls_pk_free(&p256);
    mbedtls_pk_free(&rsa);
}
