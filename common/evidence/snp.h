/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The judge of SEV-SNP attestation reports: bytes in, verdict out. It knows no clock, fetches
 * nothing, and the endorsements may come from the host: all of them are verified up to a root key
 * that is known beforehand. */
#include "evidence/chain.h"
#include "evidence/snp_report.h"

/* What a caller can leave unjudged, by name only. */
enum {
    SNP_SKIP_MEASUREMENT = BIT(0),
    SNP_SKIP_HOST_DATA = BIT(1),
};

enum snp_crl_need { SNP_CRL_IF_GIVEN, SNP_CRL_REQUIRED };

/* What is accepted. The pointers are the caller's. */
struct snp_policy {
    uint32_t version_min; /* of the report; 2 takes such as do not say which product made them */
    enum snp_crl_need crl;
    unsigned keys;     /* BIT(SNP_VCEK): the chip's own; BIT(SNP_VLEK): one that a cloud holds */
    unsigned products; /* BIT(enum snp_product) */
    const uint8_t (*chips)[SNP_CHIP_ID_SIZE]; /* none: any chip of these products */
    size_t chip_count;
    const char *const *csp_ids;           /* of a VLEK, NULL-terminated; NULL: any */
    struct snp_tcb tcb_min[SNP_PRODUCTS]; /* for each of the four TCBs of a report */
    uint8_t abi_major_min, abi_minor_min; /* that the guest's policy asks for */
    uint64_t policy_zero, policy_one;     /* bits of the guest's policy that have to be 0, or 1 */
    uint64_t platform_one;                /* bits of platform_info that have to be 1 */
    uint32_t vmpl;                        /* exactly */
    uint32_t guest_svn_min;
    const uint8_t (*author_keys)[SNP_KEY_DIGEST_SIZE]; /* none: no author key may have been used */
    size_t author_key_count;
    const uint8_t (*measurements)[SNP_MEASUREMENT_SIZE]; /* reference values; none: all refused */
    size_t measurement_count;
    const uint8_t *host_data; /* SNP_HOST_DATA_SIZE bytes; NULL: zero */
    unsigned skip;            /* SNP_SKIP_... */
};

/* Version 3 or newer, VCEK only, every product known here, no DEBUG, no MIGRATE_MA, VMPL 0, no
 * author key, and a measurement that the caller has to name. There is no TCB floor in it: which
 * firmware is good depends on the time. */
extern const struct snp_policy snp_policy_strict;

struct snp_evidence {
    struct chain_bytes report;
    struct chain_bytes leaf;    /* VCEK or VLEK, DER */
    struct chain_bytes issuers; /* ASK or ASVK; PEM, others may be there */
    struct chain_bytes roots;   /* PEM: ARKs instead of AMD's; empty: AMD's */
    struct chain_bytes crl;     /* of the ARK, DER; empty: none is looked at */
    const uint8_t *report_data; /* SNP_REPORT_DATA_SIZE bytes that have to be in the report */
    int64_t time;               /* unix seconds at which certificates have to be valid */
};

/* Every check in the order of enum appraisal_check, but the policy of what kind of report is taken
 * when it is authentic; the first that fails is the verdict, with the field. Accepted: `failed` is
 * APPRAISAL_OK and the measurement is set. */
void snp_verify(const struct snp_evidence *evidence, const struct snp_policy *policy,
                struct evidence_verdict *ret);
