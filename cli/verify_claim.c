/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/hex.h"
#include "base/json.h"
#include "verify.h"

void verify_claim_hex(struct js *claims, const char *key, const void *data, size_t length)
{
    scoped(freep) char *hex = NULL;

    if (!data)
        return;
    hex = hex_text(data, length);
    js_set_string(claims, key, hex);
}

void verify_claim_number(struct js *claims, const char *key, uint64_t value)
{
    char hex[sizeof(value) * 2 + 3];

    snprintf(hex, sizeof(hex), "0x%llx", (unsigned long long) value);
    js_set_string(claims, key, hex);
}
