/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Intel TDX: a quote, verified up to Intel's root.
 *
 *     root -> CA -> PCK certificate -> report on the quoting enclave (QE)
 *                                        report_data = SHA-256(attestation key || auth data)
 *                                      attestation key -> header and body of the quote
 *
 * Without collateral this proves what runs, not how current the firmware below is, nor that nothing
 * is revoked. Policy says whether that is enough.
 */
#include "evidence/tdx_collateral.h"

enum tdx_collateral_need { TDX_COLLATERAL_IF_GIVEN, TDX_COLLATERAL_REQUIRED };

enum {
    TDX_ATTRIBUTES_TUD = 0xff, /* bit 0 is DEBUG, the rest is kept for the like */
};
#define TDX_ATTRIBUTE_SEPT_VE_DISABLE (UINT64_C(1) << 28)
#define TDX_ATTRIBUTE_PKS             (UINT64_C(1) << 30)
#define TDX_ATTRIBUTE_KEY_LOCKER      (UINT64_C(1) << 31)

/* What a caller can leave unjudged, by name only. */
enum {
    TDX_SKIP_MR_TD = BIT(0),
    TDX_SKIP_MR_CONFIG_ID = BIT(1),
    TDX_SKIP_MR_SERVICE_TD = BIT(2),
};

struct tdx_bits {
    uint64_t mask, value; /* found & mask == value */
};

struct tdx_values {
    const uint8_t (*values)[TDX_MEASUREMENT_SIZE];
    size_t count;
};

struct tdx_policy {
    int64_t time; /* unix seconds */
    /* SHA-256 of SPKIs, instead of Intel's; none: Intel's. */
    const uint8_t (*roots)[CHAIN_SPKI_SIZE];
    size_t root_count;
    enum tdx_collateral_need collateral;
    uint32_t evaluation_floor; /* see tdx_collateral.h */
    /* BIT(status) of what is taken besides UpToDate; Revoked never is. */
    unsigned also_accepted;
    /* The lowest TEE_TCB_SVN, component by component; NULL: any. It needs no collateral. */
    const uint8_t *svn_floor;
    /* NULL is strict: SEPT_VE_DISABLE is set, PKS and Key Locker may be, nothing else is. A TD
     * under debug is refused whatever this says. */
    const struct tdx_bits *attributes;
    const struct tdx_bits *xfam; /* NULL: any */
    /* Families of platforms, and platforms: the PPID, or the instance where Intel certified one of
     * several processors. None: any. */
    const uint8_t (*fmspc)[SGX_FMSPC_SIZE];
    size_t fmspc_count;
    const uint8_t (*chips)[SGX_CHIP_SIZE];
    size_t chip_count;
    struct tdx_values mr_td;           /* one of these; none: all refused */
    struct tdx_values mr_seam;         /* one of these; none: any */
    struct tdx_values rtmr[TDX_RTMRS]; /* each one of these; none: any */
    /* Exactly this; NULL: any. */
    const uint8_t *mr_owner, *mr_owner_config;
    const uint8_t *mr_config_id;  /* NULL: zero */
    const uint8_t *mr_service_td; /* NULL: zero, where there is the field: no service TD is bound */
    const uint8_t *report_data;   /* NULL: all refused */
    unsigned skip;                /* TDX_SKIP_... */
};

/* What is good of a quote that passed; the quote points into the evidence. */
struct tdx_result {
    struct tdx_quote quote;
    struct sgx_pck pck;
    enum tdx_status status;
};

extern const uint8_t tdx_intel_root[CHAIN_SPKI_SIZE];

/* The result is filled as far as verification came; it means nothing where this fails. */
int tdx_verify(struct chain_bytes evidence, const struct tdx_collateral *collateral,
               const struct tdx_policy *policy, struct tdx_result *ret,
               struct evidence_verdict *verdict) must_check;
