/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/tdx.h"

#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "evidence/tdx_policy.h"

enum { SGX_ATTRIBUTE_DEBUG = 0x02, QE_PRODUCT = 2, CHAIN_COUNT = 3 };

/* Intel SGX Root CA. Quotes of pre-production parts end at another root of the same name. */
const uint8_t tdx_intel_root[CHAIN_SPKI_SIZE] = {
    0xa0, 0xaf, 0x03, 0x12, 0x89, 0xf5, 0xd5, 0xd4, 0x13, 0x2f, 0x91, 0x86, 0x06, 0x8a, 0x7f, 0xc1,
    0x36, 0x28, 0x63, 0x3b, 0xa2, 0x35, 0x77, 0x74, 0x72, 0xe2, 0x9b, 0x6b, 0x6c, 0x67, 0xa4, 0x9e,
};

/* MRSIGNER of Intel's quoting enclaves: other enclaves can have reports signed by a PCK, too. */
static const uint8_t qe_signer[32] = {
    0xdc, 0x9e, 0x2a, 0x7c, 0x6f, 0x94, 0x8f, 0x17, 0x47, 0x4e, 0x34, 0xa7, 0xfc, 0x43, 0xed, 0x03,
    0x0f, 0x7c, 0x15, 0x63, 0xf1, 0xba, 0xbd, 0xdf, 0x63, 0x40, 0xc8, 0x2e, 0x0e, 0x54, 0xa8, 0xc5,
};

static const uint8_t oid_sgx[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

static const char *const chain_names[CHAIN_COUNT] = {"PCK", "PCK-CA", "Intel-root"};

static bool p256_signed(const uint8_t *key, const uint8_t *rs, const void *data, size_t length)
{
    uint8_t hash[SHA256_SIZE];

    digest_sha256(data, length, hash);
    return signature_is_valid(
        &(struct signature){.curve = SIGNATURE_P256, .point = key, .rs = rs, .hash = hash});
}

static int check_chain(const struct chain_bundle *bundle,
                       const struct tdx_collateral_policy *policy, struct evidence_verdict *verdict)
{
    struct chain_path path = {.count = bundle->count,
                              .roots = policy->roots,
                              .root_count = policy->root_count,
                              .time = policy->time};

    if (bundle->count != CHAIN_COUNT)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, "pck_chain",
                                   "pck_chain has %zu certificates, not 3: PCK, CA, root",
                                   bundle->count);
    for (size_t i = 0; i < CHAIN_COUNT; i++) {
        chain_rename(bundle->certificates[i], chain_names[i]);
        path.certificates[i] = bundle->certificates[i];
    }
    return chain_verify_path(&path, verdict);
}

static int read_extension(const struct chain_certificate *pck, struct sgx_pck *ret,
                          struct evidence_verdict *verdict)
{
    struct chain_bytes value;
    struct error err;

    if (!chain_extension(pck, (struct chain_bytes){oid_sgx, sizeof(oid_sgx)}, &value))
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, "pck_extension",
                                   "certificate PCK has no SGX extension: it is no PCK");
    if (sgx_pck_parse(value.data, value.length, ret, &err) < 0)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, "pck_extension",
                                   "certificate PCK: %s", err.message);
    return 0;
}

/* Which key the QE vouches for. */
static int check_binding(const struct tdx_quote *quote, struct evidence_verdict *verdict)
{
    scoped(digest_freep) struct digest *digest = digest_new(DIGEST_SHA256);
    uint8_t expected[TDX_REPORT_DATA_SIZE] = {0};

    digest_update(digest, quote->attestation_key, TDX_KEY_SIZE);
    digest_update(digest, quote->qe_auth, quote->qe_auth_length);
    digest_value(digest, expected);
    if (memcmp(quote->qe.report_data, expected, sizeof(expected)) != 0)
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, "qe_binding",
                                   "report_data of the QE is not the hash of the attestation key");
    return 0;
}

static int check_enclave(const struct sgx_report *qe, struct evidence_verdict *verdict)
{
    if (memcmp(qe->mr_signer, qe_signer, sizeof(qe_signer)) != 0)
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, "qe_signer",
                                   "mrsigner of the QE is not Intel's");
    if (qe->isv_prod_id != QE_PRODUCT)
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, "qe_product",
                                   "isvprodid of the QE is %u, not %d (TD quoting enclave)",
                                   qe->isv_prod_id, QE_PRODUCT);
    if (qe->attributes[0] & SGX_ATTRIBUTE_DEBUG)
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, "qe_debug",
                                   "attributes of the QE: it runs under debug");
    return 0;
}

static int check_signatures(const struct chain_certificate *pck, const struct tdx_quote *quote,
                            struct evidence_verdict *verdict)
{
    uint8_t key[2 * SIGNATURE_COORDINATE_MAX];

    if (chain_public_key(pck, SIGNATURE_P256, key, verdict) < 0)
        return -1;
    if (!p256_signed(key, quote->qe_signature, quote->qe.bytes, SGX_REPORT_SIZE))
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, "qe_signature",
                                   "the QE report is not signed by the key of PCK");
    if (check_enclave(&quote->qe, verdict) < 0 || check_binding(quote, verdict) < 0)
        return -1;
    if (!p256_signed(quote->attestation_key, quote->signature, quote->signed_bytes,
                     quote->signed_length))
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, "quote_signature",
                                   "the quote is not signed by its attestation key");
    return 0;
}

static int check_collateral(const struct tdx_collateral *collateral,
                            const struct tdx_platform *platform,
                            const struct tdx_collateral_policy *roots,
                            const struct tdx_policy *policy, enum tdx_status *ret,
                            struct evidence_verdict *verdict)
{
    if (!tdx_collateral_given(collateral)) {
        if (policy->collateral == TDX_COLLATERAL_REQUIRED)
            return evidence_fail_field(verdict, APPRAISAL_TCB, "collateral_missing",
                                       "collateral: policy requires it and there is none");
        return 0;
    }
    if (tdx_collateral_check(collateral, platform, roots, ret, verdict) < 0)
        return -1;
    if (*ret == TDX_UP_TO_DATE || (*ret != TDX_REVOKED && policy->also_accepted & BIT(*ret)))
        return 0;
    return evidence_fail_field(verdict, APPRAISAL_TCB, "tcb_status",
                               "tcb_status is %s, which policy does not accept",
                               tdx_status_name(*ret));
}

static int verify_chain(const struct chain_bundle *bundle, const struct tdx_collateral *collateral,
                        const struct tdx_policy *policy, struct tdx_result *ret,
                        struct evidence_verdict *verdict)
{
    const struct tdx_collateral_policy roots = {
        .roots = policy->root_count ? policy->roots : &tdx_intel_root,
        .root_count = policy->root_count ? policy->root_count : 1,
        .time = policy->time,
        .evaluation_floor = policy->evaluation_floor,
    };
    const struct tdx_platform platform = {
        .pck = bundle->certificates[0],
        .ca = bundle->certificates[1],
        .root = bundle->certificates[2],
        .info = &ret->pck,
        .body = &ret->quote.body,
        .qe = &ret->quote.qe,
    };

    if (check_chain(bundle, &roots, verdict) < 0 ||
        read_extension(platform.pck, &ret->pck, verdict) < 0 ||
        check_signatures(platform.pck, &ret->quote, verdict) < 0 ||
        tdx_policy_hardware(&ret->pck, policy, verdict) < 0)
        return -1;
    return check_collateral(collateral, &platform, &roots, policy, &ret->status, verdict);
}

int tdx_verify(struct chain_bytes evidence, const struct tdx_collateral *collateral,
               const struct tdx_policy *policy, struct tdx_result *ret,
               struct evidence_verdict *verdict)
{
    scoped(chain_bundle_fini) struct chain_bundle bundle = {0};
    struct error err;

    *ret = (struct tdx_result){.status = TDX_UNCHECKED};
    if (tdx_quote_parse(evidence.data, evidence.length, &ret->quote, &err) < 0)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, "format", "%s", err.message);
    const struct chain_bytes pem = {(const uint8_t *) ret->quote.pem, ret->quote.pem_length};
    if (chain_parse_pem("pck_chain", pem, &bundle, verdict) < 0 ||
        verify_chain(&bundle, collateral, policy, ret, verdict) < 0 ||
        tdx_policy_check(&ret->quote.body, policy, verdict) < 0)
        return -1;
    verdict->failed = APPRAISAL_OK;
    verdict->field = NULL;
    verdict->text[0] = '\0';
    memcpy(verdict->measurement, ret->quote.body.mr_td, sizeof(verdict->measurement));
    return 0;
}
