/* SPDX-License-Identifier: Apache-2.0 */
/* Directories that are open. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

#include "base/scoped.h"
#include "server_private.h"

enum { ENTRIES_SIZE = 32768 };

static int find(const struct server *server, uint64_t id)
{
    return handles_find(server->handles, HANDLE_DIRECTORY, id);
}

int directory_open(struct server *server, const struct message *message, void *ret,
                   size_t *ret_size)
{
    struct fuse_open_out out = {0};
    int fd = server_directory(server, message->node);
    int failed;

    if (fd < 0)
        return fd;
    fd = server_reopen(server, message->node, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return fd;
    failed = handles_hold(server->handles, HANDLE_DIRECTORY, fd, &out.fh);
    if (failed < 0)
        return failed;
    memcpy(ret, &out, sizeof(out));
    *ret_size = sizeof(out);
    return 0;
}

/* One entry as the guest's kernel reads it; 0 if there is no room. */
static size_t put_entry(uint8_t *to, size_t room, const struct dirent64 *from, uint64_t inode)
{
    size_t length = strlen(from->d_name);
    size_t size = FUSE_REC_ALIGN(FUSE_NAME_OFFSET + length);
    const struct fuse_dirent entry = {.ino = inode,
                                      .off = (uint64_t) from->d_off,
                                      .namelen = (uint32_t) length,
                                      .type = from->d_type};

    if (size > room)
        return 0;
    memset(to + FUSE_NAME_OFFSET, 0, size - FUSE_NAME_OFFSET);
    memcpy(to, &entry, FUSE_NAME_OFFSET);
    memcpy(to + FUSE_NAME_OFFSET, from->d_name, length);
    return size;
}

/* What does not fit is read again by the next call, from the offset of the last entry that did. */
int directory_read(struct server *server, const struct message *message, void *ret,
                   size_t *ret_size)
{
    const struct fuse_read_in *in = message->body;
    int fd = find(server, in->fh);
    _Alignas(struct dirent64) char entries[ENTRIES_SIZE];
    size_t filled = 0;
    struct stat stat;
    ssize_t got;

    if (fd < 0)
        return fd;
    if (fstat(fd, &stat) < 0 || lseek(fd, (off_t) in->offset, SEEK_SET) < 0)
        return -errno;
    got = getdents64(fd, entries, sizeof(entries));
    if (got < 0)
        return -errno;
    for (ssize_t at = 0; at < got;) {
        const struct dirent64 *entry = (const void *) (entries + at);
        size_t size = put_entry((uint8_t *) ret + filled, in->size - filled, entry,
                                server_inode(server, stat.st_dev, entry->d_ino));

        if (size == 0)
            break;
        filled += size;
        at += entry->d_reclen;
    }
    *ret_size = filled;
    return 0;
}

int directory_release(struct server *server, const struct message *message, void *ret,
                      size_t *ret_size)
{
    const struct fuse_release_in *in = message->body;

    return handles_close(server->handles, HANDLE_DIRECTORY, in->fh);
}

int directory_fsync(struct server *server, const struct message *message, void *ret,
                    size_t *ret_size)
{
    const struct fuse_fsync_in *in = message->body;
    int fd = find(server, in->fh);

    if (fd < 0)
        return fd;
    return (in->fsync_flags & FUSE_FSYNC_FDATASYNC ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0;
}
