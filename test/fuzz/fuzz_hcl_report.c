/* SPDX-License-Identifier: Apache-2.0 */
/* One byte says what follows: the report of a paravisor, or the evidence around one. */
#include <stdlib.h>

#include "evidence/azure_evidence.h"
#include "evidence/finding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_report(const uint8_t *data, size_t size)
{
    struct finding finding = {0};
    struct hcl_report report;

    if (hcl_report_parse(data, size, &report, &finding) < 0)
        return;
    if (report.variable + report.variable_size > data + size ||
        report.hardware + report.hardware_size > report.variable || !report.key)
        abort();
    hcl_report_fini(&report);
}

static void check_evidence(const char *text, size_t size, enum hcl_report_type type)
{
    const struct tpm_policy policy = {.nonce = (const uint8_t *) "n", .nonce_size = 1};
    const uint8_t report_data[64] = {0};
    struct azure_evidence evidence;
    struct finding finding = {0};

    if (azure_evidence_parse(text, size, type, &evidence, &finding) < 0)
        return;
    if (azure_evidence_check(&evidence, report_data, &policy, &finding) == 0)
        abort();
    azure_evidence_fini(&evidence);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] & 1)
        check_evidence((const char *) data + 1, size - 1,
                       data[0] & 2 ? HCL_REPORT_TDX : HCL_REPORT_SNP);
    else
        check_report(data + 1, size - 1);
    return 0;
}
