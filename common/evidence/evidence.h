/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Evidence types behind one table: bytes in, verdict out, no I/O. There is no fallback from one
 * type to another. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct error;

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

enum { EVIDENCE_STATEMENT_SIZE = 320, EVIDENCE_MEASUREMENT_SIZE = 48 };

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

struct evidence_policy {
    /* Names of insecure types that are taken nevertheless, NULL-terminated; NULL: none. */
    const char *const *allow_insecure;
    /* Measurements that are good; none: only types without meaning in them (sample) pass. */
    const uint8_t (*measurements)[EVIDENCE_MEASUREMENT_SIZE];
    size_t measurement_count;
};

struct evidence_verdict {
    enum appraisal_check failed; /* APPRAISAL_OK: all checks passed */
    const char *field;           /* what was wrong of it: "vmpl"; static, NULL: not said */
    char text[256];              /* names the field */
    uint8_t measurement[EVIDENCE_MEASUREMENT_SIZE];
    /* The digest of a statement that was signed, when it is not the expected one. */
    uint8_t signed_digest[64];
    size_t signed_digest_size;
};

struct evidence_type {
    enum evidence_code code;
    const char *name;
    bool insecure; /* proves nothing: refused unless policy names it */
    /* How the statement goes into the report. */
    void (*digest)(const void *statement, size_t length, uint8_t *ret);
    /* NULL where a report needs a device: then the agent's attester has it. */
    int (*produce)(const struct evidence_request *request, struct evidence_output *output,
                   struct error *err);
    /* Every check of the type in its order; the first that fails is the verdict. */
    void (*appraise)(const struct evidence_bundle *bundle, const struct evidence_request *expected,
                     const struct evidence_policy *policy, struct evidence_verdict *ret);
};

const struct evidence_type *evidence_find(uint8_t code); /* NULL: not in this build */
const struct evidence_type *evidence_find_name(const char *name);
bool evidence_allowed(const struct evidence_type *type, const struct evidence_policy *policy);
const char *appraisal_check_name(enum appraisal_check check); /* "report-data" */
void evidence_output_fini(struct evidence_output *output);
/* Fills the verdict. */
void evidence_fail(struct evidence_verdict *verdict, enum appraisal_check check, const char *fmt,
                   ...) __attribute__((format(printf, 3, 4)));
/* The same with the field by its name; -1, so that a failing path is one statement. */
int evidence_fail_field(struct evidence_verdict *verdict, enum appraisal_check check,
                        const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
