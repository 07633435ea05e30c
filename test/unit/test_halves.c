/* SPDX-License-Identifier: Apache-2.0 */
/* Pods made at random of every field that there is. Whatever a pod says: joined halves are the pod,
 * each value is in the halves that its row names and in no other, and the host half stays as it is
 * when what is the tenant's changes. A failure names its seed. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "halves.h"
#include "host_half.h"
#include "owners.h"
#include "suite.h"

#define MARK "Zq" /* begins each name and text that a pod is made of, and occurs nowhere else */

enum { PODS = 200, FIELDS_MAX = 1024, FILE_SIZE_MAX = 256 * 1024, TRIES = 20, MARK_LENGTH = 12 };

struct maker {
    uint64_t state; /* the seed, then xorshift64 */
    unsigned often; /* in 16: how often a member is there */
    char *text;
    const char *paths[FIELDS_MAX];
    size_t count;
};

static unsigned dice(struct maker *maker, unsigned sides)
{
    maker->state ^= maker->state << 13;
    maker->state ^= maker->state >> 7;
    maker->state ^= maker->state << 17;
    return (unsigned) ((maker->state >> 33) % sides);
}

static char *mark(struct maker *maker)
{
    return xformat(MARK "%05x%05x", dice(maker, 1 << 20), dice(maker, 1 << 20));
}

static void maker_init(struct maker *maker)
{
    struct error err;
    size_t length;

    ck_assert_msg(file_read("test/unit/golden/pod-" OWNERS_KUBERNETES "-fields.txt", FILE_SIZE_MAX,
                            &maker->text, &length, &err) == 0,
                  "%s", err.message);
    for (char *rest = maker->text, *line; (line = strsep(&rest, "\n"));)
        if (*line && *line != '#')
            maker->paths[maker->count++] = line;
}

static void maker_fini(struct maker *maker)
{
    free(maker->text);
}

static struct js *make_text(struct maker *maker)
{
    scoped(freep) char *text = mark(maker);

    return js_new_string(text);
}

/* Names that the table knows where the API has any. */
static char *free_key(struct maker *maker, const char *path)
{
    static const char *const names[] = {"cpu", "memory", "ephemeral-storage"};

    if (text_starts(path, "spec.volumes") ||
        !(text_ends(path, ".limits.*") || text_ends(path, ".requests.*")))
        return mark(maker);
    return xstrdup(names[dice(maker, ARRAY_LENGTH(names))]);
}

/* Asks for nothing; or NULL. */
static struct js *make_refused(struct maker *maker, const struct owner_row *row)
{
    const char *harmless = owner_harmless(row);
    struct js *value = NULL;
    struct error err;

    if (dice(maker, 2))
        return NULL;
    if (!harmless)
        return js_new_boolean(false);
    ck_assert_int_eq(js_parse(harmless, strlen(harmless), &value, &err), 0);
    return value;
}

static struct js *make_leaf(struct maker *maker, const char *path)
{
    const struct owner_row *row = owners_find(path);

    ck_assert_msg(row != NULL, "'%s' has no row", path);
    if (text_equal(path, "apiVersion"))
        return js_new_string("v1");
    if (text_equal(path, "kind"))
        return js_new_string("Pod");
    if (text_equal(path, "spec.initContainers[].restartPolicy"))
        return js_new_string("Always");
    if (row->owner == OWNER_BOTH || row->owner == OWNER_REFUSED) /* the latter: limits.* */
        return js_new_integer(1 + dice(maker, 5000));
    return make_text(maker);
}

static struct js *make(struct maker *maker, const char *const *paths, size_t count, size_t depth);

/* What no half would keep makes no element. */
static struct js *make_element(struct maker *maker, const char *const *paths, size_t count,
                               size_t depth)
{
    unsigned often = maker->often;
    struct js *element = NULL;

    for (unsigned i = 0; i < TRIES; i++) {
        scoped(freep) char *text = NULL;

        js_free(element);
        maker->often = i + 1 < TRIES ? often : 16;
        element = make(maker, paths, count, depth);
        text = element ? js_print(element) : NULL;
        if (text && strstr(text, MARK))
            break;
    }
    maker->often = often;
    return element;
}

static struct js *make_list(struct maker *maker, const char *const *paths, size_t count,
                            size_t depth)
{
    struct js *list = js_new_array();

    for (unsigned i = 1 + dice(maker, 3); i > 0; i--) {
        struct js *element = make_element(maker, paths, count, depth + 2);

        if (element)
            js_append(list, element);
    }
    return list;
}

/* Or nothing, said in one of three ways. */
static struct js *make_member(struct maker *maker, const char *const *paths, size_t count,
                              size_t depth)
{
    char next = paths[0][depth];

    switch (dice(maker, 24)) {
    case 0:
        return NULL;
    case 1:
        return next == '[' ? js_new_array() : next == '.' ? js_new_object() : NULL;
    default:
        return make(maker, paths, count, depth);
    }
}

static bool is_needed(const char *path)
{
    return text_equal(path, "apiVersion") || text_equal(path, "kind") || text_starts(path, "spec.");
}

static struct js *make_object(struct maker *maker, const char *const *paths, size_t count,
                              size_t depth)
{
    struct js *object = js_new_object();
    size_t dot = depth ? 1 : 0;

    for (size_t i = 0, next; i < count; i = next) {
        size_t length = dot + strcspn(paths[i] + depth + dot, ".[");
        scoped(freep) char *key = xstrndup(paths[i] + depth + dot, length - dot);

        for (next = i + 1; next < count; next++)
            if (strncmp(paths[next], paths[i], depth + length) != 0 ||
                isalnum((unsigned char) paths[next][depth + length]))
                break;
        if (text_equal(key, "*")) {
            free(key);
            key = free_key(maker, paths[i]);
        }
        if (depth == 0 && is_needed(paths[i]))
            js_set(object, key, make(maker, paths + i, next - i, depth + length));
        else if (dice(maker, 16) < maker->often)
            js_set(object, key, make_member(maker, paths + i, next - i, depth + length));
    }
    return object;
}

static struct js *make(struct maker *maker, const char *const *paths, size_t count, size_t depth)
{
    scoped(freep) char *path = xstrndup(paths[0], depth);
    const struct owner_row *row = *path ? owners_find(path) : NULL;
    bool is_free = text_ends(path, ".*"); /* free_key() has given it a row of its own */

    if (row && row->owner == OWNER_NEITHER)
        return js_new_string("of the server");
    if (row && row->owner == OWNER_REFUSED && !is_free)
        return make_refused(maker, row);
    switch (paths[0][depth]) {
    case '\0':
        return make_leaf(maker, paths[0]);
    case '[':
        return make_list(maker, paths, count, depth);
    default:
        return make_object(maker, paths, count, depth);
    }
}

struct split {
    struct js *given, *normal, *host, *tenant;
    struct host_half_options options;
};

static void split_free(struct split *split)
{
    js_free(split->given);
    js_free(split->normal);
    js_free(split->host);
    js_free(split->tenant);
}

static void make_split(struct maker *maker, uint64_t seed, struct split *ret)
{
    static const unsigned often[] = {2, 5, 9, 15};
    struct error err;

    maker->state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    maker->often = often[seed % ARRAY_LENGTH(often)];
    ret->given = make(maker, maker->paths, maker->count, 0);
    js_set_string(js_get(ret->given, "spec"), "hostname", MARK "0123456789");
    ret->options = (struct host_half_options){.anchor_image = "anchor:1",
                                              .guest_memory = dice(maker, 1 << 20)};
    host_half_new_link(ret->options.link);
    scoped(freep) char *text = js_print(ret->given);
    ck_assert_msg(halves_normalise(ret->given, &ret->normal, &err) == 0, "seed %llu: %s in %s",
                  (unsigned long long) seed, err.message, text);
    ck_assert_msg(halves_split(ret->normal, &ret->options, &ret->host, &ret->tenant, &err) == 0,
                  "seed %llu: %s in %s", (unsigned long long) seed, err.message, text);
}

static void expect_same(uint64_t seed, const struct js *a, const struct js *b)
{
    scoped(freep) char *text_a = js_print_canonical(a), *text_b = js_print_canonical(b);

    ck_assert_msg(text_equal(text_a, text_b), "seed %llu:\n%s\n%s", (unsigned long long) seed,
                  text_a, text_b);
}

static void check_join(uint64_t seed, const struct split *split)
{
    scoped(js_freep) struct js *joined = NULL, *again = NULL;
    struct error err;

    js_set_string(js_path(split->tenant, "metadata", "annotations"), MANIFEST_ANNOTATION, "H4s");
    ck_assert_msg(halves_join(split->host, split->tenant, &joined, &err) == 0, "seed %llu: %s",
                  (unsigned long long) seed, err.message);
    expect_same(seed, joined, split->normal);
    ck_assert_int_eq(halves_normalise(split->normal, &again, &err), 0);
    expect_same(seed, again, split->normal);
}

struct texts {
    uint64_t seed;
    const char *host, *tenant;
    size_t count;
};

/* The text of a value and, of a free key, the key are where the row says and nowhere else. */
static void check_mark(const struct texts *texts, const struct owner_leaf *leaf, const char *found)
{
    scoped(freep) char *one = xstrndup(found, MARK_LENGTH);
    bool in_host = strstr(texts->host, one), in_tenant = strstr(texts->tenant, one);

    ck_assert_msg(in_host == (leaf->row->owner == OWNER_HOST), "seed %llu: %s '%s' %s",
                  (unsigned long long) texts->seed, leaf->name, one, texts->host);
    ck_assert_msg(in_tenant == (leaf->row->owner != OWNER_HOST), "seed %llu: %s '%s' %s",
                  (unsigned long long) texts->seed, leaf->name, one, texts->tenant);
}

static int check_leaf(void *user, const struct owner_leaf *leaf, struct error *err)
{
    struct texts *texts = user;
    const char *key = strstr(leaf->name, MARK), *value = js_string(leaf->value);

    (void) err;
    texts->count++;
    if (key)
        check_mark(texts, leaf, key);
    if (value && text_starts(value, MARK))
        check_mark(texts, leaf, value);
    return LEAF_DROP;
}

static size_t check_places(uint64_t seed, const struct split *split)
{
    scoped(freep) char *host = js_print(split->host), *tenant = js_print(split->tenant);
    scoped(js_freep) struct js *nothing = NULL;
    struct texts texts = {.seed = seed, .host = host, .tenant = tenant};
    struct error err;

    ck_assert_int_eq(owners_project(split->normal, check_leaf, &texts, &nothing, &err), 0);
    return texts.count;
}

/* The same pod with other words wherever they are not the host's. */
static struct js *say_otherwise(const struct split *split)
{
    scoped(freep) char *text = js_print(split->normal), *host = js_print(split->host);
    struct js *other = NULL;
    struct error err;

    for (char *at = text; (at = strstr(at, MARK)); at += MARK_LENGTH) {
        scoped(freep) char *one = xstrndup(at, MARK_LENGTH);

        if (!strstr(host, one))
            memset(at + 2, 'x', 1);
    }
    ck_assert_msg(js_parse(text, strlen(text), &other, &err) == 0, "%s", err.message);
    return other;
}

static void check_secrecy(uint64_t seed, const struct split *split)
{
    scoped(js_freep) struct js *other = say_otherwise(split), *host = NULL, *tenant = NULL;
    struct error err;

    ck_assert_int_eq(halves_split(other, &split->options, &host, &tenant, &err), 0);
    expect_same(seed, host, split->host);
}

START_TEST(joined_halves_are_the_pod_and_none_has_too_much)
{
    scoped(maker_fini) struct maker maker = {0};
    size_t leaves = 0;

    maker_init(&maker);
    for (uint64_t seed = 1; seed <= PODS; seed++) {
        scoped(split_free) struct split split = {0};

        make_split(&maker, seed, &split);
        leaves += check_places(seed, &split);
        check_join(seed, &split);
        check_secrecy(seed, &split);
    }
    ck_assert_uint_gt(leaves, 100 * PODS); /* they were not empty */
}
END_TEST

int main(void)
{
    return suite_run_with(&(struct suite){.name = "halves", .timeout_s = 60},
                          (const TTest *[]){joined_halves_are_the_pod_and_none_has_too_much, NULL});
}
