/* SPDX-License-Identifier: Apache-2.0 */
#include "mountinfo.h"

#include <stdbool.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"

enum { LIST_MAX = 32 * 1024 * 1024 };

struct mount_line {
    char *device; /* "8:1" */
    char *root;   /* of the mount, in its file system */
    char *point;
};

static bool is_octal(const char *digits)
{
    return strspn(digits, "01234567") >= 3;
}

/* The kernel writes what would end a field as \ooo. */
static void unescape(char *text)
{
    char *out = text;

    for (const char *in = text; *in; out++) {
        if (in[0] == '\\' && is_octal(in + 1)) {
            *out = (char) ((in[1] - '0') << 6 | (in[2] - '0') << 3 | (in[3] - '0'));
            in += 4;
        } else {
            *out = *in++;
        }
    }
    *out = '\0';
}

/* "36 35 98:0 /root /point ...". False: it is none of them. Writes into the line. */
static bool parse(char *line, struct mount_line *ret)
{
    char *fields[5];

    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        fields[i] = strsep(&line, " ");
        if (!fields[i] || !line)
            return false;
    }
    unescape(fields[3]);
    unescape(fields[4]);
    *ret = (struct mount_line){.device = fields[2], .root = fields[3], .point = fields[4]};
    return true;
}

/* What follows the directory in the path, without a slash before it; NULL: it is not beneath. */
static const char *beneath(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    while (length > 0 && directory[length - 1] == '/')
        length--;
    if (strncmp(path, directory, length) != 0 || (path[length] && path[length] != '/'))
        return NULL;
    return path + length + (path[length] == '/');
}

static bool is_same(const char *a, const char *b)
{
    struct stat first, second;

    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

static size_t parse_all(char *text, struct mount_line **ret)
{
    size_t count = 0, lines = 1;
    struct mount_line *list;

    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    list = xnew_array(struct mount_line, lines);
    for (char *line; (line = strsep(&text, "\n"));)
        count += parse(line, &list[count]);
    *ret = list;
    return count;
}

/* Where else the same thing is to be seen. */
static char *find(const struct mount_line *list, size_t count, const struct mount_line *wanted,
                  const char *below)
{
    for (size_t i = 0; i < count; i++) {
        const char *inside = beneath(wanted->root, list[i].root), *rest;

        if (!inside || &list[i] == wanted || !text_equal(list[i].device, wanted->device))
            continue;
        scoped(freep) char *path = xformat("%s%s%s",
                                           text_equal(list[i].point, "/") ? "" : list[i].point,
                                           *inside ? "/" : "", inside);
        rest = beneath(path, below);
        if (rest && is_same(path, wanted->point))
            return xstrdup(rest);
    }
    return NULL;
}

/* The kernel's list knows no links. */
static char *without_links(const char *path)
{
    char *real = realpath(path, NULL);

    return real ? real : xstrdup(path);
}

int mountinfo_origin(const char *list, const char *point, const char *below, char **ret,
                     struct error *err)
{
    scoped(freep) struct mount_line *lines = NULL;
    scoped(freep) char *text = NULL, *real = without_links(point);
    scoped(freep) char *directory = without_links(below);
    const struct mount_line *wanted = NULL;
    size_t length, count;

    if (file_read(list ? list : "/proc/self/mountinfo", LIST_MAX, &text, &length, err) < 0)
        return -1;
    count = parse_all(text, &lines);
    for (size_t i = 0; i < count; i++) {
        if (text_equal(lines[i].point, real))
            wanted = &lines[i]; /* the last one is on top */
    }
    if (!wanted)
        return error_set(err, STATUS_FAILED_PRECONDITION, "'%s' is not mounted", point);
    *ret = find(lines, count, wanted, directory);
    if (!*ret)
        return error_set(err, STATUS_FAILED_PRECONDITION, "what is mounted at '%s' is not in '%s'",
                         point, below);
    return 0;
}
