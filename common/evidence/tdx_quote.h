/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* An Intel TDX quote, version 4 or 5, taken apart. Only lengths, versions and types are judged
 * here; nothing of what is found is trusted before tdx.c has followed the signatures. Everything
 * points into the quote, which the caller keeps. The integers in it are little-endian. */
#include <stddef.h>
#include <stdint.h>

struct error;

enum {
    TDX_QUOTE_MAX = 64 * 1024,
    TDX_REPORT_DATA_SIZE = 64,
    TDX_MEASUREMENT_SIZE = 48,
    TDX_RTMRS = 4,
    TDX_SVN_SIZE = 16,
    TDX_SIGNATURE_SIZE = 64, /* r, s big-endian */
    TDX_KEY_SIZE = 64,       /* x, y of P-256 */
    SGX_REPORT_SIZE = 384,
};

enum tdx_body_type { TDX_BODY_1_0 = 2, TDX_BODY_1_5 = 3 };

/* The report on the trust domain. */
struct tdx_body {
    enum tdx_body_type type; /* a quote of version 4 has 1.0 */
    const uint8_t *tee_tcb_svn;
    const uint8_t *mr_seam, *mr_signer_seam;
    const uint8_t *seam_attributes; /* 8 bytes */
    uint64_t td_attributes, xfam;
    const uint8_t *mr_td, *mr_config_id, *mr_owner, *mr_owner_config;
    const uint8_t *rtmr[4];
    const uint8_t *report_data;
    const uint8_t *tee_tcb_svn2, *mr_service_td; /* 1.5 only, else NULL */
};

/* The report on the quoting enclave, signed by the key in the PCK certificate. */
struct sgx_report {
    const uint8_t *bytes; /* all SGX_REPORT_SIZE, as signed */
    const uint8_t *cpu_svn;
    const uint8_t *misc_select; /* 4 */
    const uint8_t *attributes;  /* 16 */
    const uint8_t *mr_enclave, *mr_signer;
    uint16_t isv_prod_id, isv_svn;
    const uint8_t *report_data;
};

struct tdx_quote {
    uint16_t version;
    const uint8_t *signed_bytes; /* header and body */
    size_t signed_length;
    struct tdx_body body;
    const uint8_t *signature, *attestation_key;
    struct sgx_report qe;
    const uint8_t *qe_signature;
    const uint8_t *qe_auth;
    size_t qe_auth_length;
    const char *pem; /* PCK certificate, its CA, the root; ends without a NUL */
    size_t pem_length;
    size_t trailing; /* bytes behind the quote; nothing signs them, nothing reads them */
};

int tdx_quote_parse(const void *data, size_t size, struct tdx_quote *ret, struct error *err)
    __attribute__((warn_unused_result));
