/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"
#include "evidence/evidence.h"
#include "evidence/reference_values.h"
#include "verify.h"

enum { LIST_MAX = 16 };

/* A policy and what it points to. */
struct settings {
    struct snp_policy policy;
    uint8_t chips[LIST_MAX][SNP_CHIP_ID_SIZE];
    uint8_t author_keys[LIST_MAX][SNP_KEY_DIGEST_SIZE];
    uint8_t measurements[LIST_MAX][SNP_MEASUREMENT_SIZE];
    uint8_t host_data[SNP_HOST_DATA_SIZE];
    const char *csp_ids[LIST_MAX + 1];
    size_t csp_id_count;
    unsigned products;
};

struct files {
    struct verify_file leaf, issuers, crl;
};

static void files_fini(struct files *files)
{
    verify_file_fini(&files->leaf);
    verify_file_fini(&files->issuers);
    verify_file_fini(&files->crl);
}

static int refuse(const char *value, const char *wanted, struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is not %s", value, wanted);
}

static int set_number(const char *value, uint64_t max, uint64_t *ret, struct error *err)
{
    if (text_to_u64(value, ret) && *ret <= max)
        return 0;
    return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is not a number up to %llu", value,
                     (unsigned long long) max);
}

static int set_version(struct settings *settings, const char *value, struct error *err)
{
    uint64_t number;

    if (set_number(value, SNP_VERSION_MAX, &number, err) < 0)
        return -1;
    settings->policy.version_min = (uint32_t) number;
    return 0;
}

static int set_vmpl(struct settings *settings, const char *value, struct error *err)
{
    uint64_t number;

    if (set_number(value, 3, &number, err) < 0)
        return -1;
    settings->policy.vmpl = (uint32_t) number;
    return 0;
}

static int set_guest_svn(struct settings *settings, const char *value, struct error *err)
{
    uint64_t number;

    if (set_number(value, UINT32_MAX, &number, err) < 0)
        return -1;
    settings->policy.guest_svn_min = (uint32_t) number;
    return 0;
}

static int set_key(struct settings *settings, const char *value, struct error *err)
{
    unsigned keys = text_equal(value, "vcek")   ? BIT(SNP_VCEK)
                    : text_equal(value, "vlek") ? BIT(SNP_VLEK)
                    : text_equal(value, "any")  ? BIT(SNP_VCEK) | BIT(SNP_VLEK)
                                                : 0;

    if (!keys)
        return refuse(value, "vcek, vlek or any", err);
    settings->policy.keys = keys;
    return 0;
}

static int set_product(struct settings *settings, const char *value, struct error *err)
{
    for (unsigned product = 0; product < SNP_PRODUCTS; product++) {
        if (text_equal(value, snp_product_name(product))) {
            settings->products |= BIT(product);
            settings->policy.products = settings->products;
            return 0;
        }
    }
    return refuse(value, "Milan, Genoa or Turin", err);
}

static int set_smt(struct settings *settings, const char *value, struct error *err)
{
    if (!text_equal(value, "no"))
        return refuse(value, "no (it may be on without this key)", err);
    settings->policy.policy_zero |= SNP_POLICY_SMT;
    return 0;
}

static int set_abi(struct settings *settings, const char *value, struct error *err)
{
    unsigned major, minor;
    int end = -1;

    if (strspn(value, "0123456789.") != strlen(value) ||
        sscanf(value, "%3u.%3u%n", &major, &minor, &end) != 2 || value[end] || major > 255 ||
        minor > 255)
        return refuse(value, "a version like 1.55", err);
    settings->policy.abi_major_min = (uint8_t) major;
    settings->policy.abi_minor_min = (uint8_t) minor;
    return 0;
}

/* "snp=22" behind the key's own "=". */
static int set_tcb(struct settings *settings, const char *value, struct error *err)
{
    struct snp_tcb min = settings->policy.tcb_min[SNP_MILAN];
    const struct {
        const char *name;
        uint8_t *to;
    } components[] = {
        {"fmc=", &min.fmc}, {"bootloader=", &min.bootloader}, {"tee=", &min.tee},
        {"snp=", &min.snp}, {"microcode=", &min.microcode},
    };
    uint64_t number;

    for (size_t i = 0; i < ARRAY_LENGTH(components); i++) {
        if (!text_starts(value, components[i].name))
            continue;
        if (set_number(value + strlen(components[i].name), UINT8_MAX, &number, err) < 0)
            return -1;
        *components[i].to = (uint8_t) number;
        for (unsigned product = 0; product < SNP_PRODUCTS; product++)
            settings->policy.tcb_min[product] = min;
        return 0;
    }
    return refuse(value, "fmc=N, bootloader=N, tee=N, snp=N or microcode=N", err);
}

/* Room for one more of a list of digests. */
static int add_hex(const char *value, uint8_t *list, size_t size, size_t *count, struct error *err)
{
    if (*count == LIST_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "more than %d of them", LIST_MAX);
    if (hex_decode(value, list + *count * size, size, err) < 0)
        return -1;
    (*count)++;
    return 0;
}

static int add_chip(struct settings *settings, const char *value, struct error *err)
{
    settings->policy.chips = (const uint8_t(*)[SNP_CHIP_ID_SIZE]) settings->chips;
    return add_hex(value, settings->chips[0], SNP_CHIP_ID_SIZE, &settings->policy.chip_count, err);
}

static int add_author_key(struct settings *settings, const char *value, struct error *err)
{
    settings->policy.author_keys = (const uint8_t(*)[SNP_KEY_DIGEST_SIZE]) settings->author_keys;
    return add_hex(value, settings->author_keys[0], SNP_KEY_DIGEST_SIZE,
                   &settings->policy.author_key_count, err);
}

static int add_measurement(struct settings *settings, const char *value, struct error *err)
{
    settings->policy.measurements = (const uint8_t(*)[SNP_MEASUREMENT_SIZE]) settings->measurements;
    settings->policy.skip &= ~(unsigned) SNP_SKIP_MEASUREMENT;
    return add_hex(value, settings->measurements[0], SNP_MEASUREMENT_SIZE,
                   &settings->policy.measurement_count, err);
}

static int set_host_data(struct settings *settings, const char *value, struct error *err)
{
    settings->policy.host_data = settings->host_data;
    settings->policy.skip &= ~(unsigned) SNP_SKIP_HOST_DATA;
    return hex_decode(value, settings->host_data, SNP_HOST_DATA_SIZE, err);
}

static int add_csp(struct settings *settings, const char *value, struct error *err)
{
    if (settings->csp_id_count == LIST_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "more than %d of them", LIST_MAX);
    settings->csp_ids[settings->csp_id_count++] = value;
    settings->policy.csp_ids = settings->csp_ids;
    return 0;
}

static const struct {
    const char *key;
    int (*set)(struct settings *settings, const char *value, struct error *err);
} keys[] = {
    {"version-min=", set_version},
    {"key=", set_key},
    {"product=", set_product},
    {"chip-id=", add_chip},
    {"csp-id=", add_csp},
    {"tcb-min=", set_tcb},
    {"abi-min=", set_abi},
    {"smt=", set_smt},
    {"vmpl=", set_vmpl},
    {"guest-svn-min=", set_guest_svn},
    {"author-key=", add_author_key},
    {"measurement=", add_measurement},
    {"host-data=", set_host_data},
};

static int set_one(struct settings *settings, const char *policy, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        if (!text_starts(policy, keys[i].key))
            continue;
        if (keys[i].set(settings, policy + strlen(keys[i].key), err) < 0)
            return error_wrap(err, "--set %s", policy);
        return 0;
    }
    return error_set(err, STATUS_INVALID_ARGUMENT, "--set %s: type snp has no such key", policy);
}

static int read_settings(const struct verify_input *input, struct settings *ret, struct error *err)
{
    ret->policy = input->snp ? *input->snp : snp_policy_strict;
    if (!input->snp)
        ret->policy.keys = BIT(SNP_VCEK) | BIT(SNP_VLEK);
    /* Without reference values there is nothing to compare with; the claims say so. */
    ret->policy.skip = SNP_SKIP_HOST_DATA | (input->snp ? 0 : SNP_SKIP_MEASUREMENT);
    for (size_t i = 0; i < input->policy_count; i++)
        if (verify_policy_allows(input, input->policies[i], "host-data=", err) < 0 ||
            set_one(ret, input->policies[i], err) < 0)
            return -1;
    return 0;
}

static int read_files(const struct verify_input *input, struct files *ret, struct error *err)
{
    if (!input->endorsements)
        return error_set(err, STATUS_INVALID_ARGUMENT, "--endorsements is missing");
    if (input->leaf.data) {
        ret->leaf.data = xmemdup(input->leaf.data, input->leaf.length);
        ret->leaf.length = input->leaf.length;
    }
    if (!ret->leaf.data && verify_read_optional(input, "vcek.der", &ret->leaf, err) < 0)
        return -1;
    if (!ret->leaf.data && verify_read_optional(input, "vlek.der", &ret->leaf, err) < 0)
        return -1;
    if (!ret->leaf.data)
        return error_set(err, STATUS_NOT_FOUND, "there is neither vcek.der nor vlek.der in '%s'",
                         input->endorsements);
    if (verify_read(input, "ask.pem", &ret->issuers, err) < 0)
        return -1;
    if (verify_read_optional(input, "crl.der", &ret->crl, err) < 0)
        return -1;
    if (ret->crl.data && !ret->crl.length)
        return error_set(err, STATUS_INVALID_ARGUMENT, "crl.der is empty");
    return 0;
}

/* What the report says; true only if the verdict accepts it. */
static void claim(const struct verify_file *evidence, struct js *claims)
{
    struct evidence_verdict verdict;
    struct snp_report report;

    if (snp_report_parse(evidence->data, evidence->length, &report, &verdict) < 0)
        return;
    js_set_integer(claims, "version", report.version);
    js_set_string(claims, "product", snp_product_name(report.product));
    js_set_string(claims, "key", snp_report_key(&report) == SNP_VLEK ? "vlek" : "vcek");
    js_set_integer(claims, "guest_svn", report.guest_svn);
    js_set_integer(claims, "vmpl", report.vmpl);
    verify_claim_number(claims, "policy", report.policy);
    verify_claim_number(claims, "platform_info", report.platform_info);
    verify_claim_hex(claims, "measurement", report.measurement, SNP_MEASUREMENT_SIZE);
    verify_claim_hex(claims, "host_data", report.host_data, SNP_HOST_DATA_SIZE);
    verify_claim_hex(claims, "report_data", report.report_data, SNP_REPORT_DATA_SIZE);
    verify_claim_hex(claims, "chip_id", report.chip_id, SNP_CHIP_ID_SIZE);
    verify_claim_hex(claims, "reported_tcb", report.reported_tcb, SNP_TCB_SIZE);
    verify_claim_hex(claims, "committed_tcb", report.committed_tcb, SNP_TCB_SIZE);
}

static void claim_skipped(const struct verify_input *input, const struct settings *settings,
                          const struct files *files, struct js *claims)
{
    static const struct snp_tcb zero;
    struct js *list = js_new_array();

    if (settings->policy.skip & SNP_SKIP_MEASUREMENT)
        js_append(list, js_new_string("measurement"));
    if (settings->policy.skip & SNP_SKIP_HOST_DATA)
        js_append(list, js_new_string("host_data"));
    if (!input->snp && memcmp(&settings->policy.tcb_min[SNP_MILAN], &zero, sizeof(zero)) == 0)
        js_append(list, js_new_string("tcb-min"));
    if (!files->crl.data)
        js_append(list, js_new_string("crl"));
    js_set(claims, "not_judged", list);
}

/* What was accepted may have been withdrawn. */
static void judge_revoked(const struct verify_input *input, struct evidence_verdict *ret)
{
    struct snp_report report;

    if (ret->failed == APPRAISAL_OK && input->reference &&
        snp_report_parse(input->evidence.data, input->evidence.length, &report, ret) == 0)
        (void) !reference_values_judge_snp(input->reference, &report, ret);
}

static struct chain_bytes bytes(const struct verify_file *file)
{
    return (struct chain_bytes){(const uint8_t *) file->data, file->length};
}

static int verify(const struct verify_input *input, struct evidence_verdict *ret, struct js *claims,
                  struct error *err)
{
    struct settings settings = {0};
    scoped(files_fini) struct files files = {0};

    if (input->report_data_length != SNP_REPORT_DATA_SIZE)
        return error_set(err, STATUS_INVALID_ARGUMENT, "--report-data has %d bytes for snp",
                         SNP_REPORT_DATA_SIZE);
    if (read_settings(input, &settings, err) < 0 || read_files(input, &files, err) < 0)
        return -1;
    const struct snp_evidence evidence = {
        .report = bytes(&input->evidence),
        .leaf = bytes(&files.leaf),
        .issuers = bytes(&files.issuers),
        .roots = bytes(&input->root),
        .crl = bytes(&files.crl),
        .report_data = input->report_data,
        .time = input->time,
    };
    snp_verify(&evidence, &settings.policy, ret);
    judge_revoked(input, ret);
    claim_skipped(input, &settings, &files, claims);
    claim(&input->evidence, claims);
    return 0;
}

static bool choose(struct verify_input *input)
{
    input->snp = reference_values_snp(input->reference);
    return input->snp;
}

const struct verify_type verify_snp = {
    .name = "snp",
    .choose = choose,
    .help =
        "  The report has 1184 bytes. Files in DIR: vcek.der (VCEK or VLEK; also as vlek.der); "
        "ask.pem\n"
        "  with the ASK or ASVK (AMD's cert_chain as it comes is good); crl.der if revocation is "
        "to be\n"
        "  judged.\n"
        "  Policy keys; lists by repetition:\n"
        "    version-min=N        of the report: 3 if not given, 2 is the oldest\n"
        "    key=vcek|vlek|any    what may sign: any if not given\n"
        "    product=NAME         Milan, Genoa, Turin; all if not given\n"
        "    chip-id=HEX          chips that are allowed; any if not given\n"
        "    csp-id=TEXT          whose VLEK is allowed; any if not given\n"
        "    tcb-min=COMPONENT=N  fmc, bootloader, tee, snp, microcode; 0 if not given\n"
        "    abi-min=MAJOR.MINOR  that the guest's policy asks for; 0.0 if not given\n"
        "    smt=no               the guest's policy forbids SMT\n"
        "    vmpl=N               exactly; 0 if not given\n"
        "    guest-svn-min=N      0 if not given\n"
        "    author-key=HEX       author keys that are allowed; none if not given\n"
        "    measurement=HEX      reference values; not judged if not given\n"
        "    host-data=HEX        exactly; not judged if not given\n",
    .verify = verify,
};
