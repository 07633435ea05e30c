/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Intel's collateral: what says how current a platform is. Whoever hands it over is not trusted,
 * and every word of it is signed, so what he can do is to withhold it or to hand over an older one.
 * Withheld: refused where policy requires it; with some of it, never as if there were none.
 * Older: each document and list has its time, and none is taken outside of it. Within it Intel may
 * publish another with a higher tcbEvaluationDataNumber: a floor on that number refuses the older.
 * The same quote is UpToDate with one date's tcbInfo and OutOfDate with the next one's.
 */
#include "evidence/chain.h"
#include "evidence/sgx_pck.h"
#include "evidence/tdx_quote.h"
#include "evidence/tdx_status.h"

/* As the provisioning service answers; the lists in DER. All or none. */
struct tdx_collateral {
    struct chain_bytes tcb_info;    /* {"tcbInfo":{...},"signature":"..."} */
    struct chain_bytes qe_identity; /* {"enclaveIdentity":{...},"signature":"..."} */
    struct chain_bytes tcb_signing; /* PEM: who signed both, and the root */
    struct chain_bytes pck_crl, root_crl;
};

/* What it is to speak of; the chain has been verified. */
struct tdx_platform {
    const struct chain_certificate *pck, *ca, *root;
    const struct sgx_pck *info; /* of the PCK certificate */
    const struct tdx_body *body;
    const struct sgx_report *qe;
};

struct tdx_collateral_policy {
    const uint8_t (*roots)[CHAIN_SPKI_SIZE];
    size_t root_count;
    int64_t time;
    uint32_t evaluation_floor; /* lowest tcbEvaluationDataNumber that is taken */
};

bool tdx_collateral_given(const struct tdx_collateral *collateral); /* any of it */
/* The status is that of platform, module and QE together; whether it is good enough is policy. */
int tdx_collateral_check(const struct tdx_collateral *collateral,
                         const struct tdx_platform *platform,
                         const struct tdx_collateral_policy *policy, enum tdx_status *ret,
                         struct evidence_verdict *verdict) must_check;
