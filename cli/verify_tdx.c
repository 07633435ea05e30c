/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"
#include "evidence/evidence.h"
#include "evidence/reference_values.h"
#include "verify.h"

enum { LIST_MAX = 16, EXACT_MAX = 8 };

/* Values that have to be exactly so, each in its place of the policy. */
enum exact { RTMR0, RTMR1, RTMR2, RTMR3, MR_CONFIG_ID, MR_OWNER, MR_OWNER_CONFIG, MR_SERVICE_TD };

/* A policy and what it points to. */
struct settings {
    struct tdx_policy policy;
    uint8_t roots[CHAIN_LENGTH_MAX][CHAIN_SPKI_SIZE];
    uint8_t mr_td[LIST_MAX][TDX_MEASUREMENT_SIZE], mr_seam[LIST_MAX][TDX_MEASUREMENT_SIZE];
    uint8_t exact[EXACT_MAX][TDX_MEASUREMENT_SIZE];
    uint8_t svn_floor[TDX_SVN_SIZE];
    struct tdx_bits attributes, xfam;
};

const char *const verify_tdx_collateral[] = {"tcb_info.json", "qe_identity.json", "tcb_signing.pem",
                                             "pck_crl.der",   "root_crl.der",     NULL};

struct files {
    struct verify_file tcb_info, qe_identity, tcb_signing, pck_crl, root_crl;
};

static void files_fini(struct files *files)
{
    verify_file_fini(&files->tcb_info);
    verify_file_fini(&files->qe_identity);
    verify_file_fini(&files->tcb_signing);
    verify_file_fini(&files->pck_crl);
    verify_file_fini(&files->root_crl);
}

static uint64_t number_of(const uint8_t bytes[8])
{
    uint64_t number = 0;

    for (size_t i = 0; i < 8; i++)
        number = number << 8 | bytes[i];
    return number;
}

/* "MASK:VALUE", 16 digits each, the highest bit first. */
static int set_bits(const char *value, struct tdx_bits *ret, struct error *err)
{
    scoped(freep) char *mask = strlen(value) == 33 && value[16] == ':' ? xstrndup(value, 16) : NULL;
    uint8_t bytes[2][8];

    if (!mask || hex_decode(mask, bytes[0], 8, err) < 0 ||
        hex_decode(value + 17, bytes[1], 8, err) < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is not MASK:VALUE of 16 digits each",
                         value);
    *ret = (struct tdx_bits){.mask = number_of(bytes[0]), .value = number_of(bytes[1])};
    if (ret->value & ~ret->mask)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a bit of the value is not in the mask");
    return 0;
}

static int set_attributes(struct settings *settings, const char *value, struct error *err)
{
    settings->policy.attributes = &settings->attributes;
    return set_bits(value, &settings->attributes, err);
}

static int set_xfam(struct settings *settings, const char *value, struct error *err)
{
    settings->policy.xfam = &settings->xfam;
    return set_bits(value, &settings->xfam, err);
}

static int set_collateral(struct settings *settings, const char *value, struct error *err)
{
    if (!text_equal(value, "required"))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "'%s' is not required (it is judged if given without this key)", value);
    settings->policy.collateral = TDX_COLLATERAL_REQUIRED;
    return 0;
}

static int set_evaluation(struct settings *settings, const char *value, struct error *err)
{
    uint64_t number;

    if (!text_to_u64(value, &number) || number > UINT32_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is not a number up to %u", value,
                         UINT32_MAX);
    settings->policy.evaluation_floor = (uint32_t) number;
    return 0;
}

static int add_status(struct settings *settings, const char *value, struct error *err)
{
    enum tdx_status status = tdx_status_find(value);

    if (status == TDX_UNCHECKED || status == TDX_REVOKED)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "'%s' is not a status that can be accepted, like SWHardeningNeeded",
                         value);
    settings->policy.also_accepted |= BIT(status);
    return 0;
}

static int set_svn(struct settings *settings, const char *value, struct error *err)
{
    settings->policy.svn_floor = settings->svn_floor;
    return hex_decode(value, settings->svn_floor, TDX_SVN_SIZE, err);
}

static int add_value(const char *value, uint8_t (*list)[TDX_MEASUREMENT_SIZE],
                     struct tdx_values *values, struct error *err)
{
    if (values->count == LIST_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "more than %d of them", LIST_MAX);
    values->values = (const uint8_t(*)[TDX_MEASUREMENT_SIZE]) list;
    return hex_decode(value, list[values->count++], TDX_MEASUREMENT_SIZE, err);
}

static int add_mr_td(struct settings *settings, const char *value, struct error *err)
{
    settings->policy.skip &= ~(unsigned) TDX_SKIP_MR_TD;
    return add_value(value, settings->mr_td, &settings->policy.mr_td, err);
}

static int add_mr_seam(struct settings *settings, const char *value, struct error *err)
{
    return add_value(value, settings->mr_seam, &settings->policy.mr_seam, err);
}

static const struct {
    const char *key;
    int (*set)(struct settings *settings, const char *value, struct error *err);
} keys[] = {
    {"attributes=", set_attributes}, {"xfam=", set_xfam},
    {"collateral=", set_collateral}, {"evaluation-min=", set_evaluation},
    {"tcb-status=", add_status},     {"svn-min=", set_svn},
    {"mr-td=", add_mr_td},           {"mr-seam=", add_mr_seam},
};

static const char *const exact_keys[EXACT_MAX] = {
    [RTMR0] = "rtmr0=",
    [RTMR1] = "rtmr1=",
    [RTMR2] = "rtmr2=",
    [RTMR3] = "rtmr3=",
    [MR_CONFIG_ID] = "mr-config-id=",
    [MR_OWNER] = "mr-owner=",
    [MR_OWNER_CONFIG] = "mr-owner-config=",
    [MR_SERVICE_TD] = "mr-service-td=",
};

static int set_exact(struct settings *settings, enum exact exact, const char *value,
                     struct error *err)
{
    struct tdx_policy *policy = &settings->policy;
    const uint8_t **const places[EXACT_MAX] = {
        [MR_CONFIG_ID] = &policy->mr_config_id,
        [MR_OWNER] = &policy->mr_owner,
        [MR_OWNER_CONFIG] = &policy->mr_owner_config,
        [MR_SERVICE_TD] = &policy->mr_service_td,
    };

    if (exact == MR_CONFIG_ID)
        policy->skip &= ~(unsigned) TDX_SKIP_MR_CONFIG_ID;
    if (exact == MR_SERVICE_TD)
        policy->skip &= ~(unsigned) TDX_SKIP_MR_SERVICE_TD;
    if (exact <= RTMR3)
        policy->rtmr[exact] = (struct tdx_values){
            (const uint8_t(*)[TDX_MEASUREMENT_SIZE]) settings->exact[exact], 1};
    else
        *places[exact] = settings->exact[exact];
    return hex_decode(value, settings->exact[exact], TDX_MEASUREMENT_SIZE, err);
}

static int set_one(struct settings *settings, const char *policy, struct error *err)
{
    int rc = 1;

    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        if (text_starts(policy, keys[i].key))
            rc = keys[i].set(settings, policy + strlen(keys[i].key), err);
    for (unsigned i = 0; i < EXACT_MAX; i++)
        if (text_starts(policy, exact_keys[i]))
            rc = set_exact(settings, i, policy + strlen(exact_keys[i]), err);
    if (rc > 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "--set %s: type tdx has no such key",
                         policy);
    return rc < 0 ? error_wrap(err, "--set %s", policy) : 0;
}

static struct chain_bytes bytes(const struct verify_file *file)
{
    return (struct chain_bytes){(const uint8_t *) file->data, file->length};
}

static int read_roots(const struct verify_input *input, struct settings *settings,
                      struct error *err)
{
    scoped(chain_bundle_fini) struct chain_bundle bundle = {0};
    struct evidence_verdict verdict;

    if (!input->root.data)
        return 0;
    if (chain_parse_pem("--root", bytes(&input->root), &bundle, &verdict) < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s", verdict.text);
    for (size_t i = 0; i < bundle.count; i++)
        chain_spki(bundle.certificates[i], settings->roots[i]);
    settings->policy.roots = (const uint8_t(*)[CHAIN_SPKI_SIZE]) settings->roots;
    settings->policy.root_count = bundle.count;
    return 0;
}

static int read_settings(const struct verify_input *input, struct settings *ret, struct error *err)
{
    if (input->tdx)
        ret->policy = *input->tdx;
    ret->policy.time = input->time;
    ret->policy.report_data = input->report_data;
    /* Without reference values there is nothing to compare with; the claims say so. */
    ret->policy.skip = TDX_SKIP_MR_CONFIG_ID;
    if (!input->tdx)
        ret->policy.skip |= TDX_SKIP_MR_TD | TDX_SKIP_MR_SERVICE_TD;
    for (size_t i = 0; i < input->policy_count; i++)
        if (verify_policy_allows(input, input->policies[i], "mr-config-id=", err) < 0 ||
            set_one(ret, input->policies[i], err) < 0)
            return -1;
    return read_roots(input, ret, err);
}

/* All or none, and an empty file is none of them. */
static int read_files(const struct verify_input *input, struct files *ret, struct error *err)
{
    struct verify_file *const files[] = {&ret->tcb_info, &ret->qe_identity, &ret->tcb_signing,
                                         &ret->pck_crl, &ret->root_crl};
    size_t count = 0;

    if (!input->endorsements)
        return 0;
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        if (verify_read_optional(input, verify_tdx_collateral[i], files[i], err) < 0)
            return -1;
        count += files[i]->length > 0;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
        if (!files[i]->length && (count || files[i]->data))
            return error_set(err, STATUS_NOT_FOUND,
                             "%s is missing or empty in '%s'; collateral is all files or none",
                             verify_tdx_collateral[i], input->endorsements);
    return 0;
}

/* What the quote says; true only if the verdict accepts it. */
static void claim(const struct tdx_quote *quote, struct js *claims)
{
    static const char *const rtmr[] = {"rtmr0", "rtmr1", "rtmr2", "rtmr3"};
    const struct tdx_body *body = &quote->body;

    js_set_integer(claims, "version", quote->version);
    js_set_string(claims, "body", body->type == TDX_BODY_1_5 ? "TDX 1.5" : "TDX 1.0");
    verify_claim_hex(claims, "tee_tcb_svn", body->tee_tcb_svn, TDX_SVN_SIZE);
    verify_claim_number(claims, "td_attributes", body->td_attributes);
    verify_claim_number(claims, "xfam", body->xfam);
    verify_claim_hex(claims, "mr_seam", body->mr_seam, TDX_MEASUREMENT_SIZE);
    verify_claim_hex(claims, "mr_td", body->mr_td, TDX_MEASUREMENT_SIZE);
    for (size_t i = 0; i < ARRAY_LENGTH(rtmr); i++)
        verify_claim_hex(claims, rtmr[i], body->rtmr[i], TDX_MEASUREMENT_SIZE);
    verify_claim_hex(claims, "mr_config_id", body->mr_config_id, TDX_MEASUREMENT_SIZE);
    verify_claim_hex(claims, "mr_owner", body->mr_owner, TDX_MEASUREMENT_SIZE);
    verify_claim_hex(claims, "mr_owner_config", body->mr_owner_config, TDX_MEASUREMENT_SIZE);
    verify_claim_hex(claims, "mr_service_td", body->mr_service_td, TDX_MEASUREMENT_SIZE);
    verify_claim_hex(claims, "report_data", body->report_data, TDX_REPORT_DATA_SIZE);
    js_set_integer(claims, "trailing_bytes", (int64_t) quote->trailing);
}

static void claim_platform(const struct sgx_pck *pck, struct js *claims)
{
    verify_claim_hex(claims, "fmspc", pck->fmspc, SGX_FMSPC_SIZE);
    verify_claim_hex(claims, "ppid", pck->has_ppid ? pck->ppid : NULL, SGX_CHIP_SIZE);
    verify_claim_hex(claims, "platform_instance", pck->has_instance ? pck->instance : NULL,
                     SGX_CHIP_SIZE);
}

static void claim_skipped(const struct tdx_policy *policy, const struct tdx_quote *quote,
                          const struct files *files, struct js *claims)
{
    const struct {
        const char *name;
        bool skipped;
    } parts[] = {
        {"mr_td", policy->skip & TDX_SKIP_MR_TD},
        {"rtmr0", !policy->rtmr[0].count},
        {"rtmr1", !policy->rtmr[1].count},
        {"rtmr2", !policy->rtmr[2].count},
        {"rtmr3", !policy->rtmr[3].count},
        {"mr_config_id", policy->skip & TDX_SKIP_MR_CONFIG_ID},
        {"mr_service_td",
         policy->skip & TDX_SKIP_MR_SERVICE_TD && quote->body.type == TDX_BODY_1_5},
        {"svn-min", !policy->svn_floor},
        {"collateral", !files->tcb_info.data},
    };
    struct js *list = js_new_array();

    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        if (parts[i].skipped)
            js_append(list, js_new_string(parts[i].name));
    js_set(claims, "not_judged", list);
}

static int verify(const struct verify_input *input, struct evidence_verdict *ret, struct js *claims,
                  struct error *err)
{
    struct settings settings = {0};
    scoped(files_fini) struct files files = {0};
    struct tdx_result result;

    if (input->report_data_length != TDX_REPORT_DATA_SIZE)
        return error_set(err, STATUS_INVALID_ARGUMENT, "--report-data has %d bytes for tdx",
                         TDX_REPORT_DATA_SIZE);
    if (read_settings(input, &settings, err) < 0 || read_files(input, &files, err) < 0)
        return -1;
    const struct tdx_collateral collateral = {
        .tcb_info = bytes(&files.tcb_info),
        .qe_identity = bytes(&files.qe_identity),
        .tcb_signing = bytes(&files.tcb_signing),
        .pck_crl = bytes(&files.pck_crl),
        .root_crl = bytes(&files.root_crl),
    };
    int rc = tdx_verify(bytes(&input->evidence), &collateral, &settings.policy, &result, ret);
    if (rc == 0 && input->reference)
        (void) !reference_values_judge_tdx(input->reference, &result.quote.body, ret);
    claim_skipped(&settings.policy, &result.quote, &files, claims);
    if (rc == 0 || result.quote.version)
        claim(&result.quote, claims);
    if (rc == 0)
        claim_platform(&result.pck, claims);
    js_set_string(claims, "tcb_status", tdx_status_name(result.status));
    return 0;
}

static bool choose(struct verify_input *input)
{
    input->tdx = reference_values_tdx(input->reference);
    return input->tdx;
}

const struct verify_type verify_tdx = {
    .name = "tdx",
    .choose = choose,
    .help =
        "  A quote of version 4 or 5. It carries its certificates; --endorsements is for Intel's\n"
        "  collateral. Files in DIR, all of them: tcb_info.json, qe_identity.json (as the service\n"
        "  answers, with the signatures), tcb_signing.pem, pck_crl.der, root_crl.der.\n"
        "  Policy keys; MASK and VALUE are 16 hexadecimal digits:\n"
        "    attributes=MASK:VALUE  of td_attributes; if not given, SEPT_VE_DISABLE has to be "
        "set,\n"
        "                           PKS and Key Locker may be, nothing else; never DEBUG\n"
        "    xfam=MASK:VALUE        any if not given\n"
        "    collateral=required    otherwise it is judged if given\n"
        "    tcb-status=NAME        accepted besides UpToDate; by repetition\n"
        "    evaluation-min=N       lowest tcbEvaluationDataNumber of the collateral\n"
        "    svn-min=HEX            lowest tee_tcb_svn, 16 bytes, each for itself\n"
        "    mr-td=HEX              reference values, by repetition; not judged if not given\n"
        "    mr-seam=HEX            TDX modules, by repetition; any if not given\n"
        "    rtmr0=HEX ... rtmr3=HEX, mr-config-id=HEX, mr-owner=HEX, mr-owner-config=HEX,\n"
        "    mr-service-td=HEX      exactly; not judged if not given\n",
    .verify = verify,
};
