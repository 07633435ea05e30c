/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Evidence of a TPM as Trustee's `tpm` attester writes it: JSON with a quote, its signature, the
 * values of all 24 PCRs of bank SHA-256 and the attestation key.
 *
 * The key comes with the evidence, so by itself it proves nothing: it must be enrolled. And whoever
 * runs a software TPM can have it say anything: see docs/attestation.md. */
#include "evidence/registers.h"
#include "evidence/tpm_key.h"

struct tpm_evidence {
    uint8_t *message, *signature;
    size_t message_size, signature_size;
    struct registers pcrs; /* as claimed: signed are those that the quote selects */
    struct tpm_key *key;   /* as claimed */
};

enum { TPM_EVIDENCE_MAX = 65536 };

int tpm_evidence_parse(const char *text, size_t length, struct tpm_evidence *ret,
                       struct finding *finding) __attribute__((warn_unused_result));
void tpm_evidence_fini(struct tpm_evidence *evidence);

struct error;
struct js;
/* 24 strings of bank SHA-256. */
int tpm_evidence_read_pcrs(const struct js *array, struct registers *pcrs, struct error *err)
    __attribute__((warn_unused_result));

/* What a caller can leave unjudged, by name only. */
enum { TPM_SKIP_ENROLMENT = 1 << 0 };

struct tpm_policy {
    const uint8_t *nonce; /* at least one byte */
    size_t nonce_size;
    uint32_t selection; /* the PCRs that the quote must have, exactly */
    const uint8_t (*enrolled)[TPM_KEY_SPKI_DIGEST_SIZE];
    size_t enrolled_count;
    const struct registers *reference;   /* each of them must be quoted; NULL: no value is judged */
    const struct registers_lists *lists; /* likewise, one of several; NULL: no value is judged */
    const uint32_t *reset_count;         /* NULL: any boot */
    unsigned skip;                       /* TPM_SKIP_... */
};

/* Signature, then key, then nonce, boot, PCRs. */
int tpm_evidence_check(const struct tpm_evidence *evidence, const struct tpm_policy *policy,
                       struct finding *finding) __attribute__((warn_unused_result));
/* The same for a key that hardware vouches for: it need not be enrolled, and its signature is bare.
 */
int tpm_evidence_check_bare(const struct tpm_evidence *evidence, const struct tpm_policy *policy,
                            struct finding *finding) __attribute__((warn_unused_result));
