/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "export.h"
#include "kernel_view.h"

enum { LIST_MAX = 32 * 1024 * 1024 };

static const char *refused_type(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFSOCK:
        return "a UNIX socket of this node has no peer in the guest";
    case S_IFIFO:
        return "a FIFO of this node has no other end in the guest";
    case S_IFCHR:
    case S_IFBLK:
        return "a device of this node is none of the guest";
    default:
        return "it is neither a directory nor a regular file";
    }
}

int source_open(const char *path, struct source *ret, struct error *err)
{
    scoped(closep) int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLOEXEC);
    struct stat stat;
    int failed;

    if (fd < 0 || fstat(fd, &stat) < 0)
        return error_errno(err, errno, "open '%s'", path);
    if (!S_ISDIR(stat.st_mode) && !S_ISREG(stat.st_mode))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' cannot be shared: %s", path,
                         refused_type(stat.st_mode));
    failed = kernel_view_check(fd);
    if (failed == -EACCES)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "'%s' cannot be shared: it is a view of this node's kernel", path);
    if (failed < 0)
        return error_errno(err, -failed, "look at '%s'", path);
    *ret = (struct source){.fd = take_fd(fd),
                           .is_directory = S_ISDIR(stat.st_mode),
                           .device = stat.st_dev,
                           .inode = stat.st_ino};
    return 0;
}

void source_close(struct source *source)
{
    closep(&source->fd);
    source->fd = -1;
}

/* As the kernel writes it in its list of mounts. `to` has room for four times as much. */
static void escape(const char *path, char *to)
{
    for (; *path; path++) {
        if (strchr(" \t\n\\", *path))
            to += sprintf(to, "\\%03o", (unsigned) *path);
        else
            *to++ = *path;
    }
    *to = '\0';
}

static int escaped_path(const struct source *source, int proc, char *to, struct error *err)
{
    char path[PATH_MAX], link[32];
    ssize_t length;

    if (text_format(link, sizeof(link), err, "self/fd/%d", source->fd) < 0)
        return -1;
    length = readlinkat(proc, link, path, sizeof(path) - 1);
    if (length < 0)
        return error_errno(err, errno, "read '/proc/%s'", link);
    path[length] = '\0';
    escape(path, to);
    return 0;
}

/* "36 35 98:0 /root /point ...": is the point there or below? */
static bool is_below(const char *line, const char *path)
{
    size_t length = strlen(path);

    for (int i = 0; i < 4 && line; i++) {
        line = strchr(line, ' ');
        line = line ? line + 1 : NULL;
    }
    if (!line || strncmp(line, path, length) != 0)
        return false;
    return line[length] == ' ' || line[length] == '/' || text_equal(path, "/");
}

int source_identify(struct source *source, int proc, struct error *err)
{
    scoped(digest_freep) struct digest *digest = digest_new(DIGEST_SHA256);
    char path[4 * PATH_MAX];
    scoped(freep) char *line = NULL;
    size_t size = 0, total = 0;
    ssize_t length;
    int fd;
    FILE *list;

    if (escaped_path(source, proc, path, err) < 0)
        return -1;
    fd = openat(proc, "self/mountinfo", O_RDONLY | O_CLOEXEC);
    list = fd < 0 ? NULL : fdopen(fd, "r");
    if (!list)
        return error_errno(err, errno, "open the list of mounts");
    while (total < LIST_MAX && (length = getline(&line, &size, list)) > 0) {
        total += (size_t) length;
        if (is_below(line, path))
            digest_update(digest, line, (size_t) length);
    }
    (void) fclose(list);
    digest_value(digest, source->mounts);
    return 0;
}

bool source_is_same(const struct source *a, const struct source *b)
{
    return a->device == b->device && a->inode == b->inode &&
           memcmp(a->mounts, b->mounts, sizeof(a->mounts)) == 0;
}

int source_clone(const struct source *source, const struct export *export, int *ret,
                 struct error *err)
{
    static const struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    struct mount_attr all = {
        .attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID,
        .propagation = export->propagation == EXPORT_SLAVE ? MS_SLAVE : MS_PRIVATE,
    };
    scoped(closep) int tree = open_tree(
        source->fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH);

    if (tree < 0)
        return error_errno(err, errno, "take '%s' for a share", export->path);
    if (export->access == EXPORT_ALL_READ_ONLY)
        all.attr_set |= MOUNT_ATTR_RDONLY;
    if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &all, sizeof(all)) < 0)
        return error_errno(err, errno, "set the flags of the share '%s'", export->path);
    if (export->access == EXPORT_READ_ONLY &&
        mount_setattr(tree, "", AT_EMPTY_PATH, (struct mount_attr *) &read_only,
                      sizeof(read_only)) < 0)
        return error_errno(err, errno, "make the share '%s' read-only", export->path);
    *ret = take_fd(tree);
    return 0;
}
