/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Shared by tpm*.c. */
#include "base/digest.h"
#include "tpm.h"

enum { TPM_PCRS = 24 };

struct tpm_pcrs {
    uint8_t values[TPM_PCRS][SHA256_SIZE];
};

/* Of bank SHA-256, one after the other: another may extend one meanwhile. */
int tpm_read_pcrs(struct tpm *tpm, uint32_t selection, struct tpm_pcrs *ret, struct error *err)
    __attribute__((warn_unused_result));

int tpm_extend(struct tpm *tpm, unsigned pcr, const uint8_t digest[SHA256_SIZE], struct error *err)
    __attribute__((warn_unused_result));

struct tpm_ak { /* the attestation key, loaded */
    uint32_t handle;
    uint8_t x[32], y[32]; /* on P-256 */
};
int tpm_load_ak(struct tpm *tpm, struct tpm_ak *ret, struct error *err)
    __attribute__((warn_unused_result));
void tpm_flush_ak(struct tpm *tpm, const struct tpm_ak *ak);

struct tpm_signed_quote {
    uint8_t message[1024], signature[512]; /* TPMS_ATTEST, TPMT_SIGNATURE */
    size_t message_size, signature_size;
};
int tpm_quote_all(struct tpm *tpm, const struct tpm_ak *ak, const uint8_t nonce[TPM_NONCE_SIZE],
                  struct tpm_signed_quote *ret, struct error *err)
    __attribute__((warn_unused_result));
