/* SPDX-License-Identifier: Apache-2.0 */
#include "difference.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"

/* Elements are matched each with each; a list of more is compared as a whole, since whoever wrote a
 * manifest may have made it long. */
enum { VALUE_MAX = 400, LIST_MAX = 1024 };

struct search {
    difference_fn *fn;
    void *user;
    size_t found;
};

/* One object or list of the two documents. */
struct pair {
    struct search *search;
    const char *path;
    const struct js *a, *b;
};

static void compare(struct search *search, const char *path, const struct js *a,
                    const struct js *b);

static void report(struct search *search, const char *path, const struct js *a, const struct js *b)
{
    search->found++;
    search->fn(search->user, path, a, b);
}

static bool is_same(const struct js *a, const struct js *b)
{
    scoped(freep) char *text_a = js_print_canonical(a), *text_b = js_print_canonical(b);

    return text_equal(text_a, text_b);
}

static int member_of_a(void *user, const char *key, struct js *value, struct error *err)
{
    const struct pair *pair = user;
    scoped(freep) char *path = xformat("%s%s%s", pair->path, *pair->path ? "." : "", key);

    (void) err;
    compare(pair->search, path, value, js_get(pair->b, key));
    return 0;
}

static int member_of_b(void *user, const char *key, struct js *value, struct error *err)
{
    const struct pair *pair = user;
    scoped(freep) char *path = xformat("%s%s%s", pair->path, *pair->path ? "." : "", key);

    (void) err;
    if (!js_get(pair->a, key))
        compare(pair->search, path, NULL, value);
    return 0;
}

static const struct js *find_by(const struct js *list, const char *key, const char *value)
{
    for (size_t i = 0; i < js_length(list); i++)
        if (text_equal(js_get_string(js_at(list, i), key), value))
            return js_at(list, i);
    return NULL;
}

static bool has_key(const struct js *list, const char *key)
{
    for (size_t i = 0; i < js_length(list); i++) {
        const char *value = js_get_string(js_at(list, i), key);

        if (!value || find_by(list, key, value) != js_at(list, i))
            return false;
    }
    return true;
}

/* By what the elements of both tell themselves apart; NULL: by nothing. */
static const char *key_of(const struct js *a, const struct js *b)
{
    static const char *const keys[] = {"name", "destination", "type", "key"};

    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        if (has_key(a, keys[i]) && has_key(b, keys[i]))
            return keys[i];
    return NULL;
}

static bool has_value(const struct js *list, const struct js *value)
{
    for (size_t i = 0; i < js_length(list); i++)
        if (is_same(js_at(list, i), value))
            return true;
    return false;
}

/* What the one has and the other has not; matched by key, those that both have are compared. */
static void compare_elements(const struct pair *pair, const char *key)
{
    for (size_t i = 0; i < js_length(pair->a); i++) {
        const struct js *value = js_at(pair->a, i);
        const char *name = key ? js_get_string(value, key) : NULL;
        scoped(freep) char *path = xformat("%s[%s]", pair->path, name ? name : "");

        if (name)
            compare(pair->search, path, value, find_by(pair->b, key, name));
        else if (!has_value(pair->b, value))
            report(pair->search, path, value, NULL);
    }
    for (size_t i = 0; i < js_length(pair->b); i++) {
        const struct js *value = js_at(pair->b, i);
        const char *name = key ? js_get_string(value, key) : NULL;
        scoped(freep) char *path = xformat("%s[%s]", pair->path, name ? name : "");

        if (name ? !find_by(pair->a, key, name) : !has_value(pair->a, value))
            report(pair->search, path, NULL, value);
    }
}

static void compare_lists(const struct pair *pair)
{
    size_t before = pair->search->found;

    if (js_length(pair->a) <= LIST_MAX && js_length(pair->b) <= LIST_MAX)
        compare_elements(pair, key_of(pair->a, pair->b));
    if (pair->search->found == before && !is_same(pair->a, pair->b))
        report(pair->search, pair->path, pair->a, pair->b); /* the order, or how often */
}

static void compare(struct search *search, const char *path, const struct js *a, const struct js *b)
{
    struct pair pair = {.search = search, .path = path, .a = a, .b = b};
    struct error err;

    if (js_type(a) == JS_OBJECT && js_type(b) == JS_OBJECT) {
        (void) !js_each(a, member_of_a, &pair, &err);
        (void) !js_each(b, member_of_b, &pair, &err);
    } else if (js_type(a) == JS_ARRAY && js_type(b) == JS_ARRAY) {
        compare_lists(&pair);
    } else if (!a || !b ? a != b : !is_same(a, b)) {
        report(search, path, a, b);
    }
}

size_t difference_find(const struct js *a, const struct js *b, difference_fn *fn, void *user)
{
    struct search search = {.fn = fn, .user = user};

    compare(&search, "", a, b);
    return search.found;
}

static void print_side(const char *before, const struct difference_side *side)
{
    scoped(freep) char *text = js_print_canonical(side->value);

    printf("%s%s has %.*s%s", before, side->name, VALUE_MAX, text,
           strlen(text) > VALUE_MAX ? "..." : "");
}

void difference_print(const char *path, const struct difference_side *a,
                      const struct difference_side *b)
{
    scoped(freep) char *shown = xstrdup(path);

    text_make_printable(shown);
    printf("%s: ", shown);
    if (a->value && b->value) {
        print_side("", a);
        print_side(", ", b);
    } else {
        print_side("only ", a->value ? a : b);
    }
    fputs("\n", stdout);
}
