/* SPDX-License-Identifier: Apache-2.0 */
#include "volume_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "io/fd.h"

enum { DEPTH_MAX = 8, TARGET_SIZE = 4096, ATTEMPTS = 5 };

static struct volume_file *add(struct volume_tree *tree, const char *path, const struct stat *st)
{
    struct volume_file *file;

    tree->files = xrealloc(tree->files, (tree->count + 1) * sizeof(*tree->files));
    file = &tree->files[tree->count++];
    *file = (struct volume_file){
        .path = xstrdup(path), .mode = st->st_mode & 07777, .uid = st->st_uid, .gid = st->st_gid};
    return file;
}

static int read_file(int fd, const struct stat *st, struct volume_file *file,
                     struct volume_tree *tree, struct error *err)
{
    size_t length = (size_t) st->st_size;

    file->type = VOLUME_FILE;
    if (length > VOLUME_TREE_FILE_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "'%.100s' is larger than %d KiB",
                         file->path, VOLUME_TREE_FILE_MAX >> 10);
    if (length > VOLUME_TREE_BYTES_MAX - tree->bytes)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "it holds more than %d MiB",
                         VOLUME_TREE_BYTES_MAX >> 20);
    file->data = xalloc(length + 1);
    file->length = length;
    tree->bytes += length;
    return length ? fd_read_full(fd, file->data, length, err) : 0;
}

/* Nothing that leads out: the guest would refuse it too. */
static int read_link(int parent, const char *name, struct volume_file *file, struct error *err)
{
    char target[TARGET_SIZE];
    ssize_t length = readlinkat(parent, name, target, sizeof(target) - 1);

    if (length <= 0)
        return error_errno(err, errno, "read the link '%.100s'", file->path);
    target[length] = '\0';
    if (target[0] == '/' || text_equal(target, "..") || text_starts(target, "../") ||
        text_ends(target, "/..") || strstr(target, "/../"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "the link '%.100s' leads out of it",
                         file->path);
    file->type = VOLUME_LINK;
    file->length = (size_t) length;
    file->data = xstrdup(target);
    return 0;
}

static int other_kind(const char *path, struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "'%.100s' is neither a file nor a directory nor a link", path);
}

static int read_directory(int fd, const char *path, unsigned depth, struct volume_tree *tree,
                          struct error *err);

static int read_open(int fd, const char *path, unsigned depth, struct volume_tree *tree,
                     struct error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return error_errno(err, errno, "look at '%.100s'", path);
    if (S_ISDIR(st.st_mode)) {
        add(tree, path, &st)->type = VOLUME_DIRECTORY;
        return read_directory(fd, path, depth + 1, tree, err);
    }
    if (!S_ISREG(st.st_mode))
        return other_kind(path, err);
    return read_file(fd, &st, add(tree, path, &st), tree, err);
}

static int read_member(int parent, const char *name, const char *path, unsigned depth,
                       struct volume_tree *tree, struct error *err)
{
    struct stat st;

    if (tree->count >= VOLUME_TREE_FILES_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "it holds more than %d files",
                         VOLUME_TREE_FILES_MAX);
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, errno, "look at '%.100s'", path);
    if (S_ISLNK(st.st_mode))
        return read_link(parent, name, add(tree, path, &st), err);
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) /* opening a device may do something */
        return other_kind(path, err);
    scoped(closep) int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "open '%.100s'", path);
    return read_open(fd, path, depth, tree, err);
}

static int read_directory(int fd, const char *path, unsigned depth, struct volume_tree *tree,
                          struct error *err)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    int r = 0;

    if (!stream) {
        closep(&copy);
        return error_errno(err, errno, "list '%.100s'", path);
    }
    if (depth > DEPTH_MAX)
        r = error_set(err, STATUS_INVALID_ARGUMENT, "'%.100s' is nested too deep", path);
    while (r == 0) {
        errno = 0; /* half a list must not pass for a whole one */
        const struct dirent *entry = readdir(stream);
        if (!entry)
            break;
        scoped(freep) char *inside = xformat("%s%s%s", path, *path ? "/" : "", entry->d_name);
        if (!text_equal(entry->d_name, ".") && !text_equal(entry->d_name, ".."))
            r = read_member(fd, entry->d_name, inside, depth, tree, err);
    }
    if (r == 0 && errno)
        r = error_errno(err, errno, "list '%.100s'", path);
    closedir(stream);
    return r;
}

static int take_looks(int fd, struct volume_tree *tree, struct error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return error_errno(err, errno, "look at it");
    tree->mode = st.st_mode & 07777;
    tree->uid = st.st_uid;
    tree->gid = st.st_gid;
    return 0;
}

char *volume_tree_version(const char *directory)
{
    scoped(freep) char *path = xformat("%s/..data", directory);
    char target[TARGET_SIZE];
    ssize_t length = readlink(path, target, sizeof(target) - 1);

    return length > 0 ? xstrndup(target, (size_t) length) : NULL;
}

/* One version, or an error; the version may have gone meanwhile. */
static int read_version(const char *directory, const char *version, struct volume_tree **ret,
                        struct error *err)
{
    scoped(volume_tree_freep) struct volume_tree *tree = xnew(struct volume_tree);
    scoped(closep) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    scoped(closep) int data = -1;

    if (fd < 0)
        return error_errno(err, errno, "open it");
    if (strchr(version, '/') || text_equal(version, ".."))
        return error_set(err, STATUS_INVALID_ARGUMENT, "its ..data leads out of it");
    tree->version = xstrdup(version);
    data = openat(fd, version, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (data < 0)
        return error_errno(err, errno, "open '%.100s'", version);
    if (take_looks(fd, tree, err) < 0 || read_open(data, "", 0, tree, err) < 0)
        return -1;
    *ret = take_ptr(tree);
    return 0;
}

int volume_tree_read_live(const char *directory, struct volume_tree **ret, struct error *err)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        scoped(freep) char *before = volume_tree_version(directory);
        scoped(freep) char *after = NULL;
        int r;

        if (!before)
            return error_set(err, STATUS_FAILED_PRECONDITION,
                             "volume '%s': it has no ..data, kubelet has not filled it", directory);
        r = read_version(directory, before, ret, err);
        after = volume_tree_version(directory);
        if (text_equal(before, after))
            return r < 0 ? error_wrap(err, "volume '%s'", directory) : 0;
        if (r == 0)
            volume_tree_free(take_ptr(*ret));
    }
    return error_set(err, STATUS_UNAVAILABLE, "volume '%s': it does not cease to change",
                     directory);
}

int volume_tree_read_once(const char *path, struct volume_tree **ret, struct error *err)
{
    scoped(volume_tree_freep) struct volume_tree *tree = xnew(struct volume_tree);
    scoped(closep) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, errno, "open '%s'", path);
    tree->version = xstrdup("");
    tree->mode = 0755;
    if (read_open(fd, S_ISDIR(st.st_mode) ? "" : "file", 0, tree, err) < 0)
        return error_wrap(err, "volume '%s'", path);
    *ret = take_ptr(tree);
    return 0;
}

void volume_tree_free(struct volume_tree *tree)
{
    if (!tree)
        return;
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->files[i].data)
            bytes_wipe(tree->files[i].data, tree->files[i].length);
        free(tree->files[i].data);
        free(tree->files[i].path);
    }
    free(tree->files);
    free(tree->version);
    free(tree);
}
