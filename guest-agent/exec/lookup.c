/* SPDX-License-Identifier: Apache-2.0 */
#include "lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "note.h"
#include "plan.h"

enum { PASSWD_MAX = 1024 * 1024 };

static char *format_path(const char *directory, const char *name)
{
    char *path = NULL;

    if (asprintf(&path, "%s/%s", directory, name) < 0)
        note_fail(ENOMEM, "look up `%.100s`", name);
    return path;
}

/* path is taken over. */
static char *check(char *path)
{
    struct stat status;

    if (access(path, X_OK) == 0 && stat(path, &status) == 0) {
        if (S_ISREG(status.st_mode))
            return path;
        errno = EACCES;
    }
    free(path);
    return NULL;
}

static char *search(const char *name, const char *directories)
{
    int problem = ENOENT;

    while (directories) {
        size_t length = strcspn(directories, ":");
        char directory[4096];
        char *found;

        (void) snprintf(directory, sizeof(directory), "%.*s", (int) length,
                        length ? directories : ".");
        found = length < sizeof(directory) ? check(format_path(length ? directory : ".", name))
                                           : NULL;
        if (found)
            return found;
        if (errno != ENOENT)
            problem = errno;
        directories = directories[length] ? directories + length + 1 : NULL;
    }
    errno = problem;
    return NULL;
}

char *lookup_program(const struct plan *plan)
{
    char *name = plan->arguments[0];

    if (name[0] == '/')
        return check(strdup(name));
    if (name[0] == '.' || strchr(name, '/'))
        return check(format_path(plan->cwd, name));
    errno = ENOENT;
    return search(name, plan_getenv(plan, "PATH"));
}

/* The file is the container's: it may be missing, a pipe, or endless. NULL: there is none. */
static char *read_passwd(void)
{
    int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    size_t length = 0;
    struct stat status;
    char *text;
    ssize_t n;

    if (fd < 0)
        return NULL;
    text = malloc(PASSWD_MAX + 1);
    if (!text || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        free(text);
        (void) close(fd);
        return NULL;
    }
    while (length < PASSWD_MAX && (n = read(fd, text + length, PASSWD_MAX - length)) > 0)
        length += (size_t) n;
    (void) close(fd);
    text[length] = '\0';
    return text;
}

/* "name:password:uid:gid:comment:home:shell". NULL: the line is not that user's. */
static char *home_in(char *line, uint32_t uid)
{
    char *fields[7] = {NULL};
    char *end;

    for (size_t i = 0; i < 7; i++) {
        fields[i] = strsep(&line, ":");
        if (!fields[i] && i < 6)
            return NULL;
    }
    errno = 0;
    if (!*fields[2] || strspn(fields[2], "0123456789") != strlen(fields[2]) ||
        strtoull(fields[2], &end, 10) != uid || errno)
        return NULL;
    return fields[5];
}

void lookup_home(struct plan *plan)
{
    const char *home = NULL;
    char *text, *entry;
    char **end = plan->environment;

    if (plan_getenv(plan, "HOME"))
        return;
    text = read_passwd();
    for (char *line; !home && (line = strsep(&text, "\n"));)
        home = home_in(line, plan->header->uid);
    if (asprintf(&entry, "HOME=%s", home ? home : "/") < 0)
        note_fail(ENOMEM, "set HOME");
    while (*end)
        end++;
    *end = entry;
}
