/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/reference_member.h"

#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"

void *reference_keep(struct reference_arena *arena, size_t size)
{
    void *block = xalloc(size);

    arena->blocks = xrealloc(arena->blocks, (arena->count + 1) * sizeof(*arena->blocks));
    arena->blocks[arena->count++] = block;
    return block;
}

void reference_arena_fini(struct reference_arena *arena)
{
    for (size_t i = 0; i < arena->count; i++)
        free(arena->blocks[i]);
    free(arena->blocks);
    *arena = (struct reference_arena){0};
}

int reference_error(struct error *err, const char *wanted)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "%s is wanted", wanted);
}

struct walk {
    const struct reference_members *members;
    const struct reference_target *target;
};

static int read_member(void *user, const char *key, struct js *value, struct error *err)
{
    const struct walk *walk = user;

    for (size_t i = 0; i < walk->members->count; i++) {
        const struct reference_member *member = &walk->members->list[i];

        if (!text_equal(key, member->name))
            continue;
        if (member->read(walk->target, value, err) < 0)
            return error_wrap(err, "%s", key);
        return 0;
    }
    return error_set(err, STATUS_INVALID_ARGUMENT, "there is no member '%s' in this format", key);
}

int reference_read_members(const struct js *object, const struct reference_members *members,
                           const struct reference_target *target, struct error *err)
{
    const struct walk walk = {members, target};

    if (js_type(object) != JS_OBJECT)
        return reference_error(err, "an object");
    for (size_t i = 0; i < members->count; i++)
        if (members->list[i].needed && !js_get(object, members->list[i].name))
            return error_set(err, STATUS_INVALID_ARGUMENT, "%s is missing", members->list[i].name);
    return js_each(object, read_member, (void *) &walk, err);
}

static int read_digest(const struct js *value, const struct reference_list *list, uint8_t *to,
                       struct error *err)
{
    /* Kept zeroed. */
    if (list->zero == REFERENCE_ZERO && text_equal(js_string(value), "0"))
        return 0;
    return reference_read_hex(value, to, list->size, err);
}

int reference_read_list(const struct js *array, struct reference_arena *arena,
                        struct reference_list *list, struct error *err)
{
    size_t count = js_length(array);
    uint8_t *values;

    if (js_type(array) != JS_ARRAY || !count || count > REFERENCE_LIST_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a list of 1 to %d is wanted",
                         REFERENCE_LIST_MAX);
    values = reference_keep(arena, count * list->size);
    for (size_t i = 0; i < count; i++)
        if (read_digest(js_at(array, i), list, values + i * list->size, err) < 0)
            return error_wrap(err, "[%zu]", i);
    list->values = values;
    list->count = count;
    return 0;
}

int reference_read_number(const struct js *value, uint64_t max, uint64_t *ret, struct error *err)
{
    uint64_t number;

    if (!js_unsigned(value, &number) || number > max)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a number up to %llu is wanted",
                         (unsigned long long) max);
    *ret = number;
    return 0;
}

int reference_read_hex(const struct js *value, void *to, size_t size, struct error *err)
{
    const char *text = js_string(value);

    if (!text || hex_decode(text, to, size, err) < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%zu hexadecimal digits are wanted",
                         2 * size);
    return 0;
}

int reference_read_text(const struct js *value, const char **ret, struct error *err)
{
    const char *text = js_string(value);

    if (!text || !*text)
        return reference_error(err, "a text");
    *ret = text;
    return 0;
}

int reference_read_word(const struct js *value, const char *const words[2], unsigned *ret,
                        struct error *err)
{
    for (unsigned i = 0; i < 2; i++) {
        if (!text_equal(js_string(value), words[i]))
            continue;
        *ret = i;
        return 0;
    }
    return error_set(err, STATUS_INVALID_ARGUMENT, "\"%s\" or \"%s\" is wanted", words[0],
                     words[1]);
}
