/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The SGX extension of a PCK certificate: which platform it is and what firmware its key is bound
 * to. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

#define SGX_PCK_OID "1.2.840.113741.1.13.1"

enum { SGX_PCK_COMPONENTS = 16, SGX_FMSPC_SIZE = 6, SGX_PCE_ID_SIZE = 2, SGX_CHIP_SIZE = 16 };

struct sgx_pck {
    uint8_t components[SGX_PCK_COMPONENTS]; /* SVNs */
    uint16_t pce_svn;
    uint8_t pce_id[SGX_PCE_ID_SIZE];
    uint8_t fmspc[SGX_FMSPC_SIZE];
    /* Which platform it is; a certificate of one processor has no instance. */
    bool has_ppid, has_instance;
    uint8_t ppid[SGX_CHIP_SIZE], instance[SGX_CHIP_SIZE];
};

/* The value of the extension, in DER. */
int sgx_pck_parse(const uint8_t *der, size_t length, struct sgx_pck *ret, struct error *err)
    __attribute__((warn_unused_result));
