/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/chain.h"

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>

#include "base/digest.h"
#include "evidence/chain_mbedtls.h"

enum { EXTENSIONS_MAX = 32 };

/* One Extension of RFC 5280, whose frame mbedTLS has parsed before. */
static bool next_extension(unsigned char **p, const unsigned char *end, struct chain_bytes *oid,
                           struct chain_bytes *value)
{
    size_t length;
    int critical;

    if (*p >= end || mbedtls_asn1_get_tag(p, end, &length,
                                          MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) != 0)
        return false;
    end = *p + length;
    if (mbedtls_asn1_get_tag(p, end, &oid->length, MBEDTLS_ASN1_OID) != 0)
        return false;
    oid->data = *p;
    *p += oid->length;
    (void) mbedtls_asn1_get_bool(p, end, &critical);
    if (mbedtls_asn1_get_tag(p, end, &value->length, MBEDTLS_ASN1_OCTET_STRING) != 0)
        return false;
    value->data = *p;
    *p += value->length;
    return *p == end;
}

static bool first_extension(const mbedtls_x509_crt *crt, unsigned char **p,
                            const unsigned char **end)
{
    size_t length;

    *p = crt->v3_ext.p;
    *end = *p + crt->v3_ext.len;
    return crt->v3_ext.len &&
           mbedtls_asn1_get_tag(p, *end, &length,
                                MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) == 0 &&
           *p + length == *end;
}

static bool extensions_once(const mbedtls_x509_crt *crt)
{
    struct chain_bytes seen[EXTENSIONS_MAX], value;
    const unsigned char *end;
    unsigned char *p;
    size_t count = 0;

    if (!crt->v3_ext.len)
        return true;
    if (!first_extension(crt, &p, &end))
        return false;
    for (; p < end; count++) {
        if (count == EXTENSIONS_MAX || !next_extension(&p, end, &seen[count], &value))
            return false;
        for (size_t i = 0; i < count; i++)
            if (seen[i].length == seen[count].length &&
                memcmp(seen[i].data, seen[count].data, seen[i].length) == 0)
                return false;
    }
    return true;
}

static int check_parsed(const struct chain_certificate *certificate, size_t length,
                        struct evidence_verdict *verdict)
{
    const char *name = certificate->name;

    if (certificate->crt.raw.len != length)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, name,
                                   "certificate %s: %zu bytes stand behind it", name,
                                   length - certificate->crt.raw.len);
    if (certificate->crt.version != 3)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, name,
                                   "certificate %s is of version %d, not 3", name,
                                   certificate->crt.version);
    if (!extensions_once(&certificate->crt))
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, name,
                                   "certificate %s has an extension twice, or more than %d", name,
                                   EXTENSIONS_MAX);
    return 0;
}

int chain_parse_der(const char *name, struct chain_bytes der, struct chain_certificate **ret,
                    struct evidence_verdict *verdict)
{
    scoped(chain_freep) struct chain_certificate *certificate = NULL;

    if (!der.length || der.length > CHAIN_CERTIFICATE_MAX)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, name,
                                   "certificate %s has %zu bytes, not 1 to %d", name, der.length,
                                   CHAIN_CERTIFICATE_MAX);
    certificate = xnew(struct chain_certificate);
    certificate->name = name;
    mbedtls_x509_crt_init(&certificate->crt);
    int rc = mbedtls_x509_crt_parse_der(&certificate->crt, der.data, der.length);
    if (rc <= MBEDTLS_ERR_X509_INVALID_EXTENSIONS && rc > MBEDTLS_ERR_X509_INVALID_EXTENSIONS - 128)
        return evidence_fail_field(
            verdict, APPRAISAL_FORMAT, name,
            "certificate %s has a malformed extension, or one that is critical and unknown", name);
    if (rc != 0)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, name,
                                   "certificate %s cannot be parsed (mbedTLS -0x%04x)", name,
                                   (unsigned) -rc);
    if (check_parsed(certificate, der.length, verdict) < 0)
        return -1;
    *ret = take_ptr(certificate);
    return 0;
}

void chain_free(struct chain_certificate *certificate)
{
    if (!certificate)
        return;
    mbedtls_x509_crt_free(&certificate->crt);
    free(certificate);
}

int chain_parse_crl(const char *name, struct chain_bytes der, struct chain_crl **ret,
                    struct evidence_verdict *verdict)
{
    scoped(chain_crl_freep) struct chain_crl *crl = NULL;

    if (!der.length || der.length > CHAIN_CRL_MAX)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, name, "%s has %zu bytes, not 1 to %d",
                                   name, der.length, CHAIN_CRL_MAX);
    crl = xnew(struct chain_crl);
    crl->name = name;
    mbedtls_x509_crl_init(&crl->crl);
    int rc = mbedtls_x509_crl_parse_der(&crl->crl, der.data, der.length);
    if (rc != 0 || crl->crl.raw.len != der.length)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, name,
                                   "%s is not one DER revocation list (mbedTLS -0x%04x)", name,
                                   (unsigned) -rc);
    *ret = take_ptr(crl);
    return 0;
}

void chain_crl_free(struct chain_crl *crl)
{
    if (!crl)
        return;
    mbedtls_x509_crl_free(&crl->crl);
    free(crl);
}

void chain_rename(struct chain_certificate *certificate, const char *name)
{
    certificate->name = name;
}

void chain_spki(const struct chain_certificate *certificate, uint8_t ret[CHAIN_SPKI_SIZE])
{
    digest_sha256(certificate->crt.pk_raw.p, certificate->crt.pk_raw.len, ret);
}

bool chain_is_root(const struct chain_certificate *certificate,
                   const uint8_t (*roots)[CHAIN_SPKI_SIZE], size_t root_count)
{
    uint8_t spki[CHAIN_SPKI_SIZE];

    chain_spki(certificate, spki);
    for (size_t i = 0; i < root_count; i++)
        if (memcmp(spki, roots[i], sizeof(spki)) == 0)
            return true;
    return false;
}

bool chain_names_issuer(const struct chain_certificate *certificate,
                        const struct chain_certificate *issuer)
{
    return chain_same(&certificate->crt.issuer_raw, &issuer->crt.subject_raw);
}

int chain_public_key(const struct chain_certificate *certificate, enum signature_curve curve,
                     uint8_t ret[2 * SIGNATURE_COORDINATE_MAX], struct evidence_verdict *verdict)
{
    const mbedtls_pk_context *pk = &certificate->crt.pk;
    size_t size = signature_coordinate_size(curve);
    mbedtls_ecp_group_id wanted = curve == SIGNATURE_P256 ? MBEDTLS_ECP_DP_SECP256R1
                                                          : MBEDTLS_ECP_DP_SECP384R1;

    if (mbedtls_pk_get_type(pk) != MBEDTLS_PK_ECKEY || mbedtls_pk_ec(*pk)->grp.id != wanted ||
        mbedtls_mpi_write_binary(&mbedtls_pk_ec(*pk)->Q.X, ret, size) != 0 ||
        mbedtls_mpi_write_binary(&mbedtls_pk_ec(*pk)->Q.Y, ret + size, size) != 0)
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, certificate->name,
                                   "the key of certificate %s is not on P-%zu", certificate->name,
                                   8 * size);
    return 0;
}

bool chain_extension(const struct chain_certificate *certificate, struct chain_bytes oid,
                     struct chain_bytes *ret)
{
    struct chain_bytes found, value;
    const unsigned char *end;
    unsigned char *p;

    if (!first_extension(&certificate->crt, &p, &end))
        return false;
    while (next_extension(&p, end, &found, &value)) {
        if (found.length == oid.length && memcmp(found.data, oid.data, oid.length) == 0) {
            *ret = value;
            return true;
        }
    }
    return false;
}

bool chain_common_name(const struct chain_certificate *certificate, char *ret, size_t size)
{
    for (const mbedtls_x509_name *name = &certificate->crt.subject; name; name = name->next) {
        if (!name->oid.p || MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &name->oid) != 0)
            continue;
        if (name->val.len >= size || memchr(name->val.p, 0, name->val.len))
            return false;
        memcpy(ret, name->val.p, name->val.len);
        ret[name->val.len] = '\0';
        return true;
    }
    return false;
}
