/* SPDX-License-Identifier: Apache-2.0 */
#include "share_name.h"

#include <stddef.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"

int share_name_set(struct share_name *name, const char *text, struct error *err)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t length = strlen(text);

    if (length == 0 || length > SHARE_NAME_MAX || strspn(text, allowed) != length ||
        text_equal(text, ".") || text_equal(text, ".."))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%.100s' is no name of a live volume",
                         text);
    memcpy(name->text, text, length + 1);
    name->fd = -1;
    return 0;
}
