/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/base64url.h"

#include <string.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/scoped.h"

int base64url_decode(const char *text, size_t limit, uint8_t **ret, size_t *ret_length,
                     struct error *err)
{
    static const char *const padding[] = {"", "", "==", "="};
    scoped(freep) char *standard = NULL;
    size_t length = strlen(text);

    if (strpbrk(text, "+/"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "not base64url");
    if (length / 4 > limit / 3 + 1)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "base64url of %zu characters, limit %zu",
                         length, limit);
    standard = xformat("%s%s", text, padding[length % 4]);
    for (char *c = standard; *c; c++)
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    return base64_decode(standard, limit, ret, ret_length, err);
}
