/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Of chain.c and chain_verify.c alone. */
#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>
#include <string.h>

#include "evidence/chain.h"

struct chain_certificate {
    const char *name;
    mbedtls_x509_crt crt;
};

struct chain_crl {
    const char *name;
    mbedtls_x509_crl crl;
};

static inline bool chain_same(const mbedtls_x509_buf *a, const mbedtls_x509_buf *b)
{
    return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}
