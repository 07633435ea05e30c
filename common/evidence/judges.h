/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One judge for each type that means something; see judge.h. */
#include "base/scoped.h"
#include "evidence/evidence.h"

void judge_snp(const struct evidence_bundle *bundle, const struct evidence_request *expected,
               const struct evidence_policy *policy, struct evidence_verdict *ret);
void judge_tdx(const struct evidence_bundle *bundle, const struct evidence_request *expected,
               const struct evidence_policy *policy, struct evidence_verdict *ret);
void judge_tpm(const struct evidence_bundle *bundle, const struct evidence_request *expected,
               const struct evidence_policy *policy, struct evidence_verdict *ret);
/* -1 and the verdict where the policy has no section of this type. */
int judge_needs_values(const void *section, const char *name,
                       struct evidence_verdict *ret) must_check;
