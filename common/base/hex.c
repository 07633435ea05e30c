/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/scoped.h"

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void hex_encode(const void *data, size_t length, char *to)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < length; i++) {
        to[2 * i] = hex_digits[bytes[i] >> 4];
        to[2 * i + 1] = hex_digits[bytes[i] & 15];
    }
    to[2 * length] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

char *hex_text(const void *data, size_t length)
{
    char *text = xalloc(2 * length + 1);

    hex_encode(data, length, text);
    return text;
}

int hex_decode(const char *text, void *to, size_t length, struct error *err)
{
    uint8_t *bytes = to;

    if (strlen(text) != 2 * length)
        return error_set(err, STATUS_INVALID_ARGUMENT, "expected %zu hexadecimal digits, got %zu",
                         2 * length, strlen(text));
    for (size_t i = 0; i < 2 * length; i++)
        if (hex_value(text[i]) < 0)
            return error_set(err, STATUS_INVALID_ARGUMENT, "not a hexadecimal digit at %zu", i);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t) ((unsigned) hex_value(text[2 * i]) << 4 |
                              (unsigned) hex_value(text[2 * i + 1]));
    return 0;
}

char *base64_encode(const void *data, size_t length)
{
    const uint8_t *bytes = data;
    char *text = xalloc((length + 2) / 3 * 4 + 1);
    char *to = text;

    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t group = (uint32_t) bytes[i] << 16;

        if (left > 1)
            group |= (uint32_t) bytes[i + 1] << 8;
        if (left > 2)
            group |= bytes[i + 2];
        *to++ = base64_digits[group >> 18];
        *to++ = base64_digits[group >> 12 & 63];
        *to++ = left > 1 ? base64_digits[group >> 6 & 63] : '=';
        *to++ = left > 2 ? base64_digits[group & 63] : '=';
    }
    return text;
}

static int base64_value(char c)
{
    const char *at = c ? strchr(base64_digits, c) : NULL;

    return at ? (int) (at - base64_digits) : -1;
}

/* Four digits, the last `padding` of them '='. The unused bits must be zero, so that each value has
 * one spelling only. */
static bool decode_group(const char *text, unsigned padding, uint8_t *to)
{
    uint32_t group = 0;

    for (unsigned i = 0; i < 4; i++) {
        int value = i < 4 - padding ? base64_value(text[i]) : 0;

        if (value < 0)
            return false;
        group = group << 6 | (uint32_t) value;
    }
    if (group & (BIT(8 * padding) - 1))
        return false;
    for (unsigned i = 0; i < 3 - padding; i++)
        to[i] = (uint8_t) (group >> (16 - 8 * i));
    return true;
}

int base64_decode(const char *text, size_t limit, uint8_t **ret, size_t *ret_length,
                  struct error *err)
{
    size_t length = strlen(text), padding = 0, size;
    scoped(freep) uint8_t *bytes = NULL;

    if (length % 4 != 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "base64 of %zu characters", length);
    if (length > 0 && text[length - 1] == '=')
        padding = text[length - 2] == '=' ? 2 : 1;
    size = length / 4 * 3 - padding;
    if (size > limit)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "base64 of %zu bytes, limit %zu", size,
                         limit);
    bytes = xalloc(size + 1);
    for (size_t i = 0; i < length; i += 4)
        if (!decode_group(text + i, i + 4 == length ? (unsigned) padding : 0, bytes + i / 4 * 3))
            return error_set(err, STATUS_INVALID_ARGUMENT, "not base64 at %zu", i);
    *ret = take_ptr(bytes);
    *ret_length = size;
    return 0;
}
