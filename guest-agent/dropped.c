/* SPDX-License-Identifier: Apache-2.0 */
#include "dropped.h"

#include <stdio.h>

#include "base/log.h"
#include "base/text.h"

enum { NAME_MAX_SHOWN = 96 };

void dropped_add(struct dropped *dropped, const char *what, const char *name)
{
    size_t room = sizeof(dropped->text) - dropped->length;
    char word[NAME_MAX_SHOWN + 64];
    int length = snprintf(word, sizeof(word), "%s%s%s%.*s", dropped->count ? ", " : "", what,
                          *name ? " " : "", NAME_MAX_SHOWN, name);

    dropped->count++;
    if (length < 0 || (size_t) length >= sizeof(word) || (size_t) length >= room) {
        dropped->unnamed++;
        return;
    }
    text_make_utf8(word); /* the name may have been cut within a letter */
    for (char *c = word; *c; c++) {
        if ((unsigned char) *c < ' ' || *c == 127)
            *c = '?';
    }
    (void) snprintf(dropped->text + dropped->length, room, "%s", word);
    dropped->length += (size_t) length;
}

void dropped_log(const struct dropped *dropped, const char *whose)
{
    char more[40] = "";

    if (dropped->count == 0)
        return;
    if (dropped->unnamed > 0)
        (void) snprintf(more, sizeof(more), " and %zu more", dropped->unnamed);
    log_info("sealed: %s: what came differs from the manifest and was dropped: %s%s", whose,
             dropped->text, more);
}
