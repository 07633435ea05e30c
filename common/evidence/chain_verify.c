/* SPDX-License-Identifier: Apache-2.0 */
#include <mbedtls/asn1.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>

#include "base/digest.h"
#include "evidence/chain_mbedtls.h"

enum { RSA_BITS_MIN = 3072, HASH_MAX = 64 };

/* What a signature of a certificate or a list is made of. */
struct signed_data {
    const mbedtls_x509_buf *tbs, *signature;
    mbedtls_md_type_t hash;
    mbedtls_pk_type_t algorithm;
    const void *options;
};

static bool rsa_as_required(const mbedtls_pk_context *key, const struct signed_data *data)
{
    const mbedtls_pk_rsassa_pss_options *options = data->options;

    return data->algorithm == MBEDTLS_PK_RSASSA_PSS && options &&
           mbedtls_pk_get_bitlen(key) >= RSA_BITS_MIN && data->hash == MBEDTLS_MD_SHA384 &&
           options->mgf1_hash_id == MBEDTLS_MD_SHA384 && options->expected_salt_len == SHA384_SIZE;
}

static bool ecdsa_as_required(const mbedtls_pk_context *key, const struct signed_data *data)
{
    mbedtls_ecp_group_id curve = mbedtls_pk_ec(*key)->grp.id;

    return data->algorithm == MBEDTLS_PK_ECDSA &&
           ((curve == MBEDTLS_ECP_DP_SECP256R1 && data->hash == MBEDTLS_MD_SHA256) ||
            (curve == MBEDTLS_ECP_DP_SECP384R1 && data->hash == MBEDTLS_MD_SHA384));
}

static int check_signature(const mbedtls_x509_crt *issuer, const struct signed_data *data)
{
    /* mbedTLS keeps a cache in the key. */
    mbedtls_pk_context *key = (mbedtls_pk_context *) &issuer->pk;
    mbedtls_pk_type_t type = mbedtls_pk_get_type(key);
    const mbedtls_md_info_t *md = mbedtls_md_info_from_type(data->hash);
    unsigned char hash[HASH_MAX];

    if (!md || mbedtls_md(md, data->tbs->p, data->tbs->len, hash) != 0)
        return -1;
    if (!(type == MBEDTLS_PK_RSA && rsa_as_required(key, data)) &&
        !(type == MBEDTLS_PK_ECKEY && ecdsa_as_required(key, data)))
        return -1;
    return mbedtls_pk_verify_ext(data->algorithm, data->options, key, data->hash, hash,
                                 mbedtls_md_get_size(md), data->signature->p,
                                 data->signature->len) == 0
               ? 0
               : -1;
}

/* CA:TRUE in the one way to write it: mbedTLS takes an INTEGER for it, too (CVE-2026-49300). */
static bool is_ca(const struct chain_certificate *certificate)
{
    static const struct chain_bytes oid = {(const uint8_t *) MBEDTLS_OID_BASIC_CONSTRAINTS,
                                           MBEDTLS_OID_SIZE(MBEDTLS_OID_BASIC_CONSTRAINTS)};
    static const uint8_t boolean_true[] = {MBEDTLS_ASN1_BOOLEAN, 1, 0xff};
    struct chain_bytes value;

    return certificate->crt.ca_istrue && chain_extension(certificate, oid, &value) &&
           value.length >= 2 + sizeof(boolean_true) && value.data[1] == value.length - 2 &&
           memcmp(value.data + 2, boolean_true, sizeof(boolean_true)) == 0;
}

static int check_issuer(const struct chain_certificate *issuer, struct evidence_verdict *verdict)
{
    const mbedtls_x509_crt *crt = &issuer->crt;

    if (!is_ca(issuer))
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, issuer->name,
                                   "certificate %s issues another and is no CA", issuer->name);
    if (!(crt->ext_types & MBEDTLS_X509_EXT_KEY_USAGE) ||
        !(crt->key_usage & MBEDTLS_X509_KU_KEY_CERT_SIGN))
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, issuer->name,
                                   "the key usage of certificate %s is not to sign certificates",
                                   issuer->name);
    return 0;
}

int chain_verify_link(const struct chain_certificate *certificate,
                      const struct chain_certificate *issuer, struct evidence_verdict *verdict)
{
    const mbedtls_x509_crt *crt = &certificate->crt;
    const struct signed_data data = {&crt->tbs, &crt->sig, crt->sig_md, crt->sig_pk, crt->sig_opts};

    if (check_issuer(issuer, verdict) < 0)
        return -1;
    if (!chain_names_issuer(certificate, issuer))
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, certificate->name,
                                   "certificate %s names another issuer than %s", certificate->name,
                                   issuer->name);
    if (check_signature(&issuer->crt, &data) < 0)
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, certificate->name,
                                   "certificate %s is not signed by the key of %s",
                                   certificate->name, issuer->name);
    return 0;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar; years are counted from March. */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return 365 * y + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

static int64_t unix_time(const mbedtls_x509_time *time)
{
    return days_of(time->year, time->mon, time->day) * 86400 + time->hour * 3600 + time->min * 60 +
           time->sec;
}

int chain_verify_time(const struct chain_certificate *certificate, int64_t time,
                      struct evidence_verdict *verdict)
{
    const char *name = certificate->name;
    const mbedtls_x509_time *from = &certificate->crt.valid_from;
    const mbedtls_x509_time *to = &certificate->crt.valid_to;

    if (time < unix_time(from))
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, name,
                                   "certificate %s is not valid before %04d-%02d-%02d", name,
                                   from->year, from->mon, from->day);
    if (time > unix_time(to))
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, name,
                                   "certificate %s has expired on %04d-%02d-%02d", name, to->year,
                                   to->mon, to->day);
    return 0;
}

/* Serial numbers are compared as numbers: leading zeros say nothing. */
static mbedtls_x509_buf number(mbedtls_x509_buf serial)
{
    while (serial.len > 1 && *serial.p == 0) {
        serial.p++;
        serial.len--;
    }
    return serial;
}

static bool names(const mbedtls_x509_crl *crl, mbedtls_x509_buf serial)
{
    mbedtls_x509_buf wanted = number(serial);

    for (const mbedtls_x509_crl_entry *entry = &crl->entry; entry; entry = entry->next) {
        if (!entry->serial.len)
            continue; /* the first, of an empty list */
        mbedtls_x509_buf listed = number(entry->serial);

        if (chain_same(&wanted, &listed))
            return true;
    }
    return false;
}

static int check_crl(const struct chain_crl *crl, const struct chain_certificate *issuer,
                     int64_t time, struct evidence_verdict *verdict)
{
    const mbedtls_x509_crl *list = &crl->crl;
    const struct signed_data data = {&list->tbs, &list->sig, list->sig_md, list->sig_pk,
                                     list->sig_opts};

    if (!chain_same(&list->issuer_raw, &issuer->crt.subject_raw) ||
        check_signature(&issuer->crt, &data) < 0)
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, crl->name,
                                   "%s is not signed by the key of %s", crl->name, issuer->name);
    if ((issuer->crt.ext_types & MBEDTLS_X509_EXT_KEY_USAGE) &&
        !(issuer->crt.key_usage & MBEDTLS_X509_KU_CRL_SIGN))
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, crl->name,
                                   "%s: the key usage of %s is not to sign lists", crl->name,
                                   issuer->name);
    if (time < unix_time(&list->this_update) || !list->next_update.year ||
        time > unix_time(&list->next_update))
        return evidence_fail_field(
            verdict, APPRAISAL_SIGNATURE, crl->name,
            "%s is not of this time: it holds from %04d-%02d-%02d to %04d-%02d-%02d", crl->name,
            list->this_update.year, list->this_update.mon, list->this_update.day,
            list->next_update.year, list->next_update.mon, list->next_update.day);
    return 0;
}

int chain_verify_crl(const struct chain_crl *crl, const struct chain_certificate *issuer,
                     const struct chain_certificate *certificate, int64_t time,
                     struct evidence_verdict *verdict)
{
    if (check_crl(crl, issuer, time, verdict) < 0)
        return -1;
    if (names(&crl->crl, certificate->crt.serial))
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, certificate->name,
                                   "certificate %s is revoked by %s", certificate->name, crl->name);
    return 0;
}

/* mbedTLS counts from one: 0 is no limit, 1 is pathlen 0. */
static int check_length(const struct chain_path *path, size_t index,
                        struct evidence_verdict *verdict)
{
    const struct chain_certificate *issuer = path->certificates[index];
    size_t between = index - 1;

    if (issuer->crt.max_pathlen > 0 && between > (size_t) issuer->crt.max_pathlen - 1)
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, issuer->name,
                                   "certificate %s allows %d CAs below it, the chain has %zu",
                                   issuer->name, issuer->crt.max_pathlen - 1, between);
    return 0;
}

static int check_lists(const struct chain_path *path, struct evidence_verdict *verdict)
{
    for (size_t i = 0; i < path->crl_count; i++) {
        const struct chain_crl *crl = path->crls[i];
        size_t at = 1;

        while (at < path->count &&
               !chain_same(&crl->crl.issuer_raw, &path->certificates[at]->crt.subject_raw))
            at++;
        if (at >= path->count)
            return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, crl->name,
                                       "%s is of an issuer that is not in the chain", crl->name);
        if (chain_verify_crl(crl, path->certificates[at], path->certificates[at - 1], path->time,
                             verdict) < 0)
            return -1;
    }
    return 0;
}

static int check_leaf(const struct chain_certificate *leaf, struct evidence_verdict *verdict)
{
    if (leaf->crt.ca_istrue)
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, leaf->name,
                                   "certificate %s is a CA, and signs evidence", leaf->name);
    if ((leaf->crt.ext_types & MBEDTLS_X509_EXT_KEY_USAGE) &&
        !(leaf->crt.key_usage & MBEDTLS_X509_KU_DIGITAL_SIGNATURE))
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, leaf->name,
                                   "the key usage of certificate %s is not to sign", leaf->name);
    return 0;
}

int chain_verify_path(const struct chain_path *path, struct evidence_verdict *verdict)
{
    if (path->count < 2 || path->count > CHAIN_LENGTH_MAX)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, "chain",
                                   "the chain has %zu certificates, not 2 to %d", path->count,
                                   CHAIN_LENGTH_MAX);
    const struct chain_certificate *root = path->certificates[path->count - 1];
    if (!chain_is_root(root, path->roots, path->root_count))
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, root->name,
                                   "the key of certificate %s is not a trusted root", root->name);
    /* Only its key is trusted beforehand: what else it says counts because it signs itself. */
    if (chain_verify_link(root, root, verdict) < 0 ||
        chain_verify_time(root, path->time, verdict) < 0)
        return -1;
    for (size_t i = path->count - 1; i > 0; i--) {
        const struct chain_certificate *child = path->certificates[i - 1];

        if (check_length(path, i, verdict) < 0 ||
            chain_verify_link(child, path->certificates[i], verdict) < 0 ||
            chain_verify_time(child, path->time, verdict) < 0)
            return -1;
    }
    if (check_leaf(path->certificates[0], verdict) < 0)
        return -1;
    return check_lists(path, verdict);
}
