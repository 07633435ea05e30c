/* SPDX-License-Identifier: Apache-2.0 */
/* Version 8 of RFC 9562 (contents of one's own): 32 bits that say whose, 28 bits of the node, the
 * rest of the name. */
#include "uuid.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/hex.h"
#include "base/text.h"

enum { BYTES = 16, NODE_AT = 4, NAME_AT = 8, NODE_TEXT = 19 };
#define MARK "\xc1\xea\x5e\x01"

static void put_digest(const char *text, uint8_t *to, size_t length)
{
    uint8_t digest[SHA256_SIZE];

    digest_sha256(text, strlen(text), digest);
    memcpy(to, digest, length);
}

void uuid_of_machine(const char *node, const char *name, char ret[UUID_SIZE])
{
    uint8_t raw[BYTES] = MARK;
    char hex[2 * BYTES + 1];

    put_digest(node, raw + NODE_AT, NAME_AT - NODE_AT);
    put_digest(name, raw + NAME_AT, BYTES - NAME_AT);
    raw[6] = (uint8_t) (0x80 | (raw[6] & 0x0f));
    raw[8] = (uint8_t) (0x80 | (raw[8] & 0x3f));
    hex_encode(raw, sizeof(raw), hex);
    snprintf(ret, UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
             hex + 20);
}

bool uuid_is_of_node(const char *uuid, const char *node)
{
    char own[UUID_SIZE];

    uuid_of_machine(node, "", own);
    return strlen(uuid) == UUID_SIZE - 1 && strncmp(uuid, own, NODE_TEXT - 1) == 0;
}
