/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes: those of users, and access lists, which are rights like a mode. What else
 * there is gives rights on the node. */
#include <errno.h>
#include <fcntl.h>
#include <sys/xattr.h>

#include "base/scoped.h"
#include "base/text.h"
#include "server_private.h"

static bool is_access_list(const char *name)
{
    return text_equal(name, "system.posix_acl_access") ||
           text_equal(name, "system.posix_acl_default");
}

static bool is_served(const char *name)
{
    return text_starts(name, "user.") || is_access_list(name);
}

/* Others than regular files and directories have none, for which reading them says ENODATA. */
static int open_for(struct server *server, const struct message *message)
{
    int fd;

    if (message->name && !is_served(message->name))
        return -EOPNOTSUPP;
    fd = server_reopen(server, message->node, O_RDONLY);
    return fd == -EACCES ? -EOPNOTSUPP : fd;
}

int extended_set(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    const struct fuse_setxattr_in *in = message->body; /* the first two fields are there */
    scoped(closep) int fd = open_for(server, message);

    if (fd < 0)
        return fd;
    if (message->length > XATTR_MAX)
        return -E2BIG;
    return fsetxattr(fd, message->name, message->data, message->length, (int) in->flags) < 0
               ? -errno
               : 0;
}

/* With size 0 the guest asks how much there is. */
static int answer_sized(uint32_t asked, size_t length, void *ret, size_t *ret_size)
{
    const struct fuse_getxattr_out out = {.size = (uint32_t) length};

    if (asked == 0) {
        memcpy(ret, &out, sizeof(out));
        *ret_size = sizeof(out);
        return 0;
    }
    if (length > asked)
        return -ERANGE;
    *ret_size = length;
    return 0;
}

int extended_get(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    const struct fuse_getxattr_in *in = message->body;
    scoped(closep) int fd = open_for(server, message);
    ssize_t length;

    if (fd < 0)
        return fd == -EOPNOTSUPP && is_access_list(message->name) ? -ENODATA : fd;
    length = fgetxattr(fd, message->name, ret, XATTR_MAX);
    /* For the guest a file system without access lists is one in which nothing has any. */
    if (length < 0 && errno == EOPNOTSUPP && is_access_list(message->name))
        return -ENODATA;
    return length < 0 ? -errno : answer_sized(in->size, (size_t) length, ret, ret_size);
}

/* Drops the others, in place. */
static size_t keep_served(char *names, size_t length)
{
    size_t kept = 0;

    for (size_t at = 0, size; at < length; at += size) {
        size = strnlen(names + at, length - at - 1) + 1;
        if (!is_served(names + at))
            continue;
        memmove(names + kept, names + at, size);
        kept += size;
    }
    return kept;
}

int extended_list(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    const struct fuse_getxattr_in *in = message->body;
    scoped(closep) int fd = open_for(server, message);
    ssize_t length;

    if (fd == -EOPNOTSUPP)
        return answer_sized(in->size, 0, ret, ret_size);
    if (fd < 0)
        return fd;
    length = flistxattr(fd, ret, XATTR_MAX);
    return length < 0 ? -errno
                      : answer_sized(in->size, keep_served(ret, (size_t) length), ret, ret_size);
}

int extended_remove(struct server *server, const struct message *message, void *ret,
                    size_t *ret_size)
{
    scoped(closep) int fd = open_for(server, message);

    if (fd < 0)
        return fd;
    return fremovexattr(fd, message->name) < 0 ? -errno : 0;
}
