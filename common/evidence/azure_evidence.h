/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Evidence of a confidential VM of Azure, as the attesters of Trustee write it (`az-snp-vtpm`,
 * version 1 and 2): the report of the paravisor, the leaf certificate for it, and a quote of its
 * vTPM.
 *
 * Each link must be checked: hardware.report with the vendor's chain (for the report_data of
 * azure_evidence_report_data), then azure_evidence_check(). */
#include "evidence/hcl_report.h"
#include "evidence/tpm_evidence.h"

struct azure_evidence {
    unsigned version;
    uint8_t *leaf; /* DER of the VCEK */
    size_t leaf_size;
    struct hcl_report hcl; /* points into hcl_bytes */
    uint8_t *hcl_bytes;
    struct tpm_evidence quote; /* its key is the one that the paravisor's report names */
};

int azure_evidence_parse(const char *text, size_t length, struct azure_evidence *ret,
                         struct finding *finding) __attribute__((warn_unused_result));
void azure_evidence_fini(struct azure_evidence *evidence);

/* What the hardware report must carry. */
void azure_evidence_report_data(const struct azure_evidence *evidence, uint8_t ret[64]);

/* The quote is signed by the paravisor's key, which the verified report_data vouches for, for the
 * policy's nonce; in version 2 user-data is that nonce as well, with zeros behind it. Enrolled keys
 * are not looked at: hardware vouches for this one. */
int azure_evidence_check(const struct azure_evidence *evidence, const uint8_t report_data[64],
                         const struct tpm_policy *policy, struct finding *finding)
    __attribute__((warn_unused_result));
