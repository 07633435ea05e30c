/* SPDX-License-Identifier: Apache-2.0 */
/* Each value has one spelling: what decodes encodes to the very same text. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/scoped.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scoped(freep) char *text = xstrndup((const char *) data, size);
    scoped(freep) uint8_t *decoded = NULL;
    scoped(freep) char *back = NULL;
    uint8_t bytes[8];
    size_t length;
    struct error err;

    if (hex_decode(text, bytes, sizeof bytes, &err) == 0 && strlen(text) != 2 * sizeof bytes)
        abort();
    if (base64_decode(text, 4096, &decoded, &length, &err) < 0)
        return 0;
    back = base64_encode(decoded, length);
    if (length > 4096 || strcmp(back, text) != 0)
        abort();
    return 0;
}
