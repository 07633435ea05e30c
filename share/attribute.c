/* SPDX-License-Identifier: Apache-2.0 */
/* What is known about a file, and can be set. */
#include <errno.h>
#include <fcntl.h>
#include <sys/vfs.h>

#include "base/scoped.h"
#include "server_private.h"

enum { ATTRIBUTES_SECONDS = 1 };

static int describe(struct server *server, int fd, void *ret, size_t *ret_size)
{
    struct fuse_attr_out out = {.attr_valid = ATTRIBUTES_SECONDS};
    struct statx stat;
    int failed = nodes_stat(fd, &stat);

    if (failed < 0)
        return failed;
    server_fill_attributes(server, &stat, &out.attr);
    memcpy(ret, &out, sizeof(out));
    *ret_size = sizeof(out);
    return 0;
}

int attribute_get(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    int fd = server_node(server, message->node);

    return fd < 0 ? fd : describe(server, fd, ret, ret_size);
}

static int set_owner(int fd, const struct fuse_setattr_in *in)
{
    uid_t uid = in->valid & FATTR_UID ? in->uid : (uid_t) -1;
    gid_t gid = in->valid & FATTR_GID ? in->gid : (gid_t) -1;

    if (!(in->valid & (FATTR_UID | FATTR_GID)))
        return 0;
    return fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* Of a symbolic link it is refused, which the kernel would do as well. */
static int set_mode(const struct server *server, const struct node *node,
                    const struct fuse_setattr_in *in)
{
    if (!(in->valid & FATTR_MODE))
        return 0;
    if (S_ISLNK(node->type))
        return -EOPNOTSUPP;
    return fchmodat(server->own_files, server_fd_name(node->fd).text, in->mode & 07777, 0) < 0
               ? -errno
               : 0;
}

/* One that keeps group members out of its locks, in old times, has no right to execute. */
int attribute_drop_set_id(int fd, const struct message *writer)
{
    struct stat stat;
    mode_t dropped = S_ISUID;

    if (fstat(fd, &stat) < 0)
        return -errno;
    if (stat.st_mode & S_IXGRP || stat.st_gid != writer->gid)
        dropped |= S_ISGID;
    if (!(stat.st_mode & dropped))
        return 0;
    return fchmod(fd, stat.st_mode & 07777 & ~dropped) < 0 ? -errno : 0;
}

static int truncate_open(int fd, const struct message *message)
{
    const struct fuse_setattr_in *in = message->body;
    int failed = in->valid & FATTR_KILL_SUIDGID ? attribute_drop_set_id(fd, message) : 0;

    if (failed < 0)
        return failed;
    return ftruncate(fd, (off_t) in->size) < 0 ? -errno : 0;
}

static int set_size(struct server *server, const struct message *message)
{
    const struct fuse_setattr_in *in = message->body;
    scoped(closep) int reopened = -1;
    int fd;

    if (!(in->valid & FATTR_SIZE))
        return 0;
    if (in->size > INT64_MAX)
        return -EFBIG;
    if (in->valid & FATTR_FH)
        fd = handles_find(server->handles, HANDLE_FILE, in->fh);
    else
        fd = reopened = server_reopen(server, message->node, O_WRONLY);
    return fd < 0 ? fd : truncate_open(fd, message);
}

static struct timespec time_of(uint32_t valid, uint32_t now, uint64_t seconds, uint32_t nanoseconds)
{
    if (!valid)
        return (struct timespec){.tv_nsec = UTIME_OMIT};
    if (now)
        return (struct timespec){.tv_nsec = UTIME_NOW};
    return (struct timespec){.tv_sec = (time_t) seconds, .tv_nsec = nanoseconds};
}

static int set_times(int fd, const struct fuse_setattr_in *in)
{
    const struct timespec times[] = {
        time_of(in->valid & (FATTR_ATIME | FATTR_ATIME_NOW), in->valid & FATTR_ATIME_NOW, in->atime,
                in->atimensec),
        time_of(in->valid & (FATTR_MTIME | FATTR_MTIME_NOW), in->valid & FATTR_MTIME_NOW, in->mtime,
                in->mtimensec),
    };

    if (times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT)
        return 0;
    return utimensat(fd, "", times, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

/* The owner before the mode: a new owner clears the set-user-id bits, and the mode that comes with
 * it is what the guest's kernel means to leave. */
int attribute_set(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    const struct fuse_setattr_in *in = message->body;
    int fd = server_node(server, message->node);
    int failed;

    if (fd < 0)
        return fd;
    failed = set_size(server, message);
    if (failed == 0)
        failed = set_owner(fd, in);
    if (failed == 0)
        failed = set_mode(server, nodes_find(server->nodes, message->node), in);
    if (failed == 0)
        failed = set_times(fd, in);
    return failed < 0 ? failed : describe(server, fd, ret, ret_size);
}

int attribute_readlink(struct server *server, const struct message *message, void *ret,
                       size_t *ret_size)
{
    int fd = server_node(server, message->node);
    ssize_t length;

    if (fd < 0)
        return fd;
    length = readlinkat(fd, "", ret, MESSAGE_TARGET_MAX);
    if (length < 0)
        return errno == ENOENT ? -EINVAL : -errno; /* ENOENT: it is no link */
    *ret_size = (size_t) length;
    return 0;
}

int attribute_statfs(struct server *server, const struct message *message, void *ret,
                     size_t *ret_size)
{
    int fd = server_node(server, message->node);
    struct fuse_statfs_out out = {0};
    struct statfs info;

    if (fd < 0)
        return fd;
    if (fstatfs(fd, &info) < 0)
        return -errno;
    out.st = (struct fuse_kstatfs){.blocks = info.f_blocks,
                                   .bfree = info.f_bfree,
                                   .bavail = info.f_bavail,
                                   .files = info.f_files,
                                   .ffree = info.f_ffree,
                                   .bsize = (uint32_t) info.f_bsize,
                                   .namelen = (uint32_t) info.f_namelen,
                                   .frsize = (uint32_t) info.f_frsize};
    memcpy(ret, &out, sizeof(out));
    *ret_size = sizeof(out);
    return 0;
}
