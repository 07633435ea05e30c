/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What AMD says in a VCEK or VLEK about the chip and its firmware. */
#include <stdbool.h>

#include "evidence/chain.h"
#include "evidence/snp_report.h"

enum { SNP_CSP_ID_MAX = 128 };

struct snp_certificate {
    enum snp_key key;
    enum snp_product product;
    struct snp_tcb tcb;
    struct chain_bytes hwid;     /* VCEK: 64 bytes, 8 on Turin; of the certificate's memory */
    char csp_id[SNP_CSP_ID_MAX]; /* VLEK: whose key it is */
};

/* By the common name: "SEV-VCEK" or "SEV-VLEK". Judges the extensions, not the signature. */
int snp_certificate_read(const struct chain_certificate *leaf, struct snp_certificate *ret,
                         struct evidence_verdict *verdict) must_check;
