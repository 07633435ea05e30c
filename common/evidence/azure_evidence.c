/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/azure_evidence.h"

#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/scoped.h"
#include "evidence/base64url.h"
#include "evidence/finding.h"
#include "evidence/td_report.h"
#include "evidence/tdx_quote.h"
#include "evidence/tpm_quote.h"

enum {
    VERSION_MIN = 1,
    VERSION_MAX = 2,
    LEAF_MAX = 8192,
    SIGNATURE_MAX = 512,
};

static int read_base64url(const struct js *object, const char *key, size_t limit, uint8_t **ret,
                          size_t *ret_size, struct error *err)
{
    const char *text;

    if (js_need_string(object, key, &text, err) < 0)
        return -1;
    if (base64url_decode(text, limit, ret, ret_size, err) < 0)
        return error_wrap(err, "%s", key);
    return 0;
}

static int read_hex(const struct js *object, const char *key, size_t limit, uint8_t **ret,
                    size_t *ret_size, struct error *err)
{
    scoped(freep) uint8_t *bytes = NULL;
    const char *text;
    size_t size;

    if (js_need_string(object, key, &text, err) < 0)
        return -1;
    size = strlen(text) / 2;
    if (size > limit)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "%s: %zu bytes, limit %zu", key, size,
                         limit);
    bytes = xalloc(size + 1);
    if (hex_decode(text, bytes, size, err) < 0)
        return error_wrap(err, "%s", key);
    *ret = take_ptr(bytes);
    *ret_size = size;
    return 0;
}

static int read_quote(const struct js *quote, struct tpm_evidence *ret, struct error *err)
{
    static const char *const members[] = {"message", "pcrs", "signature", NULL};

    if (js_type(quote) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "tpm_quote: no object");
    if (js_only(quote, members, err) < 0 ||
        read_hex(quote, "message", TPM_QUOTE_MAX, &ret->message, &ret->message_size, err) < 0 ||
        read_hex(quote, "signature", SIGNATURE_MAX, &ret->signature, &ret->signature_size, err) < 0)
        return -1;
    return tpm_evidence_read_pcrs(js_get(quote, "pcrs"), &ret->pcrs, err);
}

/* What makes the report of the hardware verifiable. */
static int read_endorsement(const struct js *root, enum hcl_report_type type,
                            struct azure_evidence *evidence, struct error *err)
{
    if (type == HCL_REPORT_TDX)
        return read_base64url(root, "td_quote", TDX_QUOTE_MAX, &evidence->td_quote,
                              &evidence->td_quote_size, err);
    return read_base64url(root, "vcek", LEAF_MAX, &evidence->leaf, &evidence->leaf_size, err);
}

static int read_members(const struct js *root, enum hcl_report_type type,
                        struct azure_evidence *evidence, size_t *hcl_size, struct error *err)
{
    static const char *const members[][5] = {
        [HCL_REPORT_SNP] = {"hcl_report", "tpm_quote", "vcek", "version", NULL},
        [HCL_REPORT_TDX] = {"hcl_report", "tpm_quote", "td_quote", "version", NULL},
    };
    int64_t version;

    if (js_type(root) != JS_OBJECT || !js_get(root, "version"))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "no object with a version (version 0 is not taken)");
    if (js_need_integer(root, "version", VERSION_MIN, VERSION_MAX, &version, err) < 0 ||
        js_only(root, members[type], err) < 0)
        return -1;
    evidence->version = (unsigned) version;
    if (read_endorsement(root, type, evidence, err) < 0 ||
        read_base64url(root, "hcl_report", HCL_REPORT_MAX, &evidence->hcl_bytes, hcl_size, err) < 0)
        return -1;
    return read_quote(js_get(root, "tpm_quote"), &evidence->quote, err);
}

static int check_td_report(const struct azure_evidence *evidence, struct finding *finding)
{
    struct tdx_quote quote;
    struct error err;

    if (tdx_quote_parse(evidence->td_quote, evidence->td_quote_size, &quote, &err) < 0)
        return finding_set(finding, FINDING_EVIDENCE, "azure evidence: td_quote: %s", err.message);
    return td_report_check(evidence->hcl.hardware, &quote.body, finding);
}

static int read_all(const struct js *root, enum hcl_report_type type,
                    struct azure_evidence *evidence, struct finding *finding)
{
    struct error err;
    size_t hcl_size = 0;

    registers_init(&evidence->quote.pcrs, REGISTERS_PCR, DIGEST_SHA256);
    if (read_members(root, type, evidence, &hcl_size, &err) < 0)
        return finding_set(finding, FINDING_EVIDENCE, "azure evidence: %s", err.message);
    if (hcl_report_parse(evidence->hcl_bytes, hcl_size, &evidence->hcl, finding) < 0)
        return -1;
    evidence->quote.key = take_ptr(evidence->hcl.key);
    if (evidence->hcl.type != type)
        return finding_set(finding, FINDING_HCL_HEADER, "HCL report: report_type is not that of %s",
                           type == HCL_REPORT_SNP ? "SEV-SNP" : "TDX");
    return type == HCL_REPORT_TDX ? check_td_report(evidence, finding) : 0;
}

int azure_evidence_parse(const char *text, size_t length, enum hcl_report_type type,
                         struct azure_evidence *ret, struct finding *finding)
{
    scoped(js_freep) struct js *root = NULL;
    struct azure_evidence evidence = {0};
    struct error err;

    if (length > TPM_EVIDENCE_MAX)
        return finding_set(finding, FINDING_EVIDENCE, "azure evidence of %zu bytes, limit %d",
                           length, TPM_EVIDENCE_MAX);
    if (js_parse(text, length, &root, &err) < 0)
        return finding_set(finding, FINDING_EVIDENCE, "azure evidence: %s", err.message);
    if (read_all(root, type, &evidence, finding) < 0) {
        azure_evidence_fini(&evidence);
        return -1;
    }
    *ret = evidence;
    return 0;
}

void azure_evidence_fini(struct azure_evidence *evidence)
{
    tpm_evidence_fini(&evidence->quote);
    hcl_report_fini(&evidence->hcl);
    free(evidence->hcl_bytes);
    free(evidence->leaf);
    free(evidence->td_quote);
    *evidence = (struct azure_evidence){0};
}

void azure_evidence_report_data(const struct azure_evidence *evidence, uint8_t ret[64])
{
    memset(ret, 0, 64);
    digest_sha256(evidence->hcl.variable, evidence->hcl.variable_size, ret);
}

/* The hardware report is made for user-data: without this it could be an old one, of which only the
 * quote is fresh. Before version 2 attesters did not set it. */
static int check_user_data(const struct azure_evidence *evidence, const struct tpm_policy *policy,
                           struct finding *finding)
{
    uint8_t expected[HCL_USER_DATA_SIZE] = {0};

    if (evidence->version < 2)
        return 0;
    if (policy->nonce_size <= sizeof(expected))
        memcpy(expected, policy->nonce, policy->nonce_size);
    if (policy->nonce_size > sizeof(expected) ||
        memcmp(expected, evidence->hcl.user_data, sizeof(expected)) != 0)
        return finding_set(finding, FINDING_QUOTE_NONCE,
                           "HCL report: user-data is not what was asked for");
    return 0;
}

int azure_evidence_check(const struct azure_evidence *evidence, const uint8_t report_data[64],
                         const struct tpm_policy *policy, struct finding *finding)
{
    if (hcl_report_bind(&evidence->hcl, report_data, finding) < 0 ||
        tpm_evidence_check_bare(&evidence->quote, policy, finding) < 0)
        return -1;
    return check_user_data(evidence, policy, finding);
}
