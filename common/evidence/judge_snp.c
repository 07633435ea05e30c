/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/judges.h"

#include <string.h>

#include "evidence/reference_values.h"
#include "evidence/snp.h"
#include "evidence/snp_table.h"

static void remember(const struct snp_report *report, struct evidence_verdict *ret)
{
    ret->measurement_size = SNP_MEASUREMENT_SIZE;
    memcpy(ret->chip, report->chip_id, SNP_CHIP_ID_SIZE);
    ret->chip_size = SNP_CHIP_ID_SIZE;
}

void judge_snp(const struct evidence_bundle *bundle, const struct evidence_request *expected,
               const struct evidence_policy *policy, struct evidence_verdict *ret)
{
    const struct snp_policy *values = policy->values ? reference_values_snp(policy->values) : NULL;
    const struct chain_bytes table = {bundle->endorsements, bundle->endorsements_length};
    uint8_t report_data[EVIDENCE_DIGEST_MAX];
    struct chain_bytes leaf;
    struct snp_report report;

    if (judge_needs_values(values, "snp", ret) < 0 || snp_table_leaf(table, &leaf, ret) < 0)
        return;
    evidence_find(EVIDENCE_SNP)->digest(expected->statement, EVIDENCE_STATEMENT_SIZE, report_data);
    const struct snp_evidence evidence = {
        .report = {bundle->evidence, bundle->evidence_length},
        .leaf = leaf.length ? leaf : policy->endorsements.leaf,
        .issuers = policy->endorsements.issuers,
        .roots = policy->endorsements.roots,
        .crl = policy->endorsements.crl,
        .report_data = report_data,
        .time = policy->time,
    };
    struct snp_policy wanted = *values;
    wanted.host_data = expected->initdata_digest;
    snp_verify(&evidence, &wanted, ret);
    if (snp_report_parse(evidence.report.data, evidence.report.length, &report,
                         &(struct evidence_verdict){0}) < 0)
        return;
    if (ret->failed == APPRAISAL_REPORT_DATA) {
        memcpy(ret->signed_digest, report.report_data, SNP_REPORT_DATA_SIZE);
        ret->signed_digest_size = SNP_REPORT_DATA_SIZE;
    }
    if (ret->failed == APPRAISAL_OK &&
        reference_values_judge_snp(policy->values, &report, ret) == 0)
        remember(&report, ret);
}
