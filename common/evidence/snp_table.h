/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The certificate table that a host hands to an SNP guest with a report (GHCB specification, SNP
 * Extended Guest Request): entries of GUID, offset and length, up to one with GUID zero. The host
 * wrote it, so what is in it is verified like any other endorsement. */
#include "evidence/evidence.h"

enum { SNP_TABLE_ENTRIES_MAX = 16 };

/* The VCEK or VLEK, DER, within the table. An empty table, or one without either: *ret is empty.
 * -1: it is malformed. */
int snp_table_leaf(struct chain_bytes table, struct chain_bytes *ret,
                   struct evidence_verdict *verdict) __attribute__((warn_unused_result));
