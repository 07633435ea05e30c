/* SPDX-License-Identifier: Apache-2.0 */
#include "account.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"

enum { FIELDS_MAX = 7 };

struct record {
    char *line;
    const char *fields[FIELDS_MAX];
};

static void clear_record(struct record *record)
{
    free(record->line);
}

/* The next line that has fields; false: there is none. */
static bool next(const char **text, struct record *record)
{
    char *at;

    free(record->line);
    *record = (struct record){0};
    if (!*text || !**text)
        return false;
    record->line = xstrndup(*text, strcspn(*text, "\n"));
    *text += strcspn(*text, "\n");
    *text += **text == '\n';
    at = record->line;
    for (size_t i = 0; i < FIELDS_MAX; i++) {
        char *colon = strchr(at, ':');

        record->fields[i] = at;
        if (!colon)
            break;
        *colon = '\0';
        at = colon + 1;
    }
    return true;
}

static bool number(const char *text, int64_t *ret)
{
    return text && text_to_i64(text, ret) && *ret >= 0 && *ret <= INT_MAX;
}

int64_t account_group_of(const char *text, int64_t uid)
{
    scoped(clear_record) struct record record = {0};
    int64_t id, gid;

    while (next(&text, &record)) {
        if (number(record.fields[2], &id) && id == uid && number(record.fields[3], &gid))
            return gid;
    }
    return 0;
}

int account_find(const char *text, const char *name, int64_t *ret_uid, int64_t *ret_gid,
                 struct error *err)
{
    scoped(clear_record) struct record record = {0};
    int64_t uid, gid;

    while (next(&text, &record)) {
        if (!text_equal(record.fields[0], name) || !number(record.fields[2], &uid) ||
            !number(record.fields[3], &gid))
            continue;
        *ret_uid = uid;
        *ret_gid = gid;
        return 0;
    }
    return error_set(err, STATUS_NOT_FOUND, "the image's /etc/passwd has no user '%.64s'", name);
}
