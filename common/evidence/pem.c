/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/pem.h"

#include <ctype.h>
#include <string.h>

#include <mbedtls/base64.h>

static bool take_text(struct chain_bytes *text, const char *wanted)
{
    size_t length = strlen(wanted);

    if (text->length < length || memcmp(text->data, wanted, length) != 0)
        return false;
    text->data += length;
    text->length -= length;
    return true;
}

static bool take_line(struct chain_bytes *text, const char *kind, const char *label)
{
    return take_text(text, kind) && take_text(text, label) && take_text(text, "-----");
}

struct chain_bytes pem_trimmed(struct chain_bytes text)
{
    while (text.length && isspace(*text.data)) {
        text.data++;
        text.length--;
    }
    return text;
}

enum pem_result pem_take(struct chain_bytes *text, struct pem_block *block)
{
    const uint8_t *end;
    size_t length;

    if (!take_line(text, "-----BEGIN ", block->label) ||
        !(end = memchr(text->data, '-', text->length)))
        return PEM_OTHER;
    length = (size_t) (end - text->data);
    if (mbedtls_base64_decode(block->der, block->room, &block->length, text->data, length) != 0)
        return PEM_DAMAGED;
    text->length -= length;
    text->data = end;
    return take_line(text, "-----END ", block->label) ? PEM_TAKEN : PEM_DAMAGED;
}
