/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The strict TOML subset of our configuration files and of initdata: [table] headers (bare or
 * quoted, dotted), `key = value` with a bare or quoted key (no dotted keys), values: "basic" and
 * 'literal' strings, '''multi-line''' and """multi-line""", integers, true, false, arrays of
 * strings (may span lines). Comments. Anything else is an error with its line; so is a key that
 * stands twice. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct toml;

enum toml_type { TOML_STRING, TOML_INTEGER, TOML_BOOLEAN, TOML_STRINGS };

struct toml_entry {
    const char *table; /* "" at the top */
    const char *key;
    enum toml_type type;
    unsigned line;
    const char *string;
    int64_t integer;
    bool boolean;
    const char *const *strings; /* NULL-terminated */
};

enum { TOML_SIZE_MAX = 64 * 1024 };

int toml_parse(const char *text, size_t length, struct toml **ret, struct error *err)
    __attribute__((warn_unused_result));
void toml_free(struct toml *toml);
static inline void toml_freep(struct toml **p)
{
    if (*p)
        toml_free(*p);
}
const struct toml_entry *toml_entries(const struct toml *toml, size_t *ret_count);
const struct toml_entry *toml_find(const struct toml *toml, const char *table, const char *key);
