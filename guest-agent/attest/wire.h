/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What cleave-attest says to the agent on its stdout when it succeeds. "report" answers three parts
 * (evidence, endorsements, event log), each with its u32 length before it, big-endian; "bind" the
 * name of the evidence that carries the initdata now, and nothing behind it. */

#define ATTEST_REPORT  "report"
#define ATTEST_BIND    "bind"
#define ATTEST_ANY_TSM "tsm" /* bind: the provider says which */
#define ATTEST_NONE    "-"   /* there is no such log or device */
#define ATTEST_SNP     "snp"
#define ATTEST_TDX     "tdx"
#define ATTEST_TPM     "tpm"

enum {
    ATTEST_EVIDENCE_MAX = 64 * 1024, /* the limits of an EVIDENCE frame */
    ATTEST_ENDORSEMENTS_MAX = 128 * 1024,
    ATTEST_LOG_MAX = 640 * 1024,
    ATTEST_OUTPUT_MAX = 3 * 4 + ATTEST_EVIDENCE_MAX + ATTEST_ENDORSEMENTS_MAX + ATTEST_LOG_MAX,
};
