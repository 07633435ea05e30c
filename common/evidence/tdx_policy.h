/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A body whose signatures hold, against what policy wants of it. */
#include "evidence/tdx.h"

int tdx_policy_check(const struct tdx_body *body, const struct tdx_policy *policy,
                     struct evidence_verdict *verdict) must_check;
