/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/reference.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/text.h"

static const char algorithm[] = "sha256:";

bool reference_is_digest(const char *text)
{
    const char *digits;

    if (!text || !text_starts(text, algorithm))
        return false;
    digits = text + sizeof algorithm - 1;
    return strlen(digits) == 64 && strspn(digits, "0123456789abcdef") == 64;
}

int reference_parse_digest(const char *text, uint8_t ret[REFERENCE_DIGEST_SIZE], struct error *err)
{
    if (!reference_is_digest(text))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%.80s' is not a digest (sha256:<64 hex>)",
                         text ? text : "");
    return hex_decode(reference_digits(text), ret, REFERENCE_DIGEST_SIZE, err);
}

void reference_format_digest(const uint8_t digest[REFERENCE_DIGEST_SIZE],
                             char ret[REFERENCE_DIGEST_TEXT])
{
    memcpy(ret, algorithm, sizeof algorithm - 1);
    hex_encode(digest, REFERENCE_DIGEST_SIZE, ret + sizeof algorithm - 1);
}

const char *reference_digits(const char *text)
{
    assert(text_starts(text, algorithm));
    return text + sizeof algorithm - 1;
}
