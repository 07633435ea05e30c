/* SPDX-License-Identifier: Apache-2.0 */
/* Rows beneath one path stand together in the table, so a place in it is a range of rows and how
 * far into their paths it is. A step down narrows the range; no path is put together to look it up.
 */
#include "owners.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"

struct place {
    const struct owner_row *rows;
    size_t count;
    size_t depth; /* bytes of each row's path that led here */
};

static struct place top(void)
{
    struct place place = {0};

    place.rows = owners_table(&place.count);
    return place;
}

/* The row of the place itself, not of something beneath it. It stands first. */
static const struct owner_row *own_row(const struct place *place)
{
    return place->rows[0].path[place->depth] ? NULL : place->rows;
}

static bool takes_all(const struct owner_row *row)
{
    return row && (row->owner == OWNER_NEITHER || row->owner == OWNER_REFUSED);
}

static bool ends_step(char c)
{
    return c == '\0' || c == '.' || c == '[';
}

/* Most differ in their second byte: a loop is faster than strncmp(). */
static bool goes_on(const char *rest, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (rest[i] != text[i])
            return false;
    return ends_step(rest[length]);
}

/* The rows that go on with this text and then end or go on with another step: neighbours, so that
 * their end is found by halving. */
static bool narrow(struct place *place, const char *text, size_t length)
{
    size_t first = 0, inside, end = place->count;

    while (first < end && !goes_on(place->rows[first].path + place->depth, text, length))
        first++;
    if (first == end)
        return false;
    for (inside = first; end - inside > 1;) {
        size_t middle = inside + (end - inside) / 2;

        if (goes_on(place->rows[middle].path + place->depth, text, length))
            inside = middle;
        else
            end = middle;
    }
    *place = (struct place){place->rows + first, end - first, place->depth + length};
    return true;
}

static bool place_of(const char *path, struct place *ret);

/* One step: ".name", "[]", or "name" at the top. False: there is no such row. */
static bool step(const struct place *from, const char *text, size_t length, struct place *ret)
{
    const struct owner_row *row = own_row(from);
    struct place next = *from;

    if (narrow(&next, text, length)) {
        *ret = next;
        return true;
    }
    return row && row->owner == OWNER_LIKE && place_of(row->reason, &next) &&
           step(&next, text, length, ret);
}

static size_t step_length(const char *path)
{
    return *path == '[' ? 2 : 1 + strcspn(path + 1, ".[");
}

static bool place_of(const char *path, struct place *ret)
{
    struct place place = top();

    for (size_t length; *path; path += length) {
        length = step_length(path);
        if (!step(&place, path, length, &place))
            return false;
        if (takes_all(own_row(&place)))
            break;
    }
    *ret = place;
    return true;
}

/* With what LIKE stands for. NULL: there is none but beneath. */
static const struct owner_row *row_of(const struct place *place)
{
    const struct owner_row *row = own_row(place);
    struct place like;

    if (!row || row->owner != OWNER_LIKE)
        return row;
    return place_of(row->reason, &like) ? row_of(&like) : NULL;
}

const struct owner_row *owners_find(const char *path)
{
    struct place place;

    return place_of(path, &place) ? row_of(&place) : NULL;
}

enum shape { SHAPE_LEAF, SHAPE_OBJECT, SHAPE_LIST };

static enum shape shape_of(struct place place)
{
    const struct owner_row *row = own_row(&place);
    size_t beneath = row ? 1 : 0;
    struct place like;

    if (beneath < place.count)
        return place.rows[beneath].path[place.depth] == '[' ? SHAPE_LIST : SHAPE_OBJECT;
    if (row && row->owner == OWNER_LIKE && place_of(row->reason, &like))
        return shape_of(like);
    return SHAPE_LEAF;
}

struct walk {
    owner_leaf_fn *fn;
    void *user;
    size_t leaves; /* seen so far */
};

struct here {
    struct walk *walk;
    struct place place;
    const char *name;
    struct js *copy; /* of what is beneath: an object or array */
};

static int visit(const struct here *here, const struct js *value, struct js **ret,
                 struct error *err);

static int leaf(const struct here *here, const struct js *value, struct js **ret, struct error *err)
{
    struct owner_leaf found = {.name = here->name, .row = row_of(&here->place), .value = value};
    int kept;

    here->walk->leaves++;
    kept = here->walk->fn(here->walk->user, &found, err);
    if (kept == LEAF_KEEP)
        *ret = js_copy(value);
    return kept < 0 ? -1 : 0;
}

static int wrong_shape(const struct here *here, const char *what, struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is not %s", here->name, what);
}

static int unclassified(const char *name, struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "'%s' is no field of a Pod that the table knows (Kubernetes %s): nobody has "
                     "said whose it is",
                     name, OWNERS_KUBERNETES);
}

static int member(void *user, const char *key, struct js *value, struct error *err)
{
    struct here *parent = user;
    bool is_top = parent->place.depth == 0;
    scoped(freep) char *name = xformat("%s%s%s", parent->name, is_top ? "" : ".", key);
    scoped(freep) char *text = xformat("%s%s", is_top ? "" : ".", key);
    struct here here = {.walk = parent->walk, .name = name};
    scoped(js_freep) struct js *copy = NULL;

    if (!value)
        return 0; /* null is absence */
    if (strpbrk(key, ".[*") || !step(&parent->place, text, strlen(text), &here.place)) {
        if (!step(&parent->place, ".*", 2, &here.place))
            return unclassified(name, err);
    }
    if (visit(&here, value, &copy, err) < 0)
        return -1;
    if (copy)
        js_set(parent->copy, key, take_ptr(copy));
    return 0;
}

static int object(const struct here *here, const struct js *value, struct js **ret,
                  struct error *err)
{
    scoped(js_freep) struct js *copy = js_new_object();
    struct here inside = *here;

    if (js_type(value) != JS_OBJECT)
        return wrong_shape(here, "an object", err);
    if (js_length(value) == 0 && row_of(&here->place))
        return leaf(here, value, ret, err);
    inside.copy = copy;
    if (js_each(value, member, &inside, err) < 0)
        return -1;
    if (js_length(copy))
        *ret = take_ptr(copy);
    return 0;
}

static int element(const struct here *here, const struct js *value, struct js *to,
                   struct error *err)
{
    scoped(js_freep) struct js *copy = NULL;
    size_t before = here->walk->leaves;

    if (visit(here, value, &copy, err) < 0)
        return -1;
    if (here->walk->leaves == before)
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is empty: it says nothing, remove it",
                         here->name);
    if (copy)
        js_append(to, take_ptr(copy));
    return 0;
}

static int list(const struct here *here, const struct js *value, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *copy = js_new_array();
    struct here inside = *here;

    if (js_type(value) != JS_ARRAY)
        return wrong_shape(here, "a list", err);
    if (!step(&here->place, "[]", 2, &inside.place))
        return unclassified(here->name, err);
    for (size_t i = 0; i < js_length(value); i++) {
        scoped(freep) char *name = xformat("%s[%zu]", here->name, i);

        inside.name = name;
        if (element(&inside, js_at(value, i), copy, err) < 0)
            return -1;
        if (js_length(copy) != 0 && js_length(copy) != i + 1)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "'%s': an element would be left out: remove it", here->name);
    }
    if (js_length(copy))
        *ret = take_ptr(copy);
    return 0;
}

static int visit(const struct here *here, const struct js *value, struct js **ret,
                 struct error *err)
{
    const struct owner_row *row = own_row(&here->place);

    if (takes_all(row))
        return leaf(here, value, ret, err);
    switch (shape_of(here->place)) {
    case SHAPE_OBJECT:
        return object(here, value, ret, err);
    case SHAPE_LIST:
        return list(here, value, ret, err);
    case SHAPE_LEAF:
        break;
    }
    if (js_type(value) == JS_OBJECT || js_type(value) == JS_ARRAY)
        return wrong_shape(here, "a single value", err);
    return js_type(value) == JS_NULL ? 0 : leaf(here, value, ret, err);
}

int owners_project(const struct js *pod, owner_leaf_fn *fn, void *user, struct js **ret,
                   struct error *err)
{
    struct walk walk = {.fn = fn, .user = user};
    struct here here = {.walk = &walk, .place = top(), .name = ""};
    scoped(js_freep) struct js *copy = NULL;

    if (js_type(pod) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a Pod is an object");
    if (object(&here, pod, &copy, err) < 0)
        return -1;
    *ret = copy ? take_ptr(copy) : js_new_object();
    return 0;
}

static int take_leaf(void *user, const struct owner_leaf *leaf, struct error *err)
{
    const unsigned *owners = user;

    (void) err;
    return *owners & BIT(leaf->row->owner) ? LEAF_KEEP : LEAF_DROP;
}

static int merge_member(void *user, const char *key, struct js *value, struct error *err)
{
    struct js *to = user, *old = js_get(to, key);

    if (js_type(old) == JS_OBJECT && js_type(value) == JS_OBJECT)
        return js_each(value, merge_member, old, err);
    js_set(to, key, js_copy(value));
    return 0;
}

/* Lists are of one realm, so that none has to be merged. */
int owners_take(const struct js *pod, unsigned owners, struct js *to, struct error *err)
{
    scoped(js_freep) struct js *taken = NULL;

    if (owners_project(pod, take_leaf, &owners, &taken, err) < 0)
        return -1;
    return js_each(taken, merge_member, to, err);
}
