/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/random.h"
#include "base/scoped.h"
#include "base/text.h"

enum { TREE_DEPTH_MAX = 256 };

SCOPED_PTR(DIR, closedir)

int file_read(const char *path, size_t limit, char **ret, size_t *ret_length, struct error *err)
{
    scoped(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    scoped(freep) char *data = NULL;
    size_t capacity = 0, length = 0;

    if (fd < 0)
        return error_errno(err, errno, "open '%s'", path);
    for (;;) {
        ssize_t got;

        /* One byte more than the limit is asked for, so that a file of just the limit ends. */
        if (capacity - length < 2) {
            capacity = capacity ? capacity * 2 : 4096;
            data = xrealloc(data, capacity);
        }
        got = read(fd, data + length, capacity - length - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(err, errno, "read '%s'", path);
        if (got == 0)
            break;
        length += (size_t) got;
        if (length > limit)
            return error_set(err, STATUS_RESOURCE_EXHAUSTED, "'%s' is larger than %zu bytes", path,
                             limit);
    }
    data[length] = '\0';
    *ret = take_ptr(data);
    if (ret_length)
        *ret_length = length;
    return 0;
}

static int write_all(int fd, const void *data, size_t length)
{
    const char *next = data;

    while (length > 0) {
        ssize_t put = write(fd, next, length);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        next += put;
        length -= (size_t) put;
    }
    return 0;
}

static int sync_parent(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    scoped(freep) char *parent = slash && slash != path ? xstrndup(path, (size_t) (slash - path))
                                                        : xstrdup(slash ? "/" : ".");
    scoped(closep) int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return error_errno(err, errno, "sync directory '%s'", parent);
    return 0;
}

int file_write_atomic(const char *path, const void *data, size_t length, mode_t mode,
                      struct error *err)
{
    scoped(freep) char *temporary = NULL;
    scoped(closep) int fd = -1;
    uint8_t salt[6];
    char suffix[2 * sizeof salt + 1];

    random_bytes(salt, sizeof salt);
    hex_encode(salt, sizeof salt, suffix);
    temporary = xformat("%s.new-%s", path, suffix);
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return error_errno(err, errno, "create '%s'", temporary);
    if (fchmod(fd, mode) < 0 || write_all(fd, data, length) < 0 || fsync(fd) < 0 ||
        rename(temporary, path) < 0) {
        (void) error_errno(err, errno, "write '%s'", path);
        (void) unlink(temporary);
        return -1;
    }
    return sync_parent(path, err);
}

int file_make_directories(const char *path, mode_t mode, struct error *err)
{
    scoped(freep) char *partial = xstrdup(path);
    struct stat info;

    for (char *slash = partial; slash;) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        if (partial[0] && mkdir(partial, mode) < 0 && errno != EEXIST)
            return error_errno(err, errno, "make directory '%s'", partial);
        if (slash)
            *slash = '/';
    }
    if (stat(path, &info) < 0)
        return error_errno(err, errno, "make directory '%s'", path);
    if (!S_ISDIR(info.st_mode))
        return error_errno(err, ENOTDIR, "make directory '%s'", path);
    return 0;
}

static int mount_of(int fd, uint64_t *ret)
{
    struct statx info;

    if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &info) < 0)
        return -1;
    *ret = info.stx_mnt_id;
    return 0;
}

/* Empties the directory, takes fd. Recursive: a tree has no other shape; the depth is bounded. */
static int empty_directory(int taken_fd, unsigned depth, const char *path, struct error *err)
{
    scoped(closep) int fd = taken_fd;
    scoped(closedirp) DIR *directory = NULL;
    const struct dirent *entry;
    uint64_t mount, inner_mount;

    if (depth > TREE_DEPTH_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "'%s' is nested too deep", path);
    if (mount_of(fd, &mount) < 0)
        return error_errno(err, errno, "stat in '%s'", path);
    directory = fdopendir(fd);
    if (!directory)
        return error_errno(err, errno, "list in '%s'", path);
    int at = take_fd(fd);

    while (errno = 0, (entry = readdir(directory)) != NULL) {
        int inner;

        if (text_equal(entry->d_name, ".") || text_equal(entry->d_name, ".."))
            continue;
        if (unlinkat(at, entry->d_name, 0) == 0 || errno == ENOENT)
            continue;
        if (errno != EISDIR && errno != EPERM)
            return error_errno(err, errno, "remove '%s' in '%s'", entry->d_name, path);
        inner = openat(at, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (inner < 0)
            return error_errno(err, errno, "open '%s' in '%s'", entry->d_name, path);
        if (mount_of(inner, &inner_mount) < 0 || inner_mount != mount) {
            (void) close(inner);
            return error_set(err, STATUS_FAILED_PRECONDITION, "'%s' in '%s' is a mount point",
                             entry->d_name, path);
        }
        if (empty_directory(inner, depth + 1, path, err) < 0)
            return -1;
        if (unlinkat(at, entry->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT)
            return error_errno(err, errno, "remove '%s' in '%s'", entry->d_name, path);
    }
    if (errno)
        return error_errno(err, errno, "list in '%s'", path);
    return 0;
}

int file_remove_tree(const char *path, struct error *err)
{
    int fd;

    if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR)
        return 0;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "remove '%s'", path);
    if (empty_directory(fd, 0, path, err) < 0)
        return -1;
    if (rmdir(path) < 0 && errno != ENOENT)
        return error_errno(err, errno, "remove '%s'", path);
    return 0;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

int file_put(const char *path, const char *value, struct error *err)
{
    scoped(closep) int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    size_t length = strlen(value);
    ssize_t put;

    if (fd < 0)
        return error_errno(err, errno, "open '%s'", path);
    do
        put = write(fd, value, length);
    while (put < 0 && errno == EINTR);
    if (put < 0)
        return error_errno(err, errno, "write '%s' to '%s'", value, path);
    if ((size_t) put != length)
        return error_set(err, STATUS_INTERNAL, "short write to '%s'", path);
    return 0;
}

int file_lock(const char *path, int *ret_fd, struct error *err)
{
    scoped(closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return error_errno(err, errno, "open '%s'", path);
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return error_errno(err, errno, "lock '%s'", path);
    *ret_fd = take_fd(fd);
    return 0;
}
