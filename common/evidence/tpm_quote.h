/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* TPMS_ATTEST of TPM2_Quote: what a TPM says about its PCRs, for one nonce. Who signed it is
 * tpm_key_verify()'s business and comes first. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/registers.h"

struct finding;

enum { TPM_QUOTE_BANKS_MAX = 2, TPM_QUOTE_MAX = 1024 };

struct tpm_quote { /* points into the message */
    const uint8_t *signer, *nonce, *pcr_digest;
    size_t signer_size, nonce_size, pcr_digest_size;
    uint64_t clock;
    uint32_t reset_count, restart_count;
    bool safe;
    uint64_t firmware;
    size_t bank_count;
    struct {
        enum digest_type type;
        uint32_t set;
    } banks[TPM_QUOTE_BANKS_MAX]; /* in the order of the quote, none twice */
};

int tpm_quote_parse(const void *message, size_t size, struct tpm_quote *ret,
                    struct finding *finding) __attribute__((warn_unused_result));

struct tpm_quote_expected {
    const uint8_t *nonce; /* extraData, exactly */
    size_t nonce_size;
    const struct registers *banks; /* .set: exactly the PCRs to be quoted; .values: theirs */
    size_t bank_count;
    const uint32_t *reset_count; /* of the boot that is known; NULL: any */
    const uint64_t *firmware;    /* NULL: any */
};

int tpm_quote_check(const struct tpm_quote *quote, const struct tpm_quote_expected *expected,
                    struct finding *finding) __attribute__((warn_unused_result));
