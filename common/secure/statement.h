/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What evidence signs: 320 bytes that say for whom, on which connection, about what. */
#include <stddef.h>
#include <stdint.h>

enum { STATEMENT_SIZE = 320 };

enum statement_role { STATEMENT_GUEST_TO_TENANT = 1, STATEMENT_GUEST_TO_BROKER = 2 };

struct statement {
    enum statement_role role;
    uint8_t evidence; /* enum evidence_code */
    uint8_t mode;     /* 0 open, 1 sealed */
    uint16_t tls_version;
    uint16_t number; /* of this appraisal on this connection */
    uint8_t nonce[32];
    uint8_t exporter[32];
    uint8_t guest_spki[32];
    uint8_t peer_spki[32];
    uint8_t initdata_digest[48];
    uint8_t manifest_digest[48];
    uint8_t sandbox_id[16];
    uint8_t instance_id[32];
    uint64_t epoch;
};

void statement_write(const struct statement *statement, uint8_t ret[STATEMENT_SIZE]);

/* The layout, for messages and tests; NULL past the last field. */
struct statement_field {
    const char *name;
    uint16_t offset, length;
};
const struct statement_field *statement_field(size_t index);

typedef void statement_hash_fn(const void *data, size_t length, uint8_t *ret);
/* A signed digest that is not the expected one tells nothing but that. For the reader of a log this
 * tries what a mistake would look like (one bit, a field left zero, a small number off) and names
 * the field if that explains the digest; else NULL. Never a reason to accept anything. */
const struct statement_field *statement_blame(const uint8_t expected[STATEMENT_SIZE],
                                              statement_hash_fn *hash, const uint8_t *signed_digest,
                                              size_t digest_size);
