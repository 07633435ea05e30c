/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* JSON; the one adapter of json-c, whose own names begin with json_, so ours begin with js_.
 * A node is owned by its parent; the root by the caller. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct js;

enum js_type { JS_NULL, JS_BOOLEAN, JS_INTEGER, JS_DOUBLE, JS_STRING, JS_ARRAY, JS_OBJECT };

enum { JS_DEPTH_MAX = 32 };

/* Strict: UTF-8, one value, nothing behind it, no duplicate keys, depth <= JS_DEPTH_MAX. */
int js_parse(const char *text, size_t length, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
void js_free(struct js *root);
static inline void js_freep(struct js **p)
{
    if (*p)
        js_free(*p);
}
struct js *js_copy(const struct js *node);       /* deep */
char *js_print(const struct js *node);           /* compact; the caller frees */
char *js_print_canonical(const struct js *node); /* keys sorted by bytes, for digests */

enum js_type js_type(const struct js *node); /* NULL is JS_NULL */
/* The getters take NULL and the wrong type and answer NULL / the default. */
struct js *js_get(const struct js *object, const char *key);
struct js *js_path(const struct js *object, const char *a, const char *b); /* object.a.b */
const char *js_string(const struct js *node);
const char *js_get_string(const struct js *object, const char *key);
int64_t js_integer(const struct js *node, int64_t otherwise);
int64_t js_get_integer(const struct js *object, const char *key, int64_t otherwise);
bool js_unsigned(const struct js *node, uint64_t *ret); /* false: it is none */
bool js_boolean(const struct js *node, bool otherwise);
bool js_get_boolean(const struct js *object, const char *key, bool otherwise);
size_t js_length(const struct js *array); /* members of an array or object */
struct js *js_at(const struct js *array, size_t index);
/* Walks an object in order. Do not change it meanwhile. */
typedef int js_member_fn(void *user, const char *key, struct js *value, struct error *err);
int js_each(const struct js *object, js_member_fn *fn, void *user, struct error *err)
    __attribute__((warn_unused_result));
int js_need_string(const struct js *object, const char *key, const char **ret, struct error *err)
    __attribute__((warn_unused_result));
int js_need_integer(const struct js *object, const char *key, int64_t min, int64_t max,
                    int64_t *ret, struct error *err) __attribute__((warn_unused_result));
/* Refuses a member that is not in the NULL-terminated list. */
int js_only(const struct js *object, const char *const *keys, struct error *err)
    __attribute__((warn_unused_result));

struct js *js_new_object(void);
struct js *js_new_array(void);
struct js *js_new_string(const char *text);
struct js *js_new_integer(int64_t value);
struct js *js_new_boolean(bool value);
/* The child moves into the parent; an old value under the key is freed. */
void js_set(struct js *object, const char *key, struct js *value);
void js_set_string(struct js *object, const char *key, const char *text);
void js_set_integer(struct js *object, const char *key, int64_t value);
void js_remove(struct js *object, const char *key);
void js_append(struct js *array, struct js *value);
void js_remove_at(struct js *array, size_t index);
