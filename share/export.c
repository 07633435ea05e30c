/* SPDX-License-Identifier: Apache-2.0 */
#include "export.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

static bool is_name(const char *name, size_t length)
{
    if (length == 0 || length >= sizeof(((struct export *) 0)->name) || name[0] == '.')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char) name[i]) && !strchr("-_.", name[i]))
            return false;
    return true;
}

static int parse_options(const char *text, size_t length, struct export *ret, struct error *err)
{
    static const struct {
        const char *text;
        enum export_access access;
        enum export_propagation propagation;
    } known[] = {
        {"ro", EXPORT_READ_ONLY, EXPORT_PRIVATE},      {"rw", EXPORT_READ_WRITE, EXPORT_PRIVATE},
        {"rro", EXPORT_ALL_READ_ONLY, EXPORT_PRIVATE}, {"ro,slave", EXPORT_READ_ONLY, EXPORT_SLAVE},
        {"rw,slave", EXPORT_READ_WRITE, EXPORT_SLAVE},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strlen(known[i].text) != length || strncmp(known[i].text, text, length) != 0)
            continue;
        ret->access = known[i].access;
        ret->propagation = known[i].propagation;
        return 0;
    }
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "options '%.*s' of a share: 'ro', 'rw', 'rro', 'ro,slave' or 'rw,slave'",
                     (int) length, text);
}

int export_parse_nameless(const char *text, struct export *ret, struct error *err)
{
    const char *path = strchr(text, ':');
    struct export export = {0};

    if (!path || path[1] != '/')
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "'%.256s' is no share: OPTIONS:/PATH is expected", text);
    if (parse_options(text, (size_t) (path - text), &export, err) < 0)
        return -1;
    export.path = path + 1;
    *ret = export;
    return 0;
}

int export_parse(const char *text, struct export *ret, struct error *err)
{
    const char *options = strchr(text, ':');
    struct export export;

    if (!options || !is_name(text, (size_t) (options - text)))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "'%.256s' is no share: NAME:OPTIONS:/PATH is expected", text);
    if (export_parse_nameless(options + 1, &export, err) < 0)
        return -1;
    memcpy(export.name, text, (size_t) (options - text));
    *ret = export;
    return 0;
}
