/* SPDX-License-Identifier: Apache-2.0 */
#include "quantity.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"

enum { DIGITS_MAX = 18, EXPONENT_MAX = 18 };

/* A suffix is a power of ten or of two. */
static const struct {
    const char *text;
    int ten, two;
} suffixes[] = {
    {"n", -9, 0},  {"u", -6, 0},  {"m", -3, 0},  {"", 0, 0},    {"k", 3, 0},   {"M", 6, 0},
    {"G", 9, 0},   {"T", 12, 0},  {"P", 15, 0},  {"E", 18, 0},  {"Ki", 0, 10}, {"Mi", 0, 20},
    {"Gi", 0, 30}, {"Ti", 0, 40}, {"Pi", 0, 50}, {"Ei", 0, 60},
};

struct number {
    uint64_t digits; /* digits * 10^ten * 2^two */
    int ten, two;
};

static bool read_digits(const char **text, struct number *number)
{
    unsigned count = 0;
    bool point = false, any = false;

    for (;; (*text)++) {
        if (**text == '.' && !point) {
            point = true;
            continue;
        }
        if (**text < '0' || **text > '9')
            return any;
        any = true;
        if (number->digits && ++count >= DIGITS_MAX)
            return false;
        number->digits = number->digits * 10 + (uint64_t) (**text - '0');
        number->ten -= point;
    }
}

static bool read_suffix(const char *text, struct number *number)
{
    int64_t exponent;

    for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++) {
        if (!text_equal(text, suffixes[i].text))
            continue;
        number->ten += suffixes[i].ten;
        number->two += suffixes[i].two;
        return true;
    }
    if ((*text != 'e' && *text != 'E') || !text_to_i64(text + 1 + (text[1] == '+'), &exponent) ||
        exponent < -EXPONENT_MAX || exponent > EXPONENT_MAX)
        return false;
    number->ten += (int) exponent;
    return true;
}

/* Of up to 18 digits, so each step but the last has room in 128 bits: what has none is too large.
 */
static bool value_of(const struct number *number, int64_t *ret)
{
    unsigned __int128 value = number->digits, divisor = 1;
    int ten = number->ten, two = number->two;

    if (value == 0) {
        *ret = 0;
        return true;
    }
    for (; two > 0; two--)
        if ((value *= 2) >> 126)
            return false;
    for (; ten > 0; ten--)
        if ((value *= 10) >> 120)
            return false;
    for (; ten < 0 && divisor <= value; ten++)
        divisor *= 10;
    if (ten < 0) { /* less than one */
        *ret = 1;
        return true;
    }
    value = (value + divisor - 1) / divisor;
    if (value > INT64_MAX)
        return false;
    *ret = (int64_t) value;
    return true;
}

static bool parse(const char *text, enum quantity_unit unit, int64_t *ret)
{
    struct number number = {.ten = unit == QUANTITY_MILLIS ? 3 : 0};

    text += *text == '+';
    return read_digits(&text, &number) && read_suffix(text, &number) && value_of(&number, ret);
}

int quantity_read(const struct js *value, enum quantity_unit unit, int64_t *ret, struct error *err)
{
    scoped(freep) char *text = NULL;
    bool is_number = js_type(value) == JS_INTEGER || js_type(value) == JS_DOUBLE;

    if (!value) {
        *ret = 0;
        return 0;
    }
    text = js_type(value) == JS_STRING ? xstrdup(js_string(value)) : js_print(value);
    if ((js_type(value) == JS_STRING || is_number) && parse(text, unit, ret))
        return 0;
    return error_set(err, STATUS_INVALID_ARGUMENT, "'%.64s' is no quantity", text);
}
