/* SPDX-License-Identifier: Apache-2.0 */
#include "layer_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "layer_archive.h"
#include "layer_room.h"

/* What an entry costs beside its content: inode, name and dentry, rounded up. */
enum { ENTRY_COST = 1024 };

/* One place in the tree: the open parent directory and the last component. */
struct place {
    int parent;
    const char *name; /* "" for the root itself; points into the path */
};

static void place_fini(struct place *place)
{
    closep(&place->parent);
}

static int take(struct layer_tree *tree, uint64_t bytes, struct error *err)
{
    if (layer_room_grow(tree->room, tree->taken, bytes, err) < 0)
        return -1;
    tree->taken += bytes;
    return 0;
}

void layer_tree_fini(struct layer_tree *tree)
{
    for (size_t i = 0; i < tree->implied_count; i++)
        free(tree->implied[i]);
    free(tree->implied);
    tree->implied = NULL;
    tree->implied_count = 0;
}

/* "./a//b/", "/a/b" and "a/b" are a/b; "" is the root; ".." is refused even where it would be
 * harmless. */
static int path_clean(const char *path, char ret[LAYER_PATH_MAX], struct error *err)
{
    size_t length = 0;

    for (const char *from = path; *from;) {
        size_t part = strcspn(from, "/");

        if (part == 2 && from[0] == '.' && from[1] == '.')
            return error_set(err, STATUS_INVALID_ARGUMENT, "entry '%s' leaves the layer", path);
        if (part > 255)
            return error_set(err, STATUS_INVALID_ARGUMENT, "entry '%.64s...' has a name too long",
                             path);
        if (part && !(part == 1 && from[0] == '.')) {
            if (length + part + 2 > LAYER_PATH_MAX)
                return error_set(err, STATUS_INVALID_ARGUMENT, "entry '%.64s...' is too long",
                                 path);
            if (length)
                ret[length++] = '/';
            memcpy(ret + length, from, part);
            length += part;
        }
        from += part;
        from += *from == '/';
    }
    ret[length] = '\0';
    return 0;
}

/* Links are followed, but as if the tree were the whole file system. */
static int open_in(const struct layer_tree *tree, const char *path, int flags)
{
    struct open_how how = {
        .flags = (uint64_t) (flags | O_CLOEXEC),
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };

    return (int) syscall(SYS_openat2, tree->root, *path ? path : ".", &how, sizeof(how));
}

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static int set_opaque(int parent, const char *name)
{
    scoped(closep) int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -1 : fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0);
}

/* A dangling link or a file in the place of a parent: to replace it is not ours to decide. */
static bool is_in_the_way(int parent, const char *name)
{
    struct stat st;

    return fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !is_whiteout(&st) &&
           !S_ISDIR(st.st_mode);
}

/* What hid a directory of the layers below and now is one itself still hides the old content. */
static int make_directory(int parent, const char *name)
{
    struct stat st;

    if (mkdirat(parent, name, 0755) == 0)
        return 0;
    if (errno != EEXIST || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    if (S_ISDIR(st.st_mode))
        return 0;
    if (unlinkat(parent, name, 0) < 0 || mkdirat(parent, name, 0755) < 0)
        return -1;
    return is_whiteout(&st) ? set_opaque(parent, name) : 0;
}

static void imply(struct layer_tree *tree, const char *path)
{
    if (tree->implied_count == LAYER_IMPLIED_MAX)
        return;
    if (tree->implied_count % 64 == 0)
        tree->implied = xrealloc(tree->implied,
                                 (tree->implied_count + 64) * sizeof(*tree->implied));
    tree->implied[tree->implied_count++] = xstrdup(path);
}

static void no_longer_implied(struct layer_tree *tree, const char *path)
{
    for (size_t i = 0; i < tree->implied_count; i++)
        if (text_equal(tree->implied[i], path)) {
            free(tree->implied[i]);
            tree->implied[i] = tree->implied[--tree->implied_count];
            return;
        }
}

/* Makes the missing directories above a path, one at a time, each found from the root anew. */
static int make_parents(struct layer_tree *tree, char *directory, struct error *err)
{
    for (char *end = directory; end;) {
        end = strchr(end, '/');
        if (end)
            *end = '\0';
        scoped(closep) int there = open_in(tree, directory, O_PATH | O_DIRECTORY);
        if (there < 0) {
            char *slash = strrchr(directory, '/');
            scoped(closep) int above = -1;

            if (slash)
                *slash = '\0';
            above = open_in(tree, slash ? directory : "", O_PATH | O_DIRECTORY);
            if (slash)
                *slash = '/';
            if (above >= 0 && is_in_the_way(above, slash ? slash + 1 : directory))
                return error_set(err, STATUS_INVALID_ARGUMENT,
                                 "'%s' is used as a directory and is none", directory);
            if (above < 0 || make_directory(above, slash ? slash + 1 : directory) < 0)
                return error_errno(err, errno, "make directory '%s'", directory);
            if (take(tree, ENTRY_COST, err) < 0)
                return -1;
            imply(tree, directory);
        }
        if (end)
            *end++ = '/';
    }
    return 0;
}

enum parents { PARENTS_MAKE, PARENTS_EXIST };

/* path is clean; ret->name points into it. */
static int place_find(struct layer_tree *tree, const char *path, enum parents parents,
                      struct place *ret, struct error *err)
{
    const char *slash = strrchr(path, '/');
    char directory[LAYER_PATH_MAX];

    ret->name = slash ? slash + 1 : path;
    memcpy(directory, path, slash ? (size_t) (slash - path) : 0);
    directory[slash ? slash - path : 0] = '\0';
    int fd = open_in(tree, directory, O_PATH | O_DIRECTORY);
    if (fd < 0 && parents == PARENTS_MAKE && (errno == ENOENT || errno == ENOTDIR)) {
        if (make_parents(tree, directory, err) < 0)
            return -1;
        fd = open_in(tree, directory, O_PATH | O_DIRECTORY);
    }
    if (fd < 0)
        return error_errno(err, errno, "find '%s' in the layer", path);
    ret->parent = fd;
    return 0;
}

/* Only what a container's programs need: never trusted.*, which overlayfs would obey. */
static int copy_xattrs(int fd, struct layer_tree *tree, struct layer_archive *archive,
                       const struct layer_entry *entry, struct error *err)
{
    const char *name;
    const void *value;
    size_t length;

    while (layer_archive_xattr(archive, &name, &value, &length)) {
        if (!name || (!text_equal(name, "security.capability") && !text_starts(name, "user.")))
            continue;
        if (length > LAYER_XATTR_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' has an attribute too long",
                             entry->path);
        if (take(tree, length, err) < 0)
            return -1;
        /* tmpfs has no user.* before Linux 6.6: left out, as it would be by a copy. */
        if (fsetxattr(fd, name, value, length, 0) < 0 && errno != ENOTSUP)
            return error_errno(err, errno, "set attribute '%s' of '%s'", name, entry->path);
    }
    return 0;
}

static void entry_times(const struct layer_entry *entry, struct timespec ret[2])
{
    ret[0] = ret[1] = (struct timespec){.tv_sec = entry->modified, .tv_nsec = entry->modified_ns};
}

/* Owner before mode and attributes: changing it clears both. */
static int dress(int fd, struct layer_tree *tree, struct layer_archive *archive,
                 const struct layer_entry *entry, struct error *err)
{
    struct timespec times[2];

    entry_times(entry, times);
    if (fchown(fd, entry->uid, entry->gid) < 0 || fchmod(fd, entry->mode) < 0)
        return error_errno(err, errno, "set owner and mode of '%s'", entry->path);
    if (copy_xattrs(fd, tree, archive, entry, err) < 0)
        return -1;
    if (futimens(fd, times) < 0)
        return error_errno(err, errno, "set the time of '%s'", entry->path);
    return 0;
}

static int write_piece(int fd, const uint8_t *data, size_t length, off_t offset)
{
    while (length) {
        ssize_t n = pwrite(fd, data, length, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        length -= (size_t) n;
        offset += n;
    }
    return 0;
}

static int write_content(int fd, struct layer_tree *tree, struct layer_archive *archive,
                         const struct layer_entry *entry, struct error *err)
{
    const void *data;
    size_t length;
    off_t offset;
    int r;

    while ((r = layer_archive_data(archive, &data, &length, &offset, err)) > 0) {
        if ((uint64_t) offset > entry->size || length > entry->size - (uint64_t) offset)
            return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is longer than it says",
                             entry->path);
        if (take(tree, length, err) < 0)
            return -1;
        if (write_piece(fd, data, length, offset) < 0)
            return error_errno(err, errno, "write '%s'", entry->path);
    }
    if (r < 0)
        return -1;
    if (ftruncate(fd, (off_t) entry->size) < 0) /* a hole at the end */
        return error_errno(err, errno, "write '%s'", entry->path);
    return 0;
}

/* The last of several entries with one name holds, as with every other unpacker. */
static int clear_name(const struct place *place, const struct layer_entry *entry, struct error *err)
{
    if (unlinkat(place->parent, place->name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno == EISDIR)
        return error_set(err, STATUS_INVALID_ARGUMENT, "entry '%s' replaces a directory",
                         entry->path);
    return error_errno(err, errno, "replace '%s'", entry->path);
}

static int add_file(struct layer_tree *tree, struct layer_archive *archive,
                    const struct layer_entry *entry, const struct place *place, struct error *err)
{
    scoped(closep) int fd = openat(place->parent, place->name,
                                   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return error_errno(err, errno, "make '%s'", entry->path);
    if (write_content(fd, tree, archive, entry, err) < 0)
        return -1;
    return dress(fd, tree, archive, entry, err);
}

static int add_directory(struct layer_tree *tree, struct layer_archive *archive,
                         const struct layer_entry *entry, const struct place *place,
                         struct error *err)
{
    scoped(closep) int fd = -1;

    if (*place->name && make_directory(place->parent, place->name) < 0)
        return error_errno(err, errno, "make directory '%s'", entry->path);
    fd = openat(place->parent, *place->name ? place->name : ".",
                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "open directory '%s'", entry->path);
    return dress(fd, tree, archive, entry, err);
}

static int add_symlink(const struct layer_entry *entry, const struct place *place,
                       struct error *err)
{
    struct timespec times[2];

    entry_times(entry, times);
    if (symlinkat(entry->target, place->parent, place->name) < 0 ||
        fchownat(place->parent, place->name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        utimensat(place->parent, place->name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, errno, "make link '%s'", entry->path);
    return 0;
}

static int add_hardlink(struct layer_tree *tree, const struct layer_entry *entry,
                        const struct place *place, struct error *err)
{
    scoped(place_fini) struct place target = {.parent = -1};
    char path[LAYER_PATH_MAX];
    struct stat st, other;

    if (path_clean(entry->target, path, err) < 0 ||
        place_find(tree, path, PARENTS_EXIST, &target, err) < 0)
        return error_wrap(err, "link '%s'", entry->path);
    if (!*target.name || fstatat(target.parent, target.name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        is_whiteout(&st) || S_ISDIR(st.st_mode))
        return error_set(err, STATUS_INVALID_ARGUMENT, "link '%s' to '%s', which is no file",
                         entry->path, entry->target);
    /* A link to itself is what is there already. */
    if (fstatat(place->parent, place->name, &other, AT_SYMLINK_NOFOLLOW) == 0 &&
        other.st_ino == st.st_ino && other.st_dev == st.st_dev)
        return 0;
    if (clear_name(place, entry, err) < 0)
        return -1;
    if (linkat(target.parent, target.name, place->parent, place->name, 0) < 0)
        return error_errno(err, errno, "link '%s' to '%s'", entry->path, entry->target);
    return 0;
}

static int add_fifo(const struct layer_entry *entry, const struct place *place, struct error *err)
{
    if (mknodat(place->parent, place->name, S_IFIFO | 0600, 0) < 0 ||
        fchownat(place->parent, place->name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(place->parent, place->name, entry->mode, 0) < 0)
        return error_errno(err, errno, "make '%s'", entry->path);
    return 0;
}

/* ".wh.NAME" hides NAME of the layers below, ".wh..wh..opq" all of them in its directory. Neither
 * touches what this layer itself brings, before or after it. */
static int add_whiteout(const struct layer_entry *entry, const struct place *place,
                        struct error *err)
{
    const char *hidden = place->name + strlen(".wh.");
    struct stat st;

    if (text_equal(hidden, ".wh..opq")) {
        if (set_opaque(place->parent, ".") < 0)
            return error_errno(err, errno, "make the directory of '%s' opaque", entry->path);
        return 0;
    }
    if (text_starts(hidden, ".wh.")) /* bookkeeping of a file system of old */
        return 0;
    if (!*hidden || text_equal(hidden, ".") || text_equal(hidden, ".."))
        return error_set(err, STATUS_INVALID_ARGUMENT, "entry '%s' hides nothing", entry->path);
    if (mknodat(place->parent, hidden, S_IFCHR, makedev(0, 0)) == 0)
        return 0;
    if (errno != EEXIST)
        return error_errno(err, errno, "hide '%s'", entry->path);
    if (fstatat(place->parent, hidden, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        (S_ISDIR(st.st_mode) && set_opaque(place->parent, hidden) < 0))
        return error_errno(err, errno, "hide '%s'", entry->path);
    return 0;
}

static int add_entry(struct layer_tree *tree, struct layer_archive *archive,
                     const struct layer_entry *entry, struct error *err)
{
    scoped(place_fini) struct place place = {.parent = -1};
    char path[LAYER_PATH_MAX] = "";

    if (path_clean(entry->path, path, err) < 0)
        return -1;
    if (entry->kind == LAYER_OTHER) /* a container's /dev is its own; a node here could only harm */
        return 0;
    if (!*path && entry->kind != LAYER_DIRECTORY)
        return error_set(err, STATUS_INVALID_ARGUMENT, "entry '%s' replaces the root", entry->path);
    if (take(tree, ENTRY_COST, err) < 0)
        return -1;
    if (place_find(tree, path, PARENTS_MAKE, &place, err) < 0)
        return -1;
    if (text_starts(place.name, ".wh."))
        return add_whiteout(entry, &place, err);
    if (entry->kind == LAYER_DIRECTORY) {
        no_longer_implied(tree, path);
        return add_directory(tree, archive, entry, &place, err);
    }
    if (entry->kind == LAYER_HARDLINK)
        return add_hardlink(tree, entry, &place, err);
    if (clear_name(&place, entry, err) < 0)
        return -1;
    if (entry->kind == LAYER_SYMLINK)
        return add_symlink(entry, &place, err);
    if (entry->kind == LAYER_FIFO)
        return add_fifo(entry, &place, err);
    return add_file(tree, archive, entry, &place, err);
}

int layer_tree_unpack(struct layer_tree *tree, struct layer_archive *archive, struct error *err)
{
    struct layer_entry entry;
    int r;

    while ((r = layer_archive_next(archive, &entry, err)) > 0)
        if (add_entry(tree, archive, &entry, err) < 0)
            return -1;
    return r;
}
