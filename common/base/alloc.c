/* SPDX-License-Identifier: Apache-2.0 */
#include "base/scoped.h"

#include <stdarg.h>
#include <stdio.h>

static void *need(void *p)
{
    if (!p) {
        static const char message[] = "out of memory\n";
        (void) !write(STDERR_FILENO, message, sizeof message - 1);
        abort();
    }
    return p;
}

void *xalloc(size_t size)
{
    return need(calloc(1, size ? size : 1));
}

void *xrealloc(void *old, size_t size)
{
    return need(realloc(old, size ? size : 1));
}

void *xmemdup(const void *data, size_t size)
{
    void *copy = need(malloc(size ? size : 1));

    if (size)
        memcpy(copy, data, size);
    return copy;
}

char *xstrdup(const char *text)
{
    return text ? need(strdup(text)) : NULL;
}

char *xstrndup(const char *text, size_t length)
{
    return text ? need(strndup(text, length)) : NULL;
}

char *xformat(const char *fmt, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        text = NULL;
    va_end(args);
    return need(text);
}
