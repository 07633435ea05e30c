/* SPDX-License-Identifier: Apache-2.0 */
#include "beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"

enum { NAME_SIZE = 256, ATTEMPTS = 64 };

static int resolve(int directory, const char *path, uint64_t how_to)
{
    struct open_how how = {
        .flags = O_PATH | O_CLOEXEC,
        .resolve = how_to | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };

    int fd = -1;

    while (*path == '/')
        path++;
    /* Renames anywhere in the system can make the kernel unsure of a "..": it says so. */
    for (int i = 0; i < ATTEMPTS && (i == 0 || (fd < 0 && errno == EAGAIN)); i++)
        fd = (int) syscall(SYS_openat2, directory, *path ? path : ".", &how, sizeof(how));
    return fd;
}

static int failed(const char *path, struct error *err)
{
    if (errno == EXDEV || errno == ELOOP)
        return error_set(err, STATUS_PERMISSION_DENIED, "'%.100s' leads out of it", path);
    return error_errno(err, errno, "open '%.100s' in it", path);
}

int beneath_open(int directory, const char *path, int *ret, struct error *err)
{
    int fd = resolve(directory, path, RESOLVE_BENEATH);

    if (fd < 0)
        return failed(path, err);
    *ret = fd;
    return 0;
}

/* With its looks from the first moment: who can write there may put another directory in its place
 * before we could set them, and would have those of the other one changed. */
static int make_directory(int parent, const char *name, const struct stat *st, uid_t uid)
{
    mode_t mask = umask(0);
    int group = setfsgid(st->st_gid), user = setfsuid(uid), saved;
    int r = mkdirat(parent, name, st->st_mode & 07777);

    saved = errno;
    (void) setfsuid((uid_t) user);
    (void) setfsgid((gid_t) group);
    (void) umask(mask);
    errno = saved;
    return r;
}

/* One more component; `parent` is O_PATH, so that its own looks are asked for by it. One that its
 * owner may not write to gets a directory of root's. */
static int make_one(int parent, const char *name, struct error *err)
{
    struct stat st;

    if (fstat(parent, &st) < 0 || !S_ISDIR(st.st_mode))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' would be in a file", name);
    if (make_directory(parent, name, &st, st.st_uid) == 0 || errno == EEXIST ||
        (errno == EACCES && make_directory(parent, name, &st, 0) == 0))
        return 0;
    return error_errno(err, errno, "make '%s'", name);
}

/* Each step is resolved from the top anew, so that ".." and links mean what they say there. */
static int make(int directory, const char *path, uint64_t how_to, int *ret, struct error *err)
{
    scoped(closep) int parent = resolve(directory, "", how_to);
    scoped(freep) char *so_far = xstrdup(path);

    for (const char *at = path; parent >= 0;) {
        char name[NAME_SIZE];
        size_t length;
        int fd;

        at += strspn(at, "/");
        length = strcspn(at, "/");
        if (length == 0) {
            *ret = take_fd(parent);
            return 0;
        }
        if (length >= sizeof(name))
            return error_set(err, STATUS_INVALID_ARGUMENT, "a name in '%.100s' is too long", path);
        memcpy(name, at, length);
        name[length] = '\0';
        at += length;
        memcpy(so_far, path, (size_t) (at - path));
        so_far[at - path] = '\0';
        fd = resolve(directory, so_far, how_to);
        if (fd < 0 && errno == ENOENT) {
            if (make_one(parent, name, err) < 0)
                return -1;
            fd = resolve(directory, so_far, how_to);
        }
        closep(&parent);
        parent = fd;
    }
    return failed(path, err);
}

int beneath_make(int directory, const char *path, int *ret, struct error *err)
{
    return make(directory, path, RESOLVE_BENEATH, ret, err);
}

int beneath_make_in_root(int root, const char *path, int *ret, struct error *err)
{
    return make(root, path, RESOLVE_IN_ROOT, ret, err);
}

static int make_target(int fd, const char *path, struct error *err)
{
    struct statx stat;
    int r;

    /* It may be the tenant's node's, which is not asked here. */
    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &stat) < 0)
        return error_errno(err, errno, "look at what is mounted");
    if (!S_ISDIR(stat.stx_mode) && !S_ISREG(stat.stx_mode))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "what is to be mounted is neither a file nor a directory");
    r = S_ISDIR(stat.stx_mode) ? mkdir(path, 0700) : mknod(path, S_IFREG | 0600, 0);
    return r < 0 ? error_errno(err, errno, "make '%s'", path) : 0;
}

static int name_of(int fd, char ret[PATH_MAX], struct error *err)
{
    char link[32];
    ssize_t length;

    if (text_format(link, sizeof(link), err, "/proc/self/fd/%d", fd) < 0)
        return -1;
    length = readlink(link, ret, PATH_MAX - 1);
    if (length < 0)
        return error_errno(err, errno, "read '%s'", link);
    ret[length] = '\0';
    return 0;
}

static int name_within(int root, int fd, const char *rest, char **ret, struct error *err)
{
    char whole[PATH_MAX], head[PATH_MAX];
    size_t length;

    if (name_of(root, head, err) < 0 || name_of(fd, whole, err) < 0)
        return -1;
    length = text_equal(head, "/") ? 0 : strlen(head);
    if (strncmp(whole, head, length) != 0 || (whole[length] && whole[length] != '/'))
        return error_set(err, STATUS_INTERNAL, "'%.100s' is not in '%.100s'", whole, head);
    *ret = xformat("%s%s", text_equal(whole + length, "/") ? "" : whole + length, rest);
    return 0;
}

int beneath_real(int root, const char *path, char **ret, struct error *err)
{
    size_t length = strlen(path);

    for (;;) {
        scoped(freep) char *head = xstrndup(path, length);
        scoped(closep) int fd = resolve(root, head, RESOLVE_IN_ROOT);

        if (fd >= 0)
            return name_within(root, fd, path + length, ret, err);
        if (length == 0 || (errno != ENOENT && errno != ENOTDIR))
            return failed(path, err);
        while (length > 0 && path[--length] != '/')
            ;
    }
}

int beneath_bind(int fd, const char *path, struct error *err)
{
    if (make_target(fd, path, err) < 0)
        return -1;
    scoped(closep) int tree = open_tree(fd, "",
                                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (tree < 0 || move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return error_errno(err, errno, "mount at '%s'", path);
    return 0;
}
