/* SPDX-License-Identifier: Apache-2.0 */
/* Regular files that are open. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/uio.h>

#include "base/scoped.h"
#include "server_private.h"

static int find(const struct server *server, uint64_t id)
{
    return handles_find(server->handles, HANDLE_FILE, id);
}

/* Never with O_APPEND: the kernel writes dirty pages of a mapping through any handle that it has.
 */
int content_open(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    const struct fuse_open_in *in = message->body;
    const struct node *node = nodes_find(server->nodes, message->node);
    struct fuse_open_out out = {.open_flags = FOPEN_KEEP_CACHE};
    int failed, fd;

    /* What was not written has no error to tell when it is closed. */
    if ((in->flags & O_ACCMODE) == O_RDONLY)
        out.open_flags |= FOPEN_NOFLUSH;
    if (node && S_ISDIR(node->type))
        return -EISDIR;
    fd = server_reopen(server, message->node, (int) in->flags & (O_ACCMODE | O_SYNC | O_DSYNC));
    if (fd < 0)
        return fd;
    failed = handles_hold(server->handles, HANDLE_FILE, fd, &out.fh);
    if (failed < 0)
        return failed;
    memcpy(ret, &out, sizeof(out));
    *ret_size = sizeof(out);
    return 0;
}

int content_read(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    const struct fuse_read_in *in = message->body;
    int fd = find(server, in->fh);
    size_t filled = 0;

    if (fd < 0)
        return fd;
    while (filled < in->size) {
        ssize_t got = pread(fd, (char *) ret + filled, in->size - filled,
                            (off_t) (in->offset + filled));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && filled == 0)
            return -errno;
        if (got <= 0)
            break;
        filled += (size_t) got;
    }
    *ret_size = filled;
    return 0;
}

int content_write(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    const struct fuse_write_in *in = message->body;
    struct fuse_write_out out = {0};
    struct iovec data = {.iov_base = (void *) (uintptr_t) message->data,
                         .iov_len = message->length};
    bool appends = in->flags & O_APPEND && !(in->write_flags & FUSE_WRITE_CACHE);
    int fd = find(server, in->fh), failed = 0;
    ssize_t written;

    if (fd < 0)
        return fd;
    if (in->offset > INT64_MAX)
        return -EINVAL; /* -1 would be the file's position */
    if (in->write_flags & FUSE_WRITE_KILL_SUIDGID)
        failed = attribute_drop_set_id(fd, message);
    if (failed < 0)
        return failed;
    do {
        written = pwritev2(fd, &data, 1, (off_t) in->offset, appends ? RWF_APPEND : 0);
    } while (written < 0 && errno == EINTR);
    if (written < 0)
        return -errno;
    out.size = (uint32_t) written;
    memcpy(ret, &out, sizeof(out));
    *ret_size = sizeof(out);
    return 0;
}

int content_release(struct server *server, const struct message *message, void *ret,
                    size_t *ret_size)
{
    const struct fuse_release_in *in = message->body;

    return handles_close(server->handles, HANDLE_FILE, in->fh);
}

/* A file system of the network tells on close() what it could not write. */
int content_flush(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    const struct fuse_flush_in *in = message->body;
    int fd = find(server, in->fh);
    int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (fd < 0)
        return fd;
    if (copy < 0)
        return -errno;
    return close(copy) < 0 ? -errno : 0;
}

int content_fsync(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    const struct fuse_fsync_in *in = message->body;
    int fd = find(server, in->fh);

    if (fd < 0)
        return fd;
    return (in->fsync_flags & FUSE_FSYNC_FDATASYNC ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0;
}

int content_allocate(struct server *server, const struct message *message, void *ret,
                     size_t *ret_size)
{
    const struct fuse_fallocate_in *in = message->body;
    int fd = find(server, in->fh), failed = 0;

    if (fd < 0)
        return fd;
    if (message->uid != 0) /* the message has no flag for it */
        failed = attribute_drop_set_id(fd, message);
    if (failed < 0)
        return failed;
    return fallocate(fd, (int) in->mode, (off_t) in->offset, (off_t) in->length) < 0 ? -errno : 0;
}

int content_seek(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    const struct fuse_lseek_in *in = message->body;
    struct fuse_lseek_out out;
    int fd = find(server, in->fh);
    off_t at;

    if (fd < 0)
        return fd;
    if (in->whence != SEEK_DATA && in->whence != SEEK_HOLE)
        return -EINVAL;
    at = lseek(fd, (off_t) in->offset, (int) in->whence);
    if (at < 0)
        return -errno;
    out.offset = (uint64_t) at;
    memcpy(ret, &out, sizeof(out));
    *ret_size = sizeof(out);
    return 0;
}

/* flock() only: each handle is an open file of its own, to which the lock belongs as in the guest.
 * What would wait does so on a thread of its own. */
int content_lock(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    const struct fuse_lk_in *in = message->body;
    int fd = find(server, in->fh);
    int operation, failed;

    if (fd < 0)
        return fd;
    if (!(in->lk_flags & FUSE_LK_FLOCK))
        return -ENOSYS;
    if (in->lk.type != F_RDLCK && in->lk.type != F_WRLCK && in->lk.type != F_UNLCK)
        return -EINVAL;
    operation = in->lk.type == F_RDLCK ? LOCK_SH : in->lk.type == F_WRLCK ? LOCK_EX : LOCK_UN;
    if (flock(fd, operation | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK || message->opcode != FUSE_SETLKW)
        return -errno;
    failed = locks_wait(server->locks, fd, operation, message->unique);
    return failed < 0 ? failed : NO_REPLY;
}
