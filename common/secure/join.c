/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/join.h"

#include <assert.h>
#include <string.h>

#include <mbedtls/md.h>

#include "base/bytes.h"
#include "base/digest.h"

enum { TAG_SIZE = 32, STATEMENT_BYTES = TAG_SIZE + 1 + 1 + 2 + 16 + 32 + 32 + 32 + 32 };

static const char tag[TAG_SIZE] = "cleave join v1";

void join_mac(const uint8_t key[32], const struct join_statement *statement, uint8_t ret[32])
{
    struct writer writer;

    writer_init(&writer, STATEMENT_BYTES);
    writer_bytes(&writer, tag, sizeof(tag));
    writer_u8(&writer, (uint8_t) statement->direction);
    writer_u8(&writer, statement->class);
    writer_u16(&writer, statement->serial);
    writer_bytes(&writer, statement->control_id, sizeof(statement->control_id));
    writer_bytes(&writer, statement->nonce, sizeof(statement->nonce));
    writer_bytes(&writer, statement->exporter, sizeof(statement->exporter));
    writer_bytes(&writer, statement->guest_spki, sizeof(statement->guest_spki));
    writer_bytes(&writer, statement->tenant_spki, sizeof(statement->tenant_spki));
    assert(!writer.failed && writer.size == STATEMENT_BYTES);
    int rc = mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), key, 32, writer.data,
                             writer.size, ret);
    assert(rc == 0);
    (void) rc;
    writer_fini(&writer);
}

void join_control_id(const uint8_t exporter[32], uint8_t ret[16])
{
    uint8_t digest[SHA256_SIZE];

    digest_sha256(exporter, 32, digest);
    memcpy(ret, digest, 16);
}
