/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The attestation key of a TPM: RSA of 2048 to 4096 bits (RSASSA) or ECDSA on P-256, both over
 * SHA-256. RSAPSS is refused by name.
 *
 * A TPM signs whatever it is asked to with a key that is not restricted, a forged TPMS_ATTEST too.
 * A SubjectPublicKeyInfo says nothing about that, so there whoever enrolled the key has looked; of
 * a TPM2B_PUBLIC the attributes are checked here. */
#include <stddef.h>
#include <stdint.h>

struct finding;
struct tpm_key;

enum { TPM_KEY_MAX = 4096, TPM_KEY_SPKI_DIGEST_SIZE = 32, TPM_KEY_NAME_SIZE = 34 };

/* PEM (one key, nothing else) or DER of a SubjectPublicKeyInfo. */
int tpm_key_parse_spki(const void *data, size_t size, struct tpm_key **ret, struct finding *finding)
    __attribute__((warn_unused_result));
/* TPM2B_PUBLIC: restricted, sign, fixedTPM, fixedParent, sensitiveDataOrigin, and not decrypt. */
int tpm_key_parse_public(const void *data, size_t size, struct tpm_key **ret,
                         struct finding *finding) __attribute__((warn_unused_result));
struct rsa_numbers { /* big-endian, borrowed */
    const uint8_t *modulus, *exponent;
    size_t modulus_size, exponent_size;
};
int tpm_key_from_rsa(const struct rsa_numbers *numbers, struct tpm_key **ret,
                     struct finding *finding) __attribute__((warn_unused_result));
void tpm_key_free(struct tpm_key *key);
static inline void tpm_key_freep(struct tpm_key **p)
{
    if (*p)
        tpm_key_free(*p);
}

/* SHA-256 of the DER: what an enrolment names. */
const uint8_t *tpm_key_spki_digest(const struct tpm_key *key);
/* 000b and the SHA-256 of the TPMT_PUBLIC; NULL: the key did not come as one. */
const uint8_t *tpm_key_name(const struct tpm_key *key);

struct tpm_signed {
    const uint8_t *message, *signature;
    size_t message_size, signature_size;
};
/* The signature is a TPMT_SIGNATURE. */
int tpm_key_verify(struct tpm_key *key, const struct tpm_signed *object, struct finding *finding)
    __attribute__((warn_unused_result));
/* The signature is the bare number of RSASSA, without what says so. */
int tpm_key_verify_bare(struct tpm_key *key, const struct tpm_signed *object,
                        struct finding *finding) __attribute__((warn_unused_result));
