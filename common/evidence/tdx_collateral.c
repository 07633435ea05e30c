/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/tdx_collateral.h"

#include <stdio.h>
#include <string.h>

#include "base/date.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "evidence/signed_json.h"
#include "evidence/tdx_tcb.h"

/* The one certificate below the root that may sign such documents; its CAs are below it, too. */
static const char signer_name[] = "Intel SGX TCB Signing";

/* One of the two documents: its names in the JSON and in verdicts. */
struct document {
    const char *member, *id;
    int64_t version;
    const char *format, *signature, *time, *rollback;
};

static const struct document tcb_info = {
    .member = "tcbInfo",
    .id = "TDX",
    .version = 3,
    .format = "tcb_info_format",
    .signature = "tcb_info_signature",
    .time = "tcb_info_time",
    .rollback = "tcb_info_rollback",
};

static const struct document qe_identity = {
    .member = "enclaveIdentity",
    .id = "TD_QE",
    .version = 2,
    .format = "qe_identity_format",
    .signature = "qe_identity_signature",
    .time = "qe_identity_time",
    .rollback = "qe_identity_rollback",
};

static bool all_given(const struct tdx_collateral *collateral)
{
    return collateral->tcb_info.length && collateral->qe_identity.length &&
           collateral->tcb_signing.length && collateral->pck_crl.length &&
           collateral->root_crl.length;
}

bool tdx_collateral_given(const struct tdx_collateral *collateral)
{
    return collateral->tcb_info.length || collateral->qe_identity.length ||
           collateral->tcb_signing.length || collateral->pck_crl.length ||
           collateral->root_crl.length;
}

/* Each list is asked about the certificates of its own issuer: one list in the place of the other
 * would say nothing. */
static int check_revocation(const struct tdx_collateral *collateral,
                            const struct tdx_platform *platform,
                            const struct chain_certificate *signer, int64_t time,
                            struct evidence_verdict *verdict)
{
    scoped(chain_crl_freep) struct chain_crl *root = NULL;
    scoped(chain_crl_freep) struct chain_crl *pck = NULL;

    if (chain_parse_crl("root_crl", collateral->root_crl, &root, verdict) < 0 ||
        chain_parse_crl("pck_crl", collateral->pck_crl, &pck, verdict) < 0 ||
        chain_verify_crl(root, platform->root, platform->ca, time, verdict) < 0 ||
        chain_verify_crl(root, platform->root, signer, time, verdict) < 0 ||
        chain_verify_crl(pck, platform->ca, platform->pck, time, verdict) < 0)
        return -1;
    return 0;
}

static int check_signer(const struct chain_bundle *bundle, const struct tdx_platform *platform,
                        const struct tdx_collateral_policy *policy, uint8_t key[TDX_KEY_SIZE],
                        struct evidence_verdict *verdict)
{
    struct chain_path path = {.certificates = {[1] = platform->root},
                              .count = 2,
                              .roots = policy->roots,
                              .root_count = policy->root_count,
                              .time = policy->time};
    uint8_t point[2 * SIGNATURE_COORDINATE_MAX];
    char name[64];

    if (bundle->count > 2)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, "tcb_signing",
                                   "tcb_signing has %zu certificates: more than signer and root",
                                   bundle->count);
    for (size_t i = 0; i < bundle->count; i++)
        path.certificates[i] = bundle->certificates[i];
    if (chain_verify_path(&path, verdict) < 0 ||
        chain_public_key(bundle->certificates[0], SIGNATURE_P256, point, verdict) < 0)
        return -1;
    if (!chain_common_name(bundle->certificates[0], name, sizeof(name)) ||
        !text_equal(name, signer_name))
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, "tcb_signing_name",
                                   "tcb_signing: the subject is not '%s'", signer_name);
    memcpy(key, point, TDX_KEY_SIZE);
    return 0;
}

static int need_time(const struct js *object, const char *key, int64_t *ret, struct error *err)
{
    const char *text;

    if (js_need_string(object, key, &text, err) < 0)
        return -1;
    if (!date_parse(text, ret))
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s is not a time", key);
    return 0;
}

static int check_head(const struct document *document, const struct js *body,
                      const struct tdx_collateral_policy *policy, struct evidence_verdict *verdict)
{
    int64_t version = 0, number = 0, issued = 0, until = 0;
    struct error err;
    const char *id = NULL;

    if (js_need_string(body, "id", &id, &err) < 0 ||
        js_need_integer(body, "version", 0, INT32_MAX, &version, &err) < 0 ||
        js_need_integer(body, "tcbEvaluationDataNumber", 0, UINT32_MAX, &number, &err) < 0 ||
        need_time(body, "issueDate", &issued, &err) < 0 ||
        need_time(body, "nextUpdate", &until, &err) < 0)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, document->format, "%s: %s",
                                   document->member, err.message);
    if (!text_equal(id, document->id) || version != document->version)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, document->format,
                                   "%s is '%s' of version %d, not '%s' of version %d",
                                   document->member, id, (int) version, document->id,
                                   (int) document->version);
    if (policy->time < issued || policy->time > until)
        return evidence_fail_field(verdict, APPRAISAL_TCB, document->time,
                                   "%s is not of this time: it holds from %s to %s",
                                   document->member, js_get_string(body, "issueDate"),
                                   js_get_string(body, "nextUpdate"));
    if (number < policy->evaluation_floor)
        return evidence_fail_field(verdict, APPRAISAL_TCB, document->rollback,
                                   "%s has tcbEvaluationDataNumber %u, less than %u",
                                   document->member, (unsigned) number, policy->evaluation_floor);
    return 0;
}

/* Only text whose signature holds is parsed any further than to find it. */
static int open_document(const struct document *document, struct chain_bytes bytes,
                         const uint8_t key[TDX_KEY_SIZE], struct js **ret,
                         struct evidence_verdict *verdict)
{
    uint8_t hash[SHA256_SIZE];
    struct signed_json json;
    struct error err;

    if (signed_json_split(bytes.data, bytes.length, document->member, &json, &err) < 0)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, document->format, "%s: %s",
                                   document->member, err.message);
    digest_sha256(json.text, json.length, hash);
    if (!signature_is_valid(&(struct signature){
            .curve = SIGNATURE_P256, .point = key, .rs = json.signature, .hash = hash}))
        return evidence_fail_field(verdict, APPRAISAL_SIGNATURE, document->signature,
                                   "%s is not signed by the key of tcb_signing", document->member);
    if (signed_json_parse(&json, ret, &err) < 0)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, document->format, "%s: %s",
                                   document->member, err.message);
    return 0;
}

static int check_platform(struct chain_bytes bytes, const struct tdx_platform *platform,
                          const struct tdx_collateral_policy *policy,
                          const uint8_t key[TDX_KEY_SIZE], enum tdx_status *ret,
                          struct evidence_verdict *verdict)
{
    scoped(js_freep) struct js *body = NULL;

    if (open_document(&tcb_info, bytes, key, &body, verdict) < 0 ||
        check_head(&tcb_info, body, policy, verdict) < 0)
        return -1;
    if (js_get_integer(body, "tcbType", -1) != 0)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, tcb_info.format,
                                   "tcbInfo: tcbType is not 0");
    return tdx_tcb_platform(body, platform->info, platform->body, ret, verdict);
}

static int check_enclave(struct chain_bytes bytes, const struct tdx_platform *platform,
                         const struct tdx_collateral_policy *policy,
                         const uint8_t key[TDX_KEY_SIZE], enum tdx_status *ret,
                         struct evidence_verdict *verdict)
{
    scoped(js_freep) struct js *body = NULL;

    if (open_document(&qe_identity, bytes, key, &body, verdict) < 0 ||
        check_head(&qe_identity, body, policy, verdict) < 0)
        return -1;
    return tdx_tcb_enclave(body, platform->qe, ret, verdict);
}

int tdx_collateral_check(const struct tdx_collateral *collateral,
                         const struct tdx_platform *platform,
                         const struct tdx_collateral_policy *policy, enum tdx_status *ret,
                         struct evidence_verdict *verdict)
{
    scoped(chain_bundle_fini) struct chain_bundle signer = {0};
    enum tdx_status of_platform = TDX_UNCHECKED, of_enclave = TDX_UNCHECKED;
    uint8_t key[TDX_KEY_SIZE];

    if (!all_given(collateral))
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, "collateral",
                                   "collateral: some of tcb_info, qe_identity, tcb_signing, "
                                   "pck_crl, root_crl is missing; give all or none");
    if (chain_parse_pem("tcb_signing", collateral->tcb_signing, &signer, verdict) < 0 ||
        check_signer(&signer, platform, policy, key, verdict) < 0 ||
        check_revocation(collateral, platform, signer.certificates[0], policy->time, verdict) < 0 ||
        check_platform(collateral->tcb_info, platform, policy, key, &of_platform, verdict) < 0 ||
        check_enclave(collateral->qe_identity, platform, policy, key, &of_enclave, verdict) < 0)
        return -1;
    *ret = tdx_status_join(of_platform, of_enclave);
    return 0;
}
