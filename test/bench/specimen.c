/* SPDX-License-Identifier: Apache-2.0 */
#include "specimen.h"

#include <stdio.h>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "evidence/snp_policy.h"
#include "evidence/tdx_policy.h"

enum { FILE_MAX = 1024 * 1024 };

static _Noreturn void die(const char *what)
{
    (void) fprintf(stderr, "specimen: %s\n", what);
    exit(EXIT_FAILURE);
}

/* The caller frees the data. Absent: none. */
static struct chain_bytes read_optional(const char *directory, const char *name)
{
    scoped(freep) char *path = xformat("%s/%s", directory, name);
    struct chain_bytes bytes = {0};
    struct error err;
    char *data;

    if (!file_exists(path))
        return bytes;
    if (file_read(path, FILE_MAX, &data, &bytes.length, &err) < 0)
        die(err.message);
    bytes.data = (uint8_t *) data;
    return bytes;
}

static struct chain_bytes read_needed(const char *directory, const char *name)
{
    struct chain_bytes bytes = read_optional(directory, name);

    if (!bytes.length)
        die(name);
    return bytes;
}

static int64_t read_time(const char *directory, const char *name)
{
    struct chain_bytes text = read_needed(directory, name);
    int64_t time = strtoll((const char *) text.data, NULL, 10);

    free((void *) text.data);
    return time;
}

static void read_snp(const char *directory, struct specimen *specimen)
{
    struct snp_evidence *snp = &specimen->snp;
    struct evidence_verdict verdict;

    snp->report = read_needed(directory, "snp/report.bin");
    snp->leaf = read_needed(directory, "snp/vcek.der");
    snp->issuers = read_needed(directory, "snp/ask.pem");
    snp->roots = read_optional(directory, "snp/root.pem");
    snp->time = read_time(directory, "snp/time");
    if (snp->report.length != SNP_REPORT_SIZE)
        die("snp/report.bin has another size");
    snp->report_data = snp->report.data + 0x50;
    specimen->snp_policy = snp_policy_strict;
    specimen->snp_policy.measurements = (const uint8_t(*)[SNP_MEASUREMENT_SIZE])(snp->report.data +
                                                                                 0x90);
    specimen->snp_policy.measurement_count = 1;
    specimen->snp_policy.host_data = snp->report.data + 0xc0;
    if (chain_parse_der("VCEK", snp->leaf, &specimen->leaf, &verdict) < 0 ||
        snp_certificate_read(specimen->leaf, &specimen->certificate, &verdict) < 0)
        die(verdict.text);
}

static void trust_root(const char *directory, struct specimen *specimen)
{
    scoped(chain_bundle_fini) struct chain_bundle bundle = {0};
    struct chain_bytes pem = read_optional(directory, "tdx/root.pem");
    struct evidence_verdict verdict;

    if (!pem.length)
        return;
    if (chain_parse_pem("root", pem, &bundle, &verdict) < 0)
        die(verdict.text);
    for (size_t i = 0; i < bundle.count; i++)
        chain_spki(bundle.certificates[i], specimen->roots[i]);
    specimen->tdx_policy.roots = (const uint8_t(*)[CHAIN_SPKI_SIZE]) specimen->roots;
    specimen->tdx_policy.root_count = bundle.count;
    free((void *) pem.data);
}

static struct tdx_values one(const uint8_t *value)
{
    return (struct tdx_values){(const uint8_t(*)[TDX_MEASUREMENT_SIZE]) value, 1};
}

static void read_tdx(const char *directory, struct specimen *specimen)
{
    struct tdx_collateral *collateral = &specimen->collateral;
    struct tdx_policy *policy = &specimen->tdx_policy;
    struct tdx_quote quote;
    struct error err;

    specimen->quote = read_needed(directory, "tdx/quote.bin");
    collateral->tcb_info = read_needed(directory, "tdx/tcb_info.json");
    collateral->qe_identity = read_needed(directory, "tdx/qe_identity.json");
    collateral->tcb_signing = read_needed(directory, "tdx/tcb_signing.pem");
    collateral->pck_crl = read_needed(directory, "tdx/pck_crl.der");
    collateral->root_crl = read_needed(directory, "tdx/root_crl.der");
    if (tdx_quote_parse(specimen->quote.data, specimen->quote.length, &quote, &err) < 0)
        die(err.message);
    policy->time = read_time(directory, "tdx/time");
    policy->collateral = TDX_COLLATERAL_REQUIRED;
    policy->mr_td = one(quote.body.mr_td);
    for (size_t i = 0; i < ARRAY_LENGTH(policy->rtmr); i++)
        policy->rtmr[i] = one(quote.body.rtmr[i]);
    policy->mr_config_id = quote.body.mr_config_id;
    policy->report_data = quote.body.report_data;
    trust_root(directory, specimen);
}

void specimen_load(const char *directory, struct specimen *ret)
{
    *ret = (struct specimen){.leaf = NULL};
    read_snp(directory, ret);
    read_tdx(directory, ret);
    specimen_verify_snp(ret);
    specimen_verify_tdx(ret);
    specimen_judge_snp(ret);
    specimen_judge_tdx(ret);
}

void specimen_fini(struct specimen *specimen)
{
    const struct chain_bytes all[] = {
        specimen->snp.report,
        specimen->snp.leaf,
        specimen->snp.issuers,
        specimen->snp.roots,
        specimen->quote,
        specimen->collateral.tcb_info,
        specimen->collateral.qe_identity,
        specimen->collateral.tcb_signing,
        specimen->collateral.pck_crl,
        specimen->collateral.root_crl,
    };

    for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
        free((void *) all[i].data);
    chain_free(specimen->leaf);
}

void specimen_verify_snp(const struct specimen *specimen)
{
    struct evidence_verdict verdict;

    snp_verify(&specimen->snp, &specimen->snp_policy, &verdict);
    if (verdict.failed != APPRAISAL_OK)
        die(verdict.text);
}

void specimen_verify_tdx(const struct specimen *specimen)
{
    struct evidence_verdict verdict;
    struct tdx_result result;

    if (tdx_verify(specimen->quote, &specimen->collateral, &specimen->tdx_policy, &result,
                   &verdict) < 0)
        die(verdict.text);
}

void specimen_verify_quote(const struct specimen *specimen)
{
    static const struct tdx_collateral none;
    struct tdx_policy policy = specimen->tdx_policy;
    struct evidence_verdict verdict;
    struct tdx_result result;

    policy.collateral = TDX_COLLATERAL_IF_GIVEN;
    if (tdx_verify(specimen->quote, &none, &policy, &result, &verdict) < 0)
        die(verdict.text);
}

void specimen_judge_snp(const struct specimen *specimen)
{
    const struct snp_policy *policy = &specimen->snp_policy;
    struct evidence_verdict verdict;
    struct snp_report report;

    if (snp_report_parse(specimen->snp.report.data, specimen->snp.report.length, &report,
                         &verdict) < 0 ||
        snp_policy_admit(policy, &report, &verdict) < 0 ||
        snp_policy_hardware(policy, &report, &specimen->certificate, &verdict) < 0 ||
        snp_policy_tcb(policy, &report, specimen->certificate.product, &verdict) < 0 ||
        snp_policy_attributes(policy, &report, &verdict) < 0 ||
        snp_policy_content(policy, &report, &verdict) < 0 ||
        memcmp(report.report_data, specimen->snp.report_data, SNP_REPORT_DATA_SIZE) != 0)
        die(verdict.text);
}

void specimen_judge_tdx(const struct specimen *specimen)
{
    struct evidence_verdict verdict;
    struct tdx_quote quote;
    struct error err;

    if (tdx_quote_parse(specimen->quote.data, specimen->quote.length, &quote, &err) < 0)
        die(err.message);
    if (tdx_policy_check(&quote.body, &specimen->tdx_policy, &verdict) < 0)
        die(verdict.text);
}
