/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A report of SEV-SNP and a quote of TDX with what endorses them, out of a directory: real ones, or
 * those in test/bench/specimen, which are signed under a root of their own. Dies if one is missing
 * or is not accepted: there is nothing to measure then. */
#include "evidence/snp.h"
#include "evidence/snp_certificate.h"
#include "evidence/tdx.h"

struct specimen {
    struct snp_evidence snp;
    struct snp_policy snp_policy;
    struct snp_certificate certificate; /* what its leaf says */
    struct chain_certificate *leaf;
    struct chain_bytes quote;
    struct tdx_collateral collateral;
    struct tdx_policy tdx_policy;
    uint8_t roots[CHAIN_LENGTH_MAX][CHAIN_SPKI_SIZE];
};

void specimen_load(const char *directory, struct specimen *ret);
void specimen_fini(struct specimen *specimen);

/* With the signatures, up to the root, and the collateral. */
void specimen_verify_snp(const struct specimen *specimen);
void specimen_verify_tdx(const struct specimen *specimen);
void specimen_verify_quote(const struct specimen *specimen); /* of TDX, without collateral */
/* Parser and policy alone. */
void specimen_judge_snp(const struct specimen *specimen);
void specimen_judge_tdx(const struct specimen *specimen);
