/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a policy says of a report whose signature holds. Each fills the verdict and returns -1. */
#include "evidence/snp.h"
#include "evidence/snp_certificate.h"

/* Is this kind of report taken? */
int snp_policy_admit(const struct snp_policy *policy, const struct snp_report *report,
                     struct evidence_verdict *verdict) must_check;
int snp_policy_hardware(const struct snp_policy *policy, const struct snp_report *report,
                        const struct snp_certificate *certificate,
                        struct evidence_verdict *verdict) must_check;
int snp_policy_tcb(const struct snp_policy *policy, const struct snp_report *report,
                   enum snp_product product, struct evidence_verdict *verdict) must_check;
int snp_policy_attributes(const struct snp_policy *policy, const struct snp_report *report,
                          struct evidence_verdict *verdict) must_check;
int snp_policy_content(const struct snp_policy *policy, const struct snp_report *report,
                       struct evidence_verdict *verdict) must_check;
