/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the kernel's EFI stub measures into PCR 9: its command line, then the initrd. */

struct evidence_bundle;
struct evidence_verdict;
struct reference_tpm;
struct registers;

/* Of evidence that was refused: if PCR 9 alone is not good, adds to the verdict's text which of the
 * two is another than the reference values say. That is by the log that came along, whose events
 * are labelled by whoever wrote it: it explains, and decides nothing. */
void tpm_loads_explain(const struct reference_tpm *values, const struct registers *quoted,
                       const struct evidence_bundle *bundle, struct evidence_verdict *ret);
