/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/scoped.h"

enum { PATH_SIZE = 4096 };

static char *beside_us(const char *file)
{
    char self[PATH_SIZE];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    if (n <= 0)
        return NULL;
    self[n] = '\0';
    slash = strrchr(self, '/');
    if (!slash)
        return NULL;
    *slash = '\0';
    return xformat("%s/%s", self, file);
}

char *program_find(const char *file)
{
    scoped(freep) char *beside = beside_us(file);

    return beside && program_is(beside) ? take_ptr(beside) : program_in_path(file);
}

char *program_in_path(const char *file)
{
    const char *path = getenv("PATH");
    scoped(freep) char *copy = xstrdup(path ? path : "/usr/local/bin:/usr/bin:/bin");
    char *rest = copy, *directory;

    while ((directory = strsep(&rest, ":"))) {
        char *candidate = xformat("%s/%s", directory, file);

        if (directory[0] == '/' && program_is(candidate))
            return candidate;
        free(candidate);
    }
    return NULL;
}

bool program_is(const char *path)
{
    return access(path, X_OK) == 0;
}
