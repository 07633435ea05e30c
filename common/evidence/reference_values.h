/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Reference values: one JSON file that says which evidence is good. docs/reference-values.md has
 * the format. It fails closed: a member that nobody knows, or one that is missing, refuses the
 * whole file; evidence of a type without a section is refused; debug cannot be allowed.
 *
 * The text is worth what its signature is worth: reference_values_verify_signature() is for whoever
 * did not get it from a place of his own. When it expires and whether a newer one has been seen is
 * the caller's to judge: no clock and no store here.
 */
#include "evidence/snp.h"
#include "evidence/tdx.h"
#include "evidence/tpm_evidence.h"

struct error;
struct reference_values;

enum {
    REFERENCE_VALUES_MAX = 256 * 1024, /* bytes of JSON */
    REFERENCE_VALUES_ID_MAX = 64,
    REFERENCE_VALUES_SIGNATURE_MAX = 80, /* of DER */
    REFERENCE_VALUES_KEYS_MAX = 16384,   /* bytes of PEM */
};

/* Which attestation keys of a TPM are taken. */
enum reference_keys { REFERENCE_KEYS_LISTED, REFERENCE_KEYS_ANY };

struct reference_tpm {
    bool host_vtpm; /* named: whoever runs that TPM can have it say anything. Not of Azure's */
    enum reference_keys keys;
    const uint8_t (*enrolled)[TPM_KEY_SPKI_DIGEST_SIZE];
    size_t enrolled_count;
    uint32_t selection; /* what has to be quoted, exactly; those of pcrs are among it */
    struct registers_lists pcrs;
    /* What PCR 9 is made of, or nothing: only to say which of both was wrong. */
    struct registers_list cmdline, initrd;
};

struct reference_azure {
    const struct snp_policy *snp; /* of az-snp-vtpm, */
    const struct tdx_policy *tdx; /* or of az-tdx-vtpm */
    struct reference_tpm tpm;     /* hardware vouches for its key: none is enrolled */
};

/* Strict: every member is known, stands once and is within its bounds. */
int reference_values_parse(const char *text, size_t length, struct reference_values **ret,
                           struct error *err) must_check;
void reference_values_free(struct reference_values *values);
SCOPED_PTR(struct reference_values, reference_values_free)
/* The signature is what `openssl dgst -sha256 -sign` writes: ECDSA in DER. One of the keys, PEM of
 * public keys on P-256, must have made it. */
int reference_values_verify_signature(struct chain_bytes text, struct chain_bytes signature,
                                      struct chain_bytes keys, struct error *err) must_check;

const char *reference_values_id(const struct reference_values *values);
uint64_t reference_values_serial(const struct reference_values *values);
int64_t reference_values_not_after(const struct reference_values *values); /* unix seconds */
/* A measurement, register value, initdata digest or manifest digest that was withdrawn. */
bool reference_values_revoked(const struct reference_values *values, const uint8_t *digest,
                              size_t length);
size_t reference_values_revoked_count(const struct reference_values *values);
/* The lowest epoch that this pod may have; 0: any. */
uint64_t reference_values_epoch_min(const struct reference_values *values,
                                    const char *pod_namespace, const char *pod_name);
/* In the order of the file: "namespace/name" and its epoch; NULL: no more. */
const char *reference_values_epoch_at(const struct reference_values *values, size_t index,
                                      uint64_t *ret);

/* NULL: the file has no section of this type, and evidence of it is refused. What belongs to one
 * appraisal (host_data, mr_config_id, report_data, nonce, time, roots) is the caller's to set, in a
 * copy. */
const struct snp_policy *reference_values_snp(const struct reference_values *values);
const struct tdx_policy *reference_values_tdx(const struct reference_values *values);
const struct reference_tpm *reference_values_tpm(const struct reference_values *values);
const struct reference_azure *reference_values_az_snp(const struct reference_values *values);
const struct reference_azure *reference_values_az_tdx(const struct reference_values *values);

/* That nothing of evidence that was accepted has been withdrawn; fills the verdict. */
int reference_values_judge_snp(const struct reference_values *values,
                               const struct snp_report *report,
                               struct evidence_verdict *verdict) must_check;
int reference_values_judge_tdx(const struct reference_values *values, const struct tdx_body *body,
                               struct evidence_verdict *verdict) must_check;
int reference_values_judge_pcrs(const struct reference_values *values,
                                const struct registers *quoted,
                                struct evidence_verdict *verdict) must_check;
