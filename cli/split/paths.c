/* SPDX-License-Identifier: Apache-2.0 */
#include "paths.h"

#include <stddef.h>
#include <string.h>

#include "base/scoped.h"
#include "base/text.h"

bool paths_is_relative(const char *path)
{
    if (!path || !*path)
        return false;
    for (;;) {
        size_t length = strcspn(path, "/");
        scoped(freep) char *component = xstrndup(path, length);

        if (!*component || text_equal(component, ".") || text_equal(component, ".."))
            return false;
        if (!path[length])
            return true;
        path += length + 1;
    }
}

bool paths_is_absolute(const char *path)
{
    return path && path[0] == '/' && paths_is_relative(path + 1);
}
