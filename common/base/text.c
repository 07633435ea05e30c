/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/scoped.h"

enum { IDENTIFIER_MAX = 76 };

int text_format(char *buffer, size_t size, struct error *err, const char *fmt, ...)
{
    va_list args;
    int length;

    va_start(args, fmt);
    length = vsnprintf(buffer, size, fmt, args);
    va_end(args);
    if (length >= 0 && (size_t) length < size)
        return 0;
    if (size > 0)
        buffer[0] = '\0';
    return error_set(err, STATUS_OUT_OF_RANGE, "text of %d bytes does not fit into %zu", length,
                     size);
}

bool text_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool text_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *text, const char *suffix)
{
    size_t length = strlen(text), tail = strlen(suffix);

    return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alphanumeric(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool text_is_identifier(const char *text)
{
    bool separated = true;
    size_t i;

    for (i = 0; text[i]; i++) {
        bool separator = text[i] == '.' || text[i] == '_' || text[i] == '-';

        if (i == IDENTIFIER_MAX || (separator ? separated : !is_alphanumeric(text[i])))
            return false;
        separated = separator;
    }
    return !separated;
}

bool text_to_u64(const char *text, uint64_t *ret)
{
    uint64_t value = 0;

    if (!*text)
        return false;
    for (; *text; text++)
        if (!is_digit(*text) || __builtin_mul_overflow(value, (uint64_t) 10, &value) ||
            __builtin_add_overflow(value, (uint64_t) (*text - '0'), &value))
            return false;
    *ret = value;
    return true;
}

bool text_to_i64(const char *text, int64_t *ret)
{
    bool negative = *text == '-';
    uint64_t magnitude;

    if (!text_to_u64(text + negative, &magnitude) ||
        magnitude > (uint64_t) INT64_MAX + (negative ? 1 : 0))
        return false;
    *ret = negative ? (int64_t) (0 - magnitude) : (int64_t) magnitude;
    return true;
}

int text_to_size(const char *text, uint64_t *ret, struct error *err)
{
    static const struct {
        const char *suffix;
        unsigned shift;
    } units[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
    char digits[24] = "";
    unsigned shift = 0;
    size_t length = strlen(text);
    uint64_t value;

    for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
        if (text_ends(text, units[i].suffix)) {
            shift = units[i].shift;
            length -= strlen(units[i].suffix);
            break;
        }
    if (length < sizeof digits)
        (void) snprintf(digits, sizeof digits, "%.*s", (int) length, text);
    if (!text_to_u64(digits, &value) || value > UINT64_MAX >> shift)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "'%.40s' is not a size (a number of bytes, or of KiB, MiB, GiB)", text);
    *ret = value << shift;
    return 0;
}

/* Length of the valid UTF-8 sequence at text, 0 if there is none. No surrogates, no long forms. */
static size_t utf8_sequence(const uint8_t *text, size_t left)
{
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t point;
    size_t length;

    if (text[0] < 0x80)
        return 1;
    if ((text[0] & 0xe0) == 0xc0)
        length = 2, point = text[0] & 0x1f;
    else if ((text[0] & 0xf0) == 0xe0)
        length = 3, point = text[0] & 0x0f;
    else if ((text[0] & 0xf8) == 0xf0)
        length = 4, point = text[0] & 0x07;
    else
        return 0;
    if (length > left)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (text[i] & 0x3f);
    }
    if (point < lowest[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    return length;
}

void text_make_utf8(char *text)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < length;) {
        size_t step = utf8_sequence((const uint8_t *) text + i, length - i);

        if (step == 0)
            text[i] = '?';
        i += step ? step : 1;
    }
}

void text_make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char) *text < 0x20 || *text == 0x7f)
            *text = '?';
}

bool text_is_utf8(const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        size_t step = utf8_sequence((const uint8_t *) text + i, length - i);

        if (step == 0)
            return false;
        i += step;
    }
    return true;
}
