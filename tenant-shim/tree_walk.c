/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a tree whose contents are an image's, that is, anybody's: nothing is opened through a link,
 * nothing on another mount is read, devices and sockets stay behind, as they do when the guest
 * unpacks a layer. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "tar.h"
#include "tree.h"

enum {
    PATH_SIZE = 4096,
    DEPTH_MAX = 256,
    NAMES_MAX = 1000 * 1000, /* of one directory */
    LINKS_MAX = 1000 * 1000,
    XATTRS_MAX = 64,
    XATTR_MAX = 64 * 1024,
    COPY = 64 * 1024,
};

/* A file with several names, by the first of them. */
struct link {
    uint64_t device, inode;
    char *path;
};

struct walk {
    struct tar *tar;
    uint64_t mount;
    struct link *links; /* open addressing; a power of two, or none */
    size_t link_slots, link_count;
    unsigned depth;
    size_t length; /* of path */
    char path[PATH_SIZE];
    uint8_t buffer[COPY];
};

struct names {
    char **list;
    size_t count;
};

/* ---- names with several files behind them ----------------------------------------------------
 */

static struct link *find_slot(struct link *links, size_t slots, const struct statx *st)
{
    uint64_t device = (uint64_t) st->stx_dev_major << 32 | st->stx_dev_minor;
    size_t i = (size_t) ((st->stx_ino * UINT64_C(0x9e3779b97f4a7c15) ^ device) & (slots - 1));

    while (links[i].path && (links[i].device != device || links[i].inode != st->stx_ino))
        i = (i + 1) & (slots - 1);
    links[i].device = device;
    links[i].inode = st->stx_ino;
    return &links[i];
}

static void grow_links(struct walk *walk)
{
    size_t slots = walk->link_slots ? 2 * walk->link_slots : 256;
    struct link *links = xnew_array(struct link, slots);

    for (size_t i = 0; i < walk->link_slots; i++) {
        struct link *old = &walk->links[i];
        struct statx st = {.stx_ino = old->inode,
                           .stx_dev_major = (uint32_t) (old->device >> 32),
                           .stx_dev_minor = (uint32_t) old->device};

        if (old->path)
            find_slot(links, slots, &st)->path = old->path;
    }
    free(walk->links);
    walk->links = links;
    walk->link_slots = slots;
}

/* The name under which the file went into the tar already; NULL the first time. */
static int note_link(struct walk *walk, const struct statx *st, const char **ret, struct error *err)
{
    struct link *link;

    *ret = NULL;
    if (st->stx_nlink < 2)
        return 0;
    if (walk->link_count == LINKS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d files with several names",
                         LINKS_MAX);
    if (2 * (walk->link_count + 1) > walk->link_slots)
        grow_links(walk);
    link = find_slot(walk->links, walk->link_slots, st);
    *ret = link->path;
    if (!link->path) {
        link->path = xstrdup(walk->path);
        walk->link_count++;
    }
    return 0;
}

/* ---- one entry --------------------------------------------------------------------------------
 */

static int look(int directory, const char *name, struct statx *ret)
{
    return statx(directory, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH,
                 STATX_BASIC_STATS | STATX_MNT_ID, ret);
}

static uint64_t mount_of(const struct statx *st)
{
    return st->stx_mask & STATX_MNT_ID ? st->stx_mnt_id
                                       : (uint64_t) st->stx_dev_major << 32 | st->stx_dev_minor;
}

static bool same_file(const struct statx *a, const struct statx *b)
{
    return a->stx_dev_major == b->stx_dev_major && a->stx_dev_minor == b->stx_dev_minor &&
           a->stx_ino == b->stx_ino && mount_of(a) == mount_of(b) &&
           (a->stx_mode & S_IFMT) == (b->stx_mode & S_IFMT);
}

/* What was looked at, and not what somebody put in its place meanwhile: a mount, a device. */
static int open_entry(const struct walk *walk, int directory, const char *name,
                      const struct statx *st, struct error *err)
{
    int flags = S_ISDIR(st->stx_mode) ? O_DIRECTORY : O_NONBLOCK | O_NOCTTY;
    scoped(closep) int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | flags);
    struct statx opened;

    if (fd < 0 || look(fd, "", &opened) < 0)
        return error_errno(err, errno, "open '%s'", walk->path);
    if (!same_file(st, &opened))
        return error_set(err, STATUS_ABORTED, "'%s' changed while it was read", walk->path);
    return take_fd(fd);
}

static struct tar_entry entry_of(const struct walk *walk, const struct statx *st)
{
    return (struct tar_entry){
        .path = walk->path,
        .mode = st->stx_mode & 07777,
        .uid = st->stx_uid,
        .gid = st->stx_gid,
        .modified = st->stx_mtime.tv_sec,
        .modified_ns = st->stx_mtime.tv_nsec,
    };
}

struct xattrs {
    struct tar_xattr list[XATTRS_MAX];
    size_t count;
    char *names;
};

static void xattrs_clear(struct xattrs *xattrs)
{
    for (size_t i = 0; i < xattrs->count; i++)
        free((void *) xattrs->list[i].value);
    free(xattrs->names);
    *xattrs = (struct xattrs){0};
}

static int compare_xattrs(const void *a, const void *b)
{
    return strcmp(((const struct tar_xattr *) a)->name, ((const struct tar_xattr *) b)->name);
}

static int read_xattr(int fd, const char *name, struct xattrs *xattrs, struct error *err)
{
    scoped(freep) char *value = xalloc(XATTR_MAX);
    ssize_t length = fgetxattr(fd, name, value, XATTR_MAX);

    if (length < 0)
        return error_errno(err, errno, "attribute '%s'", name);
    if (xattrs->count == XATTRS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d attributes", XATTRS_MAX);
    xattrs->list[xattrs->count++] = (struct tar_xattr){name, xmemdup(value, (size_t) length),
                                                       (size_t) length};
    return 0;
}

/* Those that the guest takes over; the rest is this node's. */
static int read_xattrs(int fd, struct xattrs *xattrs, struct error *err)
{
    ssize_t length = flistxattr(fd, NULL, 0);

    if (length <= 0)
        return length == 0 || errno == ENOTSUP ? 0 : error_errno(err, errno, "attributes");
    xattrs->names = xalloc((size_t) length + 1);
    length = flistxattr(fd, xattrs->names, (size_t) length);
    if (length < 0)
        return error_errno(err, errno, "attributes");
    xattrs->names[length] = '\0';
    for (const char *name = xattrs->names; name < xattrs->names + length;
         name += strlen(name) + 1) {
        if ((text_equal(name, "security.capability") || text_starts(name, "user.")) &&
            read_xattr(fd, name, xattrs, err) < 0)
            return -1;
    }
    qsort(xattrs->list, xattrs->count, sizeof(*xattrs->list), compare_xattrs);
    return 0;
}

static int copy(struct walk *walk, int fd, uint64_t left, struct error *err)
{
    while (left > 0) {
        size_t want = left < COPY ? (size_t) left : COPY;
        ssize_t n = read(fd, walk->buffer, want);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, errno, "read '%s'", walk->path);
        if (n == 0)
            return error_set(err, STATUS_ABORTED, "'%s' got shorter while it was read", walk->path);
        if (tar_data(walk->tar, walk->buffer, (size_t) n, err) < 0)
            return -1;
        left -= (uint64_t) n;
    }
    return 0;
}

static int put_with_xattrs(struct walk *walk, int fd, struct tar_entry *entry, struct error *err)
{
    scoped(xattrs_clear) struct xattrs xattrs = {0};
    int r;

    if (read_xattrs(fd, &xattrs, err) < 0)
        return error_wrap(err, "'%s'", walk->path);
    entry->xattrs = xattrs.list;
    entry->xattr_count = xattrs.count;
    r = tar_entry(walk->tar, entry, err);
    entry->xattrs = NULL;
    entry->xattr_count = 0;
    return r;
}

static int put_file(struct walk *walk, int directory, const char *name, const struct statx *st,
                    struct error *err)
{
    scoped(closep) int fd = open_entry(walk, directory, name, st, err);
    struct tar_entry entry = entry_of(walk, st);

    if (fd < 0)
        return -1;
    if (note_link(walk, st, &entry.target, err) < 0)
        return -1;
    if (entry.target) {
        entry.kind = TAR_HARDLINK;
        return tar_entry(walk->tar, &entry, err);
    }
    entry.kind = TAR_FILE;
    entry.size = st->stx_size;
    if (put_with_xattrs(walk, fd, &entry, err) < 0)
        return -1;
    return copy(walk, fd, entry.size, err);
}

static int put_symlink(struct walk *walk, int directory, const char *name, const struct statx *st,
                       struct error *err)
{
    struct tar_entry entry = entry_of(walk, st);
    char target[PATH_SIZE];
    ssize_t n = readlinkat(directory, name, target, sizeof(target));

    if (n < 0)
        return error_errno(err, errno, "read the link '%s'", walk->path);
    if (n == 0 || (size_t) n >= sizeof(target))
        return error_set(err, STATUS_INVALID_ARGUMENT, "the link '%s' is too long", walk->path);
    target[n] = '\0';
    entry.kind = TAR_SYMLINK;
    entry.target = target;
    return tar_entry(walk->tar, &entry, err);
}

/* ---- directories ------------------------------------------------------------------------------
 */

static void names_clear(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
    *names = (struct names){0};
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Takes fd. The order on disk is the file system's whim. */
static int read_names(int fd, struct names *names, struct error *err)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    size_t room = 0;
    int number;

    if (!dir) {
        close(fd);
        return error_errno(err, errno, "read a directory");
    }
    while ((errno = 0, entry = readdir(dir)) && names->count < NAMES_MAX) {
        if (text_equal(entry->d_name, ".") || text_equal(entry->d_name, ".."))
            continue;
        if (names->count == room) {
            room = room ? 2 * room : 32;
            names->list = xrealloc(names->list, room * sizeof(*names->list));
        }
        names->list[names->count++] = xstrdup(entry->d_name);
    }
    number = errno;
    closedir(dir);
    if (names->count > 1)
        qsort(names->list, names->count, sizeof(*names->list), compare_names);
    if (number)
        return error_errno(err, number, "read a directory");
    if (entry)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "a directory has more than %d names",
                         NAMES_MAX);
    return 0;
}

static int put_entry(struct walk *walk, int directory, const char *name, struct error *err);

static int put_names(struct walk *walk, int directory, struct error *err)
{
    scoped(names_clear) struct names names = {0};
    int again = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    size_t length = walk->length;

    if (again < 0)
        return error_errno(err, errno, "open '%s'", walk->path);
    if (read_names(again, &names, err) < 0)
        return error_wrap(err, "'%s'", walk->path);
    for (size_t i = 0; i < names.count; i++) {
        size_t more = strlen(names.list[i]);

        if (text_starts(names.list[i], ".wh."))
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "'%s%s' cannot be sent: in a layer such a name deletes a file",
                             walk->path, names.list[i]);
        if (length + more + 2 > PATH_SIZE)
            return error_set(err, STATUS_INVALID_ARGUMENT, "a path under '%s' is too long",
                             walk->path);
        memcpy(walk->path + length, names.list[i], more + 1);
        walk->length = length + more;
        if (put_entry(walk, directory, names.list[i], err) < 0)
            return -1;
        walk->length = length;
        walk->path[length] = '\0';
    }
    return 0;
}

static int put_directory(struct walk *walk, int directory, const char *name, const struct statx *st,
                         struct error *err)
{
    scoped(closep) int fd = open_entry(walk, directory, name, st, err);
    struct tar_entry entry = entry_of(walk, st);
    int r;

    if (fd < 0)
        return -1;
    if (walk->depth == DEPTH_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is nested too deep", walk->path);
    walk->path[walk->length++] = '/';
    walk->path[walk->length] = '\0';
    entry.kind = TAR_DIRECTORY;
    if (put_with_xattrs(walk, fd, &entry, err) < 0)
        return -1;
    if (mount_of(st) != walk->mount) /* somebody's mount point: itself, and nothing behind it */
        return 0;
    walk->depth++;
    r = put_names(walk, fd, err);
    walk->depth--;
    return r;
}

static int put_entry(struct walk *walk, int directory, const char *name, struct error *err)
{
    struct statx st;
    struct tar_entry entry;

    if (look(directory, name, &st) < 0)
        return error_errno(err, errno, "look at '%s'", walk->path);
    if (S_ISDIR(st.stx_mode))
        return put_directory(walk, directory, name, &st, err);
    if (mount_of(&st) != walk->mount)
        return 0;
    switch (st.stx_mode & S_IFMT) {
    case S_IFREG:
        return put_file(walk, directory, name, &st, err);
    case S_IFLNK:
        return put_symlink(walk, directory, name, &st, err);
    case S_IFIFO:
        entry = entry_of(walk, &st);
        entry.kind = TAR_FIFO;
        return tar_entry(walk->tar, &entry, err);
    default: /* a device, a socket */
        return 0;
    }
}

static int walk_root(struct walk *walk, int root, struct error *err)
{
    struct statx st;

    if (look(root, "", &st) < 0)
        return error_errno(err, errno, "look at the root");
    walk->mount = mount_of(&st);
    struct tar_entry entry = entry_of(walk, &st);

    entry.path = "./";
    entry.kind = TAR_DIRECTORY;
    if (put_with_xattrs(walk, root, &entry, err) < 0 || put_names(walk, root, err) < 0)
        return -1;
    return tar_finish(walk->tar, err);
}

int tree_write(int root, int to, struct error *err)
{
    struct walk *walk = xnew(struct walk);
    int r;

    walk->tar = tar_new(to);
    r = walk_root(walk, root, err);
    for (size_t i = 0; i < walk->link_slots; i++)
        free(walk->links[i].path);
    free(walk->links);
    tar_free(walk->tar);
    free(walk);
    return r;
}
