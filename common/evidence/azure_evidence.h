/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Evidence of a confidential VM of Azure, as the attesters of Trustee write it (`az-snp-vtpm` and
 * `az-tdx-vtpm`, version 1 and 2): the report of the paravisor, what makes it verifiable, and a
 * quote of its vTPM.
 *
 * Each link must be checked: hcl.hardware (SEV-SNP) or td_quote (TDX) up to the vendor's root, for
 * the report_data of azure_evidence_report_data(), then azure_evidence_check(). */
#include "evidence/hcl_report.h"
#include "evidence/tpm_evidence.h"

struct azure_evidence {
    unsigned version;
    uint8_t *leaf; /* SEV-SNP: DER of the VCEK */
    size_t leaf_size;
    uint8_t *td_quote; /* TDX: made of the TDREPORT that is in hcl */
    size_t td_quote_size;
    struct hcl_report hcl; /* points into hcl_bytes; hcl.hardware of SEV-SNP is to be verified */
    uint8_t *hcl_bytes;
    struct tpm_evidence quote; /* its key is the one that the paravisor's report names */
};

/* The type is the one that was asked for, never what the evidence says of itself. Of TDX, the
 * TDREPORT in the paravisor's report agrees with the quote. */
int azure_evidence_parse(const char *text, size_t length, enum hcl_report_type type,
                         struct azure_evidence *ret, struct finding *finding)
    __attribute__((warn_unused_result));
void azure_evidence_fini(struct azure_evidence *evidence);

/* What the report of SEV-SNP or the quote of TDX must carry. */
void azure_evidence_report_data(const struct azure_evidence *evidence, uint8_t ret[64]);

/* The quote is signed by the paravisor's key, which the verified report_data vouches for, for the
 * policy's nonce; in version 2 user-data is that nonce as well, with zeros behind it. Enrolled keys
 * are not looked at: hardware vouches for this one. */
int azure_evidence_check(const struct azure_evidence *evidence, const uint8_t report_data[64],
                         const struct tpm_policy *policy, struct finding *finding)
    __attribute__((warn_unused_result));
