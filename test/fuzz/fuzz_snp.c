/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "evidence/snp.h"
#include "evidence/snp_certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct chain_bytes part(struct reader *reader)
{
    size_t length = reader_u16(reader);
    const uint8_t *bytes = reader_bytes(reader, length);

    return (struct chain_bytes){bytes, bytes ? length : 0};
}

/* Extensions of a leaf, which a fuzzer would hardly reach through two signatures. */
static void read_leaf(struct chain_bytes der)
{
    scoped(chain_freep) struct chain_certificate *leaf = NULL;
    struct evidence_verdict verdict = {0};
    struct snp_certificate certificate;

    if (chain_parse_der("leaf", der, &leaf, &verdict) == 0 &&
        snp_certificate_read(leaf, &certificate, &verdict) == 0 &&
        (certificate.hwid.length != 0) == (certificate.csp_id[0] != '\0'))
        abort();
}

/* u16 and leaf, u16 and issuers, u16 and roots, u16 and list, report. Whatever it is, there is a
 * reason or a measurement. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t zero[SNP_REPORT_DATA_SIZE];
    struct snp_policy policy = snp_policy_strict;
    struct evidence_verdict verdict;
    struct reader reader;

    reader_init(&reader, data, size);
    struct snp_evidence evidence = {.leaf = part(&reader),
                                    .issuers = part(&reader),
                                    .roots = part(&reader),
                                    .crl = part(&reader)};
    evidence.report.length = reader_left(&reader);
    evidence.report.data = reader_bytes(&reader, evidence.report.length);
    evidence.report_data = evidence.report.length == SNP_REPORT_SIZE ? evidence.report.data + 0x50
                                                                     : zero;
    evidence.time = 1748736000;
    policy.version_min = SNP_VERSION_MIN;
    policy.keys = BIT(SNP_VCEK) | BIT(SNP_VLEK);
    policy.skip = SNP_SKIP_MEASUREMENT | SNP_SKIP_HOST_DATA;
    snp_verify(&evidence, &policy, &verdict);
    if (verdict.failed == APPRAISAL_OK
            ? verdict.text[0] || memcmp(verdict.measurement, evidence.report.data + 0x90, 48) != 0
            : !verdict.text[0] || !verdict.field || memcmp(verdict.measurement, zero, 48) != 0)
        abort();
    read_leaf(evidence.leaf);
    return 0;
}
