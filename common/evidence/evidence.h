/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The types of evidence that the channel takes, and what is said about one: bytes in, verdict out,
 * no I/O, no clock. There is no fallback from one type to another. judge.h has the judges. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct error;
struct reference_values;

enum evidence_code {
    EVIDENCE_SNP = 1,
    EVIDENCE_TDX = 2,
    EVIDENCE_TPM = 3,
    EVIDENCE_AZ_SNP = 4,
    EVIDENCE_AZ_TDX = 5,
    EVIDENCE_SAMPLE = 255,
};

/* What can be wrong, in the order in which it is looked at; the code of REJECT. Numbers are part of
 * the protocol. */
enum appraisal_check {
    APPRAISAL_OK = 0,
    APPRAISAL_POLICY = 1,             /* this type is not allowed here */
    APPRAISAL_TYPE = 2,               /* another type than the one asked for */
    APPRAISAL_FORMAT = 3,             /* not what the type's format says */
    APPRAISAL_INITDATA = 4,           /* the guest carries other initdata than we minted */
    APPRAISAL_SIGNATURE = 5,          /* signature or chain */
    APPRAISAL_HARDWARE = 6,           /* chip not on the allow-list */
    APPRAISAL_TCB = 7,                /* firmware below the floor */
    APPRAISAL_ATTRIBUTES = 8,         /* debug on, or attributes not exactly as required */
    APPRAISAL_MEASUREMENT = 9,        /* not in the reference set */
    APPRAISAL_HARDWARE_INITDATA = 10, /* initdata digest in the hardware field */
    APPRAISAL_REPORT_DATA = 11,       /* not signed for this connection */
    APPRAISAL_INSTANCE = 12,          /* another boot than the one we know */
    APPRAISAL_NUMBER = 13,            /* of the appraisal: not increasing */
};

enum {
    EVIDENCE_STATEMENT_SIZE = 320,
    EVIDENCE_MEASUREMENT_SIZE = 48,
    EVIDENCE_CHIP_MAX = 64,
    EVIDENCE_DIGEST_MAX = 64,
};

/* What a report is asked to cover. */
struct evidence_request {
    const uint8_t *statement;       /* EVIDENCE_STATEMENT_SIZE bytes */
    const uint8_t *initdata_digest; /* 48 bytes, as the hardware field holds it */
};

struct evidence_bundle {
    const uint8_t *evidence, *endorsements, *event_log;
    size_t evidence_length, endorsements_length, event_log_length;
};

/* What a guest makes. Whoever lends the writers has bounded each. */
struct evidence_output {
    struct writer evidence, endorsements, event_log;
};

struct chain_bytes { /* borrowed; length 0: there are none */
    const uint8_t *data;
    size_t length;
};

/* What the verifier has of the vendors. None of it is believed: all is verified up to a root key.
 */
struct evidence_endorsements {
    struct chain_bytes roots;   /* PEM: instead of the vendors' keys that are built in */
    struct chain_bytes leaf;    /* SNP: VCEK or VLEK, DER; one that comes with the evidence goes
                                   before it */
    struct chain_bytes issuers; /* SNP: ASK or ASVK; PEM, others may be there */
    struct chain_bytes crl;     /* SNP: of the ARK, DER */
    /* TDX: Intel's collateral, all or none. */
    struct chain_bytes tcb_info, qe_identity, tcb_signing, pck_crl, root_crl;
};

/* What one appraisal is done by. Everything is the caller's. */
struct evidence_policy {
    /* Names of insecure types that are taken nevertheless, NULL-terminated; NULL: none. */
    const char *const *allow_insecure;
    /* What is good; NULL, or without a section of the type: every type but sample is refused. */
    const struct reference_values *values;
    struct evidence_endorsements endorsements;
    int64_t time;       /* unix seconds at which certificates and lists have to be valid */
    uint64_t epoch_min; /* of the sandbox: one that was minted before that is withdrawn */
    /* For sample only, which has no section: measurements that are good; none: zero alone. */
    const uint8_t (*measurements)[EVIDENCE_MEASUREMENT_SIZE];
    size_t measurement_count;
};

struct evidence_verdict {
    enum appraisal_check failed; /* APPRAISAL_OK: all checks passed */
    const char *field;           /* what was wrong of it: "vmpl"; static, NULL: not said */
    char text[256];              /* names the field */
    /* Once they are proven: the launch measurement, for a TPM the digest of the quoted PCRs; and
     * the chip, or the platform's FMSPC, or the digest of the attestation key. */
    uint8_t measurement[EVIDENCE_MEASUREMENT_SIZE], chip[EVIDENCE_CHIP_MAX];
    size_t measurement_size, chip_size;
    /* The digest of a statement that was signed, when it is not the expected one. */
    uint8_t signed_digest[EVIDENCE_DIGEST_MAX];
    size_t signed_digest_size;
};

/* Whose word it is in the end. */
enum evidence_anchor {
    EVIDENCE_ANCHOR_NONE,
    EVIDENCE_ANCHOR_HOST_VTPM, /* a TPM that the host runs: no protection from the host */
    EVIDENCE_ANCHOR_HARDWARE,
};

struct evidence_type {
    enum evidence_code code;
    const char *name;
    bool insecure; /* proves nothing: refused unless policy names it */
    enum evidence_anchor anchor;
    /* How the statement goes into the report; up to EVIDENCE_DIGEST_MAX bytes. */
    void (*digest)(const void *statement, size_t length, uint8_t *ret);
    /* NULL where a report needs a device: then the agent's attester has it. */
    int (*produce)(const struct evidence_request *request, struct evidence_output *output,
                   struct error *err);
};

const struct evidence_type *evidence_find(uint8_t code); /* NULL: not in this build */
const struct evidence_type *evidence_find_name(const char *name);
bool evidence_allowed(const struct evidence_type *type, const struct evidence_policy *policy);
const char *evidence_anchor_name(enum evidence_anchor anchor); /* "none", "host-vtpm", "hardware" */
const char *appraisal_check_name(enum appraisal_check check);  /* "report-data" */
void evidence_output_fini(struct evidence_output *output);
/* Fills the verdict. */
void evidence_fail(struct evidence_verdict *verdict, enum appraisal_check check, const char *fmt,
                   ...) __attribute__((format(printf, 3, 4)));
/* The same with the field by its name; -1, so that a failing path is one statement. */
int evidence_fail_field(struct evidence_verdict *verdict, enum appraisal_check check,
                        const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
