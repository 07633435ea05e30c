/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* An Intel of our own: keys, certificates, lists, collateral, and a quoting enclave that signs what
 * it is told to. fixture_init() is all good; a test changes one thing and builds. */
#include "evidence/tdx.h"

enum fixture_key {
    KEY_ROOT,
    KEY_CA,
    KEY_PCK,
    KEY_SIGNER,
    KEY_ATTESTATION,
    KEY_STRANGER,
    KEYS,
};

enum { FIXTURE_TIME = 1750000000 /* 2025-06-15 */ };

struct fixture_certificate {
    const char *subject, *issuer, *from, *to;
    enum fixture_key key, signer;
    int serial;
    int ca; /* -1: not one, else pathlen */
};

struct fixture_list {
    const char *issuer, *to;
    enum fixture_key signer;
    int revoked; /* a serial number */
};

/* A document is its text; the first `from` becomes `to`, before it is signed or behind. */
struct fixture_document {
    const char *text;
    const char *from, *to;
    const char *tamper_from, *tamper_to;
    enum fixture_key signer;
    char *built; /* owned */
};

struct fixture {
    uint8_t header[48], body[648], qe[384];
    int body_type;
    enum fixture_key quote_signer, qe_signer, bound_key;
    uint8_t components[16];
    uint16_t pce_svn;
    uint8_t pce_id[2], fmspc[6], ppid[16], instance[16];
    int has_instance;
    unsigned sgx_left_out; /* BIT(n): item .n of the SGX extension; 0: none */
    int sgx_absent;        /* no extension at all */
    struct fixture_certificate pck, ca, root, signer;
    struct fixture_list pck_list, root_list;
    struct fixture_document tcb_info, qe_identity;
    size_t trailing;
    struct tdx_policy policy;
    uint8_t roots[1][CHAIN_SPKI_SIZE];
    /* built; lists live until the next one is */
    uint8_t evidence[16384];
    char pem[8192], signing_pem[4096];
    struct chain_bytes quote;
    struct tdx_collateral collateral;
};

void fixture_init(struct fixture *fixture);
void fixture_fini(struct fixture *fixture);
void fixture_build(struct fixture *fixture);
/* Offsets in what was built, for those who break it by hand. */
size_t fixture_signature_at(const struct fixture *fixture); /* its u32 length stands before it */
int fixture_verify(const struct fixture *fixture, struct evidence_verdict *verdict);
