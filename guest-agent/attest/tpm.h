/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One TPM 2.0, by libtss2's system API. Whatever is loaded into it is flushed again. Its answers
 * are the host's where the host runs it: they are judged by whoever gets the quote, and taken apart
 * in this process only, which holds nothing. */
#include <stddef.h>
#include <stdint.h>

struct error;
struct evidence_output;
struct tpm;

enum { TPM_NONCE_SIZE = 32, TPM_INITDATA_PCR = 8 };

/* "device:PATH", a resource manager's; or, for tests, "swtpm:host=...,port=...". */
int tpm_open(const char *transport, struct tpm **ret, struct error *err)
    __attribute__((warn_unused_result));
void tpm_free(struct tpm *tpm);
static inline void tpm_freep(struct tpm **p)
{
    if (*p)
        tpm_free(*p);
}

/* Evidence as tpm_evidence.h parses it: a quote of all PCRs of bank SHA-256 over the nonce. Its key
 * is the same in each boot of this TPM, so that it can be enrolled. */
int tpm_attest(struct tpm *tpm, const uint8_t nonce[TPM_NONCE_SIZE], struct evidence_output *output,
               struct error *err) __attribute__((warn_unused_result));
/* Extends PCR 8, which nobody may have extended before, by the digest of the initdata. */
int tpm_extend_initdata(struct tpm *tpm, const void *initdata, size_t length, struct error *err)
    __attribute__((warn_unused_result));
