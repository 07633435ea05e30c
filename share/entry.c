/* SPDX-License-Identifier: Apache-2.0 */
/* Names: what is found, made, moved and removed in a directory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/scoped.h"
#include "beneath.h"
#include "credentials.h"
#include "kernel_view.h"
#include "server_private.h"

enum { ATTRIBUTES_SECONDS = 1 };

/* Only where a mount begins can the kind of file system be another one than the directory's. */
static int check_mount(const struct server *server, const struct node_found *found)
{
    const struct node *parent = nodes_find(server->nodes, found->parent);

    return parent && parent->mount == found->stat->stx_mnt_id ? 0 : kernel_view_check(found->fd);
}

/* Takes fd, which was found in the message's directory. */
static int describe(struct server *server, int fd, const struct message *message,
                    struct fuse_entry_out *ret)
{
    scoped(closep) int owned = fd;
    struct statx stat;
    const struct node_found found = {
        .fd = fd, .stat = &stat, .parent = message->node, .name = message->name};
    struct fuse_entry_out out = {.attr_valid = ATTRIBUTES_SECONDS};
    int failed = nodes_stat(fd, &stat);

    if (failed == 0)
        failed = check_mount(server, &found);
    if (failed < 0)
        return failed;
    (void) take_fd(owned);
    failed = nodes_hold(server->nodes, &found, &out.nodeid);
    if (failed < 0)
        return failed;
    server_fill_attributes(server, &stat, &out.attr);
    *ret = out;
    return 0;
}

/* What is known and held: it cannot be another file, so that the look was enough. */
static int describe_known(struct server *server, const struct statx *stat,
                          const struct message *message, struct fuse_entry_out *ret)
{
    const struct node_found found = {
        .fd = -1, .stat = stat, .parent = message->node, .name = message->name};
    struct fuse_entry_out out = {.attr_valid = ATTRIBUTES_SECONDS};
    int failed = nodes_hold_known(server->nodes, &found, &out.nodeid);

    if (failed < 0)
        return failed;
    server_fill_attributes(server, stat, &out.attr);
    *ret = out;
    return 0;
}

/* The guest's kernel asks for the same names again and again, because it keeps none unasked. */
static int look_up(struct server *server, const struct message *message, struct fuse_entry_out *ret)
{
    int directory = server_directory(server, message->node);
    struct statx stat;
    int failed, fd;

    if (directory < 0)
        return directory;
    failed = nodes_stat_in(directory, message->name, &stat);
    if (failed == -ENOENT)
        return failed;
    if (failed == 0 && describe_known(server, &stat, message, ret) == 0)
        return 0;
    fd = beneath_open(directory, message->name, O_PATH, 0);
    return fd < 0 ? fd : describe(server, fd, message, ret);
}

int entry_lookup(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    *ret_size = sizeof(struct fuse_entry_out);
    return look_up(server, message, ret);
}

/* ---- what is made ---------------------------------------------------------------------------- */

struct making {
    mode_t mode;
    mode_t mask;
    const char *target; /* of a symbolic link */
};

static int make_one(int directory, const char *name, const struct making *making)
{
    if (making->target)
        return symlinkat(making->target, directory, name);
    if (S_ISDIR(making->mode))
        return mkdirat(directory, name, making->mode & 07777);
    return mknodat(directory, name, making->mode, 0);
}

static int make(struct server *server, const struct message *message, const struct making *making,
                struct fuse_entry_out *ret)
{
    int directory = server_directory(server, message->node);
    int failed;

    if (directory < 0)
        return directory;
    failed = credentials_assume(message->uid, message->gid);
    if (failed < 0)
        return failed;
    credentials_mask(making->mask & 0777);
    failed = make_one(directory, message->name, making) < 0 ? -errno : 0;
    if (failed == 0)
        failed = look_up(server, message, ret);
    credentials_restore();
    return failed;
}

int entry_symlink(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    const struct making making = {.target = message->other};

    *ret_size = sizeof(struct fuse_entry_out);
    return make(server, message, &making, ret);
}

/* FIFOs and sockets are names only: both ends of them are in the guest. */
int entry_mknod(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    const struct fuse_mknod_in *in = message->body;
    const struct making making = {.mode = in->mode, .mask = in->umask};

    if (!S_ISREG(in->mode) && !S_ISFIFO(in->mode) && !S_ISSOCK(in->mode))
        return -EPERM;
    *ret_size = sizeof(struct fuse_entry_out);
    return make(server, message, &making, ret);
}

int entry_mkdir(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    const struct fuse_mkdir_in *in = message->body;
    const struct making making = {.mode = S_IFDIR | (in->mode & 07777), .mask = in->umask};

    *ret_size = sizeof(struct fuse_entry_out);
    return make(server, message, &making, ret);
}

int entry_link(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    const struct fuse_link_in *in = message->body;
    int directory = server_directory(server, message->node);
    int old = server_node(server, in->oldnodeid);

    if (directory < 0 || old < 0)
        return directory < 0 ? directory : old;
    if (linkat(server->own_files, server_fd_name(old).text, directory, message->name,
               AT_SYMLINK_FOLLOW) < 0)
        return -errno;
    *ret_size = sizeof(struct fuse_entry_out);
    return look_up(server, message, ret);
}

/* Always exclusive: what is there already may be a device, and who may open it is for the guest's
 * kernel to say, which thought that there was nothing. ESTALE makes it look again. */
static int create_file(struct server *server, const struct message *message, int directory)
{
    const struct fuse_create_in *in = message->body;
    uint64_t flags = in->flags & (O_ACCMODE | O_SYNC | O_DSYNC);
    int fd = credentials_assume(message->uid, message->gid);

    if (fd < 0)
        return fd;
    credentials_mask(in->umask & 0777);
    fd = beneath_open(directory, message->name, flags | O_CREAT | O_EXCL, in->mode & 07777);
    credentials_restore();
    return fd == -EEXIST && !(in->flags & O_EXCL) ? -ESTALE : fd;
}

/* The name may be another's by now; the descriptor is not. */
static int describe_open(struct server *server, const struct message *message, int fd,
                         struct fuse_entry_out *ret)
{
    int path = openat(server->own_files, server_fd_name(fd).text, O_PATH | O_CLOEXEC);

    return path < 0 ? -errno : describe(server, path, message, ret);
}

int entry_create(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    struct {
        struct fuse_entry_out entry;
        struct fuse_open_out open;
    } out = {.open.open_flags = FOPEN_KEEP_CACHE};
    int directory = server_directory(server, message->node);
    int failed, fd;

    if (directory < 0)
        return directory;
    fd = create_file(server, message, directory);
    if (fd < 0)
        return fd;
    failed = describe_open(server, message, fd, &out.entry);
    if (failed < 0) {
        (void) close(fd);
        return failed;
    }
    failed = handles_hold(server->handles, HANDLE_FILE, fd, &out.open.fh);
    if (failed < 0) {
        nodes_forget(server->nodes, out.entry.nodeid, 1);
        return failed;
    }
    memcpy(ret, &out, sizeof(out));
    *ret_size = sizeof(out);
    return 0;
}

/* ---- what is moved and removed --------------------------------------------------------------- */

static int remove_name(struct server *server, const struct message *message, int flags)
{
    int directory = server_directory(server, message->node);

    if (directory < 0)
        return directory;
    return unlinkat(directory, message->name, flags) < 0 ? -errno : 0;
}

int entry_unlink(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    return remove_name(server, message, 0);
}

int entry_rmdir(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    return remove_name(server, message, AT_REMOVEDIR);
}

static int move(struct server *server, const struct message *message, uint64_t to, uint32_t flags)
{
    int directory = server_directory(server, message->node);
    int target = server_directory(server, to);

    if (directory < 0 || target < 0)
        return directory < 0 ? directory : target;
    if (flags & ~(uint32_t) (RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL; /* a whiteout is a device */
    return renameat2(directory, message->name, target, message->other, flags) < 0 ? -errno : 0;
}

int entry_rename(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    const struct fuse_rename_in *in = message->body;

    return move(server, message, in->newdir, 0);
}

int entry_rename2(struct server *server, const struct message *message, void *ret, size_t *ret_size)
{
    const struct fuse_rename2_in *in = message->body;

    return move(server, message, in->newdir, in->flags);
}
