/* SPDX-License-Identifier: Apache-2.0 */
#include "scalar.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"

enum word { WORD_NULL, WORD_TRUE, WORD_FALSE };

static const struct {
    const char *text;
    enum word word;
} words[] = {
    {"", WORD_NULL},     {"~", WORD_NULL},      {"null", WORD_NULL},   {"Null", WORD_NULL},
    {"NULL", WORD_NULL}, {"y", WORD_TRUE},      {"Y", WORD_TRUE},      {"yes", WORD_TRUE},
    {"Yes", WORD_TRUE},  {"YES", WORD_TRUE},    {"true", WORD_TRUE},   {"True", WORD_TRUE},
    {"TRUE", WORD_TRUE}, {"on", WORD_TRUE},     {"On", WORD_TRUE},     {"ON", WORD_TRUE},
    {"n", WORD_FALSE},   {"N", WORD_FALSE},     {"no", WORD_FALSE},    {"No", WORD_FALSE},
    {"NO", WORD_FALSE},  {"false", WORD_FALSE}, {"False", WORD_FALSE}, {"FALSE", WORD_FALSE},
    {"off", WORD_FALSE}, {"Off", WORD_FALSE},   {"OFF", WORD_FALSE},
};

/* A null is no node at all. */
static struct js *of_word(enum word word)
{
    return word == WORD_NULL ? NULL : js_new_boolean(word == WORD_TRUE);
}

static int quote_it(const char *text, struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "'%.64s' is a number to some readers of YAML and none to others: write it in "
                     "quotes, or as a decimal number",
                     text);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A sign, digits, one point, one exponent: what looks like a number to anybody. */
static bool looks_like_number(const char *text)
{
    text += *text == '-' || *text == '+';
    if (*text == '.' && (strcasecmp(text, ".inf") == 0 || strcasecmp(text, ".nan") == 0))
        return true;
    text += *text == '.';
    if (!is_digit(*text))
        return false;
    if (text[0] == '0' && text[1] && strchr("xob", text[1]))
        return text[2 + strspn(text + 2, "0123456789abcdefABCDEF_")] == '\0';
    text += strspn(text, "0123456789_");
    text += *text == '.';
    text += strspn(text, "0123456789_");
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '-' || *text == '+';
        if (!is_digit(*text))
            return false;
        text += strspn(text, "0123456789");
    }
    return *text == '\0';
}

/* 0644, 0o644: the modes of files. */
static bool of_octal(const char *text, struct js **ret)
{
    uint64_t value = 0;
    const char *digits = text + (text[0] == '0' && text[1] == 'o' ? 2 : 1);
    size_t length = strspn(digits, "01234567");

    if (text[0] != '0' || !length || digits[length] || length > 20)
        return false;
    for (; *digits; digits++)
        value = value * 8 + (uint64_t) (*digits - '0');
    *ret = js_new_integer((int64_t) value);
    return true;
}

static bool is_decimal(const char *text)
{
    text += *text == '-';
    if (text[0] == '0' && text[1] && text[1] != '.' && text[1] != 'e' && text[1] != 'E')
        return false;
    return is_digit(*text);
}

static int of_number(const char *text, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *value = NULL;
    struct error unread;
    int64_t integer;

    if (of_octal(text, ret))
        return 0;
    if (!is_decimal(text))
        return quote_it(text, err);
    if (text_to_i64(text, &integer)) {
        *ret = js_new_integer(integer);
        return 0;
    }
    /* JSON's numbers keep their text: a quantity may be 0.5. */
    if (js_parse(text, strlen(text), &value, &unread) < 0 || js_type(value) != JS_DOUBLE)
        return quote_it(text, err);
    *ret = take_ptr(value);
    return 0;
}

int scalar_resolve(const char *text, struct js **ret, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (text_equal(text, words[i].text)) {
            *ret = of_word(words[i].word);
            return 0;
        }
    }
    if (looks_like_number(text))
        return of_number(text, ret, err);
    *ret = js_new_string(text);
    return 0;
}
