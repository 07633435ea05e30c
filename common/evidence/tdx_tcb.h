/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What Intel's signed JSON says of one platform: TCB level, TDX module and quoting enclave. The
 * callers have verified who signed it and when. All return 0, or -1 with the verdict filled. */
#include "evidence/evidence.h"
#include "evidence/sgx_pck.h"
#include "evidence/tdx_quote.h"
#include "evidence/tdx_status.h"

struct js;

/* FMSPC, PCEID, the level of the platform, the identity and level of the module. */
int tdx_tcb_platform(const struct js *tcb_info, const struct sgx_pck *pck,
                     const struct tdx_body *body, enum tdx_status *ret,
                     struct evidence_verdict *verdict) __attribute__((warn_unused_result));
int tdx_tcb_enclave(const struct js *qe_identity, const struct sgx_report *qe, enum tdx_status *ret,
                    struct evidence_verdict *verdict) __attribute__((warn_unused_result));
