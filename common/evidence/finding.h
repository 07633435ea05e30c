/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What is wrong with an event log, a TPM quote or the report of a paravisor: a code for each thing
 * that can be, and a sentence that names the field (and, in a log, the number of the event). */
#include "evidence/evidence.h"

enum finding_code {
    FINDING_NONE = 0,
    FINDING_LOG_SIZE,         /* no bytes, or more than a log may have */
    FINDING_LOG_LEGACY,       /* SHA-1 only: no crypto-agile log */
    FINDING_LOG_SPEC_ID,      /* a field of the first event */
    FINDING_LOG_ALGORITHMS,   /* the list in the first event */
    FINDING_LOG_BANK,         /* the digest that is asked for is not in the log */
    FINDING_LOG_TRUNCATED,    /* an event goes past the end */
    FINDING_LOG_REGISTER,     /* an index that no event may have */
    FINDING_LOG_DIGESTS,      /* not one digest of each listed algorithm */
    FINDING_LOG_EVENT_SIZE,   /* the data of an event goes past the end */
    FINDING_LOG_SECOND_START, /* another first event further on */
    FINDING_LOG_LOCALITY,     /* StartupLocality: malformed, twice or too late */
    FINDING_LOG_TAIL,         /* something stands behind the end */
    FINDING_LOG_DATA,         /* data of which the digest is not the hash */
    FINDING_REFERENCE,        /* the reference values themselves */
    FINDING_REGISTER_VALUE,   /* another value than the reference */
    FINDING_REGISTER_TOUCHED, /* no reference value, yet the log extends it */
    FINDING_QUOTE_SIZE,       /* too short, or something behind it */
    FINDING_QUOTE_MAGIC,
    FINDING_QUOTE_TYPE,
    FINDING_QUOTE_SIGNER,
    FINDING_QUOTE_NONCE,
    FINDING_QUOTE_CLOCK,
    FINDING_QUOTE_RESET,    /* another boot of the TPM */
    FINDING_QUOTE_FIRMWARE, /* another firmware of the TPM */
    FINDING_QUOTE_BANK,     /* a bank twice, or one that is not asked for or unknown */
    FINDING_QUOTE_PCRS,     /* not exactly the PCRs that are asked for */
    FINDING_QUOTE_DIGEST,   /* the values are not those that are signed */
    FINDING_SIGNATURE_FORMAT,
    FINDING_SIGNATURE_SCHEME,
    FINDING_SIGNATURE,
    FINDING_KEY_FORMAT,
    FINDING_KEY_TYPE,
    FINDING_KEY_ATTRIBUTES,
    FINDING_KEY_UNKNOWN,  /* not enrolled */
    FINDING_EVIDENCE,     /* the JSON around it */
    FINDING_HCL_SIZE,     /* too short, or its lengths disagree */
    FINDING_HCL_HEADER,   /* magic, version or type */
    FINDING_HCL_HASH,     /* the variable data is not what the hardware report is about */
    FINDING_HCL_VARIABLE, /* what stands in the variable data */
    FINDING_TD_REPORT,    /* no TDREPORT, or another than the quote was made of */
    FINDING_CODES,
};

struct finding {
    enum finding_code code;
    char text[256];
};

/* Fills it and returns -1, so that a failing path is one statement. */
int finding_set(struct finding *finding, enum finding_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), nonnull(1)));
const char *finding_name(enum finding_code code); /* "log-spec-id" */
/* The check of the protocol that has failed with it. */
enum appraisal_check finding_check(enum finding_code code);
