/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"

#include <stdbool.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "base/toml.h"

static void free_strings(char **strings)
{
    for (char **p = strings; p && *p; p++)
        free(*p);
    free(strings);
}

static void *field_of(const struct config_key *key, void *target)
{
    return (char *) target + key->offset;
}

static void clear_field(const struct config_key *key, void *target)
{
    void *field = field_of(key, target);

    switch (key->type) {
    case CONFIG_STRING:
        free(*(char **) field);
        *(char **) field = NULL;
        break;
    case CONFIG_STRINGS:
        free_strings(*(char ***) field);
        *(char ***) field = NULL;
        break;
    case CONFIG_INTEGER:
        *(int64_t *) field = 0;
        break;
    case CONFIG_BOOLEAN:
        *(bool *) field = false;
        break;
    case CONFIG_SIZE:
        *(uint64_t *) field = 0;
        break;
    }
}

static char **copy_strings(const char *const *strings)
{
    size_t count = 0;
    char **copy;

    while (strings && strings[count])
        count++;
    copy = xnew_array(char *, count + 1);
    for (size_t i = 0; i < count; i++)
        copy[i] = xstrdup(strings[i]);
    return copy;
}

static bool out_of_range(const struct config_key *key, int64_t value)
{
    return (key->min != 0 || key->max != 0) && (value < key->min || value > key->max);
}

static int size_value(const struct toml_entry *entry, uint64_t *ret, struct error *err)
{
    if (entry->type == TOML_STRING)
        return text_to_size(entry->string, ret, err);
    if (entry->type != TOML_INTEGER || entry->integer < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "expected a size such as \"512MiB\"");
    *ret = (uint64_t) entry->integer;
    return 0;
}

static int check_type(const struct config_key *key, const struct toml_entry *entry,
                      struct error *err)
{
    static const struct {
        enum toml_type type;
        const char *name;
    } expected[] = {
        [CONFIG_STRING] = {TOML_STRING, "a string"},
        [CONFIG_INTEGER] = {TOML_INTEGER, "an integer"},
        [CONFIG_BOOLEAN] = {TOML_BOOLEAN, "true or false"},
        [CONFIG_STRINGS] = {TOML_STRINGS, "an array of strings"},
    };

    if (key->type == CONFIG_SIZE || expected[key->type].type == entry->type)
        return 0;
    return error_set(err, STATUS_INVALID_ARGUMENT, "expected %s", expected[key->type].name);
}

static int set_field(const struct config_key *key, const struct toml_entry *entry, void *target,
                     struct error *err)
{
    void *field = field_of(key, target);
    uint64_t size = 0;

    if (check_type(key, entry, err) < 0)
        return -1;
    if (key->type == CONFIG_SIZE && size_value(entry, &size, err) < 0)
        return -1;
    if ((key->type == CONFIG_INTEGER && out_of_range(key, entry->integer)) ||
        (key->type == CONFIG_SIZE && (size > INT64_MAX || out_of_range(key, (int64_t) size))))
        return error_set(err, STATUS_OUT_OF_RANGE, "not in %lld..%lld", (long long) key->min,
                         (long long) key->max);
    clear_field(key, target);
    switch (key->type) {
    case CONFIG_STRING:
        *(char **) field = xstrdup(entry->string);
        break;
    case CONFIG_STRINGS:
        *(char ***) field = copy_strings(entry->strings);
        break;
    case CONFIG_INTEGER:
        *(int64_t *) field = entry->integer;
        break;
    case CONFIG_BOOLEAN:
        *(bool *) field = entry->boolean;
        break;
    case CONFIG_SIZE:
        *(uint64_t *) field = size;
        break;
    }
    return 0;
}

/* The default is parsed as a file of one line; a bad one is a bug of the table. A plain word is
 * taken for a string, so that .initial = "qemu:///system" needs no inner quotes. */
static void set_initial(const struct config_key *key, void *target)
{
    scoped(toml_freep) struct toml *toml = NULL;
    scoped(freep) char *line = xformat("initial = %s\n", key->initial);
    const struct toml_entry plain = {.type = TOML_STRING, .string = key->initial};
    const struct toml_entry *entry = &plain;
    struct error err;

    if (toml_parse(line, strlen(line), &toml, &err) == 0)
        entry = toml_find(toml, "", "initial");
    if (set_field(key, entry, target, &err) < 0)
        abort();
}

static void set_defaults(const struct config_key *keys, size_t count, void *target)
{
    for (size_t i = 0; i < count; i++) {
        /* The target may be uninitialised memory: nothing is freed here. */
        void *field = field_of(&keys[i], target);

        switch (keys[i].type) {
        case CONFIG_BOOLEAN:
            *(bool *) field = false;
            break;
        case CONFIG_STRING:
        case CONFIG_STRINGS:
            *(void **) field = NULL;
            break;
        case CONFIG_INTEGER:
        case CONFIG_SIZE:
            *(uint64_t *) field = 0;
            break;
        }
        if (keys[i].initial)
            set_initial(&keys[i], target);
    }
}

static int apply_entry(const struct config_key *keys, size_t count, const struct toml_entry *entry,
                       void *target, struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (text_equal(keys[i].table, entry->table) && text_equal(keys[i].key, entry->key))
            return set_field(&keys[i], entry, target, err);
    return error_set(err, STATUS_INVALID_ARGUMENT, "unknown key");
}

static int apply_text(const char *name, const char *text, const struct config_key *keys,
                      size_t count, void *target, struct error *err)
{
    scoped(toml_freep) struct toml *toml = NULL;
    const struct toml_entry *entries;
    size_t entry_count;

    if (toml_parse(text, strlen(text), &toml, err) < 0)
        return error_wrap(err, "%s", name);
    entries = toml_entries(toml, &entry_count);
    for (size_t i = 0; i < entry_count; i++)
        if (apply_entry(keys, count, &entries[i], target, err) < 0)
            return error_wrap(err, "%s: line %u: %s%s%s", name, entries[i].line, entries[i].table,
                              entries[i].table[0] ? "." : "", entries[i].key);
    return 0;
}

int config_load(const char *path, const struct config_key *keys, size_t count, void *target,
                struct error *err)
{
    scoped(freep) char *text = NULL;
    size_t length;

    set_defaults(keys, count, target);
    if (file_read(path, TOML_SIZE_MAX, &text, &length, err) < 0)
        return -1;
    if (strlen(text) != length)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s: a NUL byte in the text", path);
    return apply_text(path, text, keys, count, target, err);
}

int config_parse(const char *name, const char *text, const struct config_key *keys, size_t count,
                 void *target, struct error *err)
{
    set_defaults(keys, count, target);
    return apply_text(name, text, keys, count, target, err);
}

void config_clear(const struct config_key *keys, size_t count, void *target)
{
    for (size_t i = 0; i < count; i++)
        clear_field(&keys[i], target);
}
