/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a policy says of a quote whose signatures hold. Each fills the verdict and returns -1. */
#include "evidence/tdx.h"

int tdx_policy_hardware(const struct sgx_pck *pck, const struct tdx_policy *policy,
                        struct evidence_verdict *verdict) must_check;

int tdx_policy_check(const struct tdx_body *body, const struct tdx_policy *policy,
                     struct evidence_verdict *verdict) must_check;
