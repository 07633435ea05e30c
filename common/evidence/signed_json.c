/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/signed_json.h"

#include <string.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/scoped.h"

/* Walks over text that js_parse() has taken, so it need not check the grammar; but it never reads
 * past the end. */
struct cursor {
    const char *at, *end;
};

static void skip_space(struct cursor *cursor)
{
    while (cursor->at < cursor->end && strchr(" \t\r\n", *cursor->at))
        cursor->at++;
}

static void skip_string(struct cursor *cursor)
{
    for (cursor->at++; cursor->at < cursor->end && *cursor->at != '"'; cursor->at++)
        if (*cursor->at == '\\')
            cursor->at++;
    cursor->at++; /* the closing quote */
}

/* A value ends where the depth it began in is reached again. */
static void skip_value(struct cursor *cursor)
{
    int depth = 0;

    do {
        skip_space(cursor);
        if (cursor->at >= cursor->end)
            return;
        if (*cursor->at == '"') {
            skip_string(cursor);
            continue;
        }
        if (*cursor->at == '{' || *cursor->at == '[')
            depth++;
        if (*cursor->at == '}' || *cursor->at == ']')
            depth--;
        cursor->at++;
    } while (depth > 0);
}

/* The text of a member that is an object. A key in another spelling (escapes) is not found. */
static bool cut(const char *text, size_t size, const char *name, struct signed_json *ret)
{
    struct cursor cursor = {.at = text, .end = text + size};

    skip_space(&cursor);
    for (cursor.at++; cursor.at < cursor.end; cursor.at++) {
        skip_space(&cursor);
        const char *key = cursor.at + 1;
        skip_string(&cursor);
        size_t key_length = (size_t) (cursor.at - key) - 1;
        skip_space(&cursor);
        cursor.at++; /* the colon */
        skip_space(&cursor);
        const char *value = cursor.at;
        skip_value(&cursor);
        if (cursor.at > cursor.end)
            return false;
        if (key_length == strlen(name) && memcmp(key, name, key_length) == 0) {
            ret->text = value;
            ret->length = (size_t) (cursor.at - value);
            return true;
        }
        skip_space(&cursor); /* to the comma */
    }
    return false;
}

int signed_json_split(const void *data, size_t size, const char *name, struct signed_json *ret,
                      struct error *err)
{
    const char *const keys[] = {name, "signature", NULL};
    scoped(js_freep) struct js *outer = NULL;
    struct signed_json json;
    const char *signature;

    if (size > SIGNED_JSON_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "%zu bytes, more than %d", size,
                         SIGNED_JSON_MAX);
    if (js_parse(data, size, &outer, err) < 0 || js_only(outer, keys, err) < 0 ||
        js_need_string(outer, "signature", &signature, err) < 0)
        return -1;
    if (js_type(js_get(outer, name)) != JS_OBJECT || !cut(data, size, name, &json))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is not there as an object", name);
    if (hex_decode(signature, json.signature, sizeof(json.signature), err) < 0)
        return error_wrap(err, "signature");
    *ret = json;
    return 0;
}

int signed_json_parse(const struct signed_json *json, struct js **ret, struct error *err)
{
    return js_parse(json->text, json->length, ret, err);
}
