/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the types that have a quote of a TPM share. */
#include "evidence/tpm_evidence.h"
#include "verify.h"

struct verify_quote {
    struct tpm_policy policy; /* points to what follows, and into the input */
    struct registers reference;
    uint32_t reset_count;
};

/* Report data as nonce, what --policy says, if there is one, and what pcr_selection.txt and
 * pcrs.json in DIR say: else all PCRs, and any values. */
int verify_quote_init(struct verify_quote *quote, const struct verify_input *input,
                      struct error *err) must_check;
/* Whether a value of those that are quoted was revoked; of evidence that was accepted. */
void verify_quote_judge(const struct verify_quote *quote, const struct verify_input *input,
                        const struct tpm_evidence *evidence, struct evidence_verdict *ret);
/* 1: it was a key of quotes, 0: it is of another kind, -1. */
int verify_quote_set(struct verify_quote *quote, const char *policy, struct error *err) must_check;
/* With the values of those that are selected. */
void verify_quote_claim(const struct verify_quote *quote, const struct tpm_evidence *evidence,
                        struct js *claims);
