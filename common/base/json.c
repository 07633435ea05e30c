/* SPDX-License-Identifier: Apache-2.0 */
/* `struct js` is json-c's object under a name of ours; it is never defined. json-c alone is not as
 * strict as we promise, so a scan of the text comes first: numbers, control characters, NUL, and a
 * count of the members, which shows duplicate keys when the tree then has fewer. */
#include "base/json.h"

#include <assert.h>
#include <json-c/json.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"

SCOPED_PTR(struct json_tokener, json_tokener_free)

static struct json_object *raw(const struct js *node)
{
    return (struct json_object *) (uintptr_t) node;
}

static struct js *wrap(struct json_object *object)
{
    return (struct js *) object;
}

struct scan {
    const char *at, *end;
    size_t members;
};

static bool scan_string(struct scan *scan)
{
    for (scan->at++; scan->at < scan->end; scan->at++) {
        if ((unsigned char) *scan->at < 0x20)
            return false;
        if (*scan->at == '"') {
            scan->at++;
            return true;
        }
        if (*scan->at != '\\')
            continue;
        if (scan->end - scan->at >= 6 && memcmp(scan->at, "\\u0000", 6) == 0)
            return false;
        scan->at++;
    }
    return false;
}

static size_t scan_digits(struct scan *scan)
{
    const char *start = scan->at;

    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return (size_t) (scan->at - start);
}

static bool scan_next(struct scan *scan, const char *set)
{
    if (scan->at == scan->end || !*scan->at || !strchr(set, *scan->at))
        return false;
    scan->at++;
    return true;
}

/* RFC 8259's number; an integer must fit into int64_t or, when positive, uint64_t. */
static bool scan_number(struct scan *scan)
{
    const char *start = scan->at, *digits;
    scoped(freep) char *text = NULL;
    bool negative = scan_next(scan, "-"), integer = true;
    size_t count;
    uint64_t positive;
    int64_t any;

    digits = scan->at;
    count = scan_digits(scan);
    if (count == 0 || (count > 1 && *digits == '0'))
        return false;
    if (scan_next(scan, ".")) {
        integer = false;
        if (scan_digits(scan) == 0)
            return false;
    }
    if (scan_next(scan, "eE")) {
        integer = false;
        (void) scan_next(scan, "+-");
        if (scan_digits(scan) == 0)
            return false;
    }
    if (!integer)
        return true;
    if (count > 20)
        return false;
    text = xstrndup(start, (size_t) (scan->at - start));
    return negative ? text_to_i64(text, &any) : text_to_u64(text, &positive);
}

/* What may stand outside strings and numbers: json-c would also take comments, NaN, form feeds. */
static bool is_structure(char c)
{
    return c && strchr("{}[]:, \t\r\ntruefalsn", c);
}

static int scan_text(struct scan *scan, const char *text, struct error *err)
{
    while (scan->at < scan->end) {
        bool good = true;

        if (*scan->at == '"')
            good = scan_string(scan);
        else if (*scan->at == '-' || (*scan->at >= '0' && *scan->at <= '9'))
            good = scan_number(scan);
        else if (!is_structure(*scan->at))
            good = false;
        else
            scan->members += *scan->at++ == ':';
        if (!good)
            return error_set(err, STATUS_INVALID_ARGUMENT, "not JSON at byte %zu",
                             (size_t) (scan->at - text));
    }
    return 0;
}

static size_t count_members(struct json_object *object)
{
    size_t count = 0;

    if (json_object_is_type(object, json_type_object)) {
        json_object_object_foreach(object, key, value)
        {
            (void) key;
            count += 1 + count_members(value);
        }
    } else if (json_object_is_type(object, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(object); i++)
            count += count_members(json_object_array_get_idx(object, i));
    }
    return count;
}

static bool only_space(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\0' || !strchr(" \t\r\n", text[i]))
            return false;
    return true;
}

int js_parse(const char *text, size_t length, struct js **ret, struct error *err)
{
    scoped(json_tokener_freep) struct json_tokener *tokener = NULL;
    struct json_object *object;
    enum json_tokener_error problem;
    struct scan scan;
    size_t used;

    /* An empty text may be none: there is no address to go on from. */
    if (length == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "not JSON: it is empty");
    if (length > INT_MAX / 2)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "JSON of %zu bytes", length);
    if (!text_is_utf8(text, length))
        return error_set(err, STATUS_INVALID_ARGUMENT, "not JSON: not UTF-8");
    scan = (struct scan){.at = text, .end = text + length};
    if (scan_text(&scan, text, err) < 0)
        return -1;
    tokener = json_tokener_new_ex(JS_DEPTH_MAX);
    if (!tokener)
        abort();
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
    object = json_tokener_parse_ex(tokener, text, (int) length);
    problem = json_tokener_get_error(tokener);
    used = json_tokener_get_parse_end(tokener);
    if (problem == json_tokener_continue) {
        /* A number at the top ends only with the text. */
        object = json_tokener_parse_ex(tokener, "", 1);
        problem = json_tokener_get_error(tokener);
        used = length;
    }
    if (problem != json_tokener_success)
        return error_set(err, STATUS_INVALID_ARGUMENT, "not JSON at byte %zu: %s", used,
                         json_tokener_error_desc(problem));
    if (!only_space(text + used, length - used) || count_members(object) != scan.members) {
        json_object_put(object);
        return error_set(err, STATUS_INVALID_ARGUMENT, "not JSON: %s",
                         only_space(text + used, length - used) ? "a key stands twice"
                                                                : "more than one value");
    }
    *ret = wrap(object);
    return 0;
}

void js_free(struct js *root)
{
    (void) json_object_put(raw(root));
}

struct js *js_copy(const struct js *node)
{
    struct json_object *copy = NULL;

    if (node && json_object_deep_copy(raw(node), &copy, NULL) < 0)
        abort();
    return wrap(copy);
}

char *js_print(const struct js *node)
{
    return xstrdup(json_object_to_json_string_ext(raw(node), JSON_C_TO_STRING_PLAIN |
                                                                 JSON_C_TO_STRING_NOSLASHESCAPE));
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void print_scalar(struct json_object *node, FILE *to)
{
    (void) fputs(json_object_to_json_string_ext(node, JSON_C_TO_STRING_PLAIN |
                                                          JSON_C_TO_STRING_NOSLASHESCAPE),
                 to);
}

static void print_key(const char *key, FILE *to)
{
    struct json_object *node = json_object_new_string(key);

    print_scalar(node, to);
    (void) json_object_put(node);
}

static void print_sorted(struct json_object *node, FILE *to)
{
    if (json_object_is_type(node, json_type_object)) {
        size_t count = (size_t) json_object_object_length(node), i = 0;
        scoped(freep) const char **keys = xnew_array(const char *, count);

        json_object_object_foreach(node, key, value)
        {
            (void) value;
            keys[i++] = key;
        }
        qsort(keys, count, sizeof *keys, by_bytes);
        for (i = 0; i < count; i++) {
            (void) fputc(i ? ',' : '{', to);
            print_key(keys[i], to);
            (void) fputc(':', to);
            print_sorted(json_object_object_get(node, keys[i]), to);
        }
        (void) fputs(count ? "}" : "{}", to);
    } else if (json_object_is_type(node, json_type_array)) {
        size_t count = json_object_array_length(node);

        for (size_t i = 0; i < count; i++) {
            (void) fputc(i ? ',' : '[', to);
            print_sorted(json_object_array_get_idx(node, i), to);
        }
        (void) fputs(count ? "]" : "[]", to);
    } else {
        print_scalar(node, to);
    }
}

char *js_print_canonical(const struct js *node)
{
    char *text = NULL;
    size_t length;
    FILE *to = open_memstream(&text, &length);

    if (!to)
        abort();
    print_sorted(raw(node), to);
    if (fclose(to) != 0)
        abort();
    return text;
}

enum js_type js_type(const struct js *node)
{
    switch (json_object_get_type(raw(node))) {
    case json_type_boolean:
        return JS_BOOLEAN;
    case json_type_int:
        return JS_INTEGER;
    case json_type_double:
        return JS_DOUBLE;
    case json_type_string:
        return JS_STRING;
    case json_type_array:
        return JS_ARRAY;
    case json_type_object:
        return JS_OBJECT;
    case json_type_null:
        break;
    }
    return JS_NULL;
}

struct js *js_get(const struct js *object, const char *key)
{
    if (js_type(object) != JS_OBJECT)
        return NULL;
    return wrap(json_object_object_get(raw(object), key));
}

struct js *js_path(const struct js *object, const char *a, const char *b)
{
    return js_get(js_get(object, a), b);
}

const char *js_string(const struct js *node)
{
    return js_type(node) == JS_STRING ? json_object_get_string(raw(node)) : NULL;
}

const char *js_get_string(const struct js *object, const char *key)
{
    return js_string(js_get(object, key));
}

int64_t js_integer(const struct js *node, int64_t otherwise)
{
    return js_type(node) == JS_INTEGER ? json_object_get_int64(raw(node)) : otherwise;
}

int64_t js_get_integer(const struct js *object, const char *key, int64_t otherwise)
{
    return js_integer(js_get(object, key), otherwise);
}

bool js_unsigned(const struct js *node, uint64_t *ret)
{
    if (js_type(node) != JS_INTEGER || json_object_get_int64(raw(node)) < 0)
        return false;
    *ret = json_object_get_uint64(raw(node));
    return true;
}

bool js_boolean(const struct js *node, bool otherwise)
{
    return js_type(node) == JS_BOOLEAN ? json_object_get_boolean(raw(node)) : otherwise;
}

bool js_get_boolean(const struct js *object, const char *key, bool otherwise)
{
    return js_boolean(js_get(object, key), otherwise);
}

size_t js_length(const struct js *array)
{
    switch (js_type(array)) {
    case JS_ARRAY:
        return json_object_array_length(raw(array));
    case JS_OBJECT:
        return (size_t) json_object_object_length(raw(array));
    default:
        return 0;
    }
}

struct js *js_at(const struct js *array, size_t index)
{
    if (js_type(array) != JS_ARRAY)
        return NULL;
    return wrap(json_object_array_get_idx(raw(array), index));
}

int js_each(const struct js *object, js_member_fn *fn, void *user, struct error *err)
{
    if (js_type(object) != JS_OBJECT)
        return 0;
    json_object_object_foreach(raw(object), key, value)
    {
        if (fn(user, key, wrap(value), err) < 0)
            return -1;
    }
    return 0;
}

int js_need_string(const struct js *object, const char *key, const char **ret, struct error *err)
{
    const char *text = js_get_string(object, key);

    if (!text)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         js_get(object, key) ? "'%s' is not a string" : "'%s' is missing", key);
    *ret = text;
    return 0;
}

int js_need_integer(const struct js *object, const char *key, int64_t min, int64_t max,
                    int64_t *ret, struct error *err)
{
    const struct js *node = js_get(object, key);
    int64_t value;

    if (js_type(node) != JS_INTEGER)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         node ? "'%s' is not an integer" : "'%s' is missing", key);
    value = json_object_get_int64(raw(node));
    if (value < min || value > max)
        return error_set(err, STATUS_OUT_OF_RANGE, "'%s' is not in %lld..%lld", key,
                         (long long) min, (long long) max);
    *ret = value;
    return 0;
}

static int allowed_member(void *user, const char *key, struct js *value, struct error *err)
{
    for (const char *const *keys = user; *keys; keys++)
        if (text_equal(*keys, key))
            return 0;
    return error_set(err, STATUS_INVALID_ARGUMENT, "unknown member '%s'", key);
}

int js_only(const struct js *object, const char *const *keys, struct error *err)
{
    return js_each(object, allowed_member, (void *) (uintptr_t) keys, err);
}

static struct js *made(struct json_object *object)
{
    if (!object)
        abort();
    return wrap(object);
}

struct js *js_new_object(void)
{
    return made(json_object_new_object());
}

struct js *js_new_array(void)
{
    return made(json_object_new_array());
}

struct js *js_new_string(const char *text)
{
    return made(json_object_new_string(text));
}

struct js *js_new_integer(int64_t value)
{
    return made(json_object_new_int64(value));
}

struct js *js_new_boolean(bool value)
{
    return made(json_object_new_boolean(value));
}

void js_set(struct js *object, const char *key, struct js *value)
{
    assert(js_type(object) == JS_OBJECT);
    if (json_object_object_add(raw(object), key, raw(value)) < 0)
        abort();
}

void js_set_string(struct js *object, const char *key, const char *text)
{
    js_set(object, key, js_new_string(text));
}

void js_set_integer(struct js *object, const char *key, int64_t value)
{
    js_set(object, key, js_new_integer(value));
}

void js_remove(struct js *object, const char *key)
{
    if (js_type(object) == JS_OBJECT)
        json_object_object_del(raw(object), key);
}

void js_append(struct js *array, struct js *value)
{
    assert(js_type(array) == JS_ARRAY);
    if (json_object_array_add(raw(array), raw(value)) < 0)
        abort();
}

void js_remove_at(struct js *array, size_t index)
{
    if (js_type(array) == JS_ARRAY)
        (void) json_object_array_del_idx(raw(array), index, 1);
}
