/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "base/scoped.h"
#include "credentials.h"
#include "server_private.h"

SCOPED_PTR(struct nodes, nodes_free)

enum { MINOR_MIN = 31, BACKGROUND = 64, LARGE = 64 * 1024, REST_MS = 1000 };

static int session_init(struct server *server, const struct message *message, void *ret,
                        size_t *ret_size)
{
    const struct fuse_init_in *in = message->body;
    struct fuse_init_out *out = ret;
    /* No writeback cache: with it, half of the data is lost where both sides append. KILLPRIV:
     * without it the guest asks for security.capability before each write. */
    const uint32_t wanted = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_FLOCK_LOCKS |
                            FUSE_AUTO_INVAL_DATA | FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES |
                            FUSE_HANDLE_KILLPRIV_V2 | FUSE_POSIX_ACL | FUSE_DONT_MASK;

    if (in->major != FUSE_KERNEL_VERSION || in->minor < MINOR_MIN)
        return -EPROTO;
    *out = (struct fuse_init_out){.major = FUSE_KERNEL_VERSION,
                                  .minor = FUSE_KERNEL_MINOR_VERSION,
                                  .max_readahead = in->max_readahead,
                                  .flags = in->flags & wanted,
                                  .max_background = BACKGROUND,
                                  .congestion_threshold = BACKGROUND * 3 / 4,
                                  .max_write = MESSAGE_DATA_MAX,
                                  .time_gran = 1,
                                  .max_pages = MESSAGE_DATA_MAX / 4096};
    *ret_size = sizeof(*out);
    server->ready = true;
    return 0;
}

static int session_destroy(struct server *server, const struct message *message, void *ret,
                           size_t *ret_size)
{
    server->ended = true;
    return 0;
}

static int session_interrupt(struct server *server, const struct message *message, void *ret,
                             size_t *ret_size)
{
    const struct fuse_interrupt_in *in = message->body;

    locks_interrupt(server->locks, in->unique);
    return NO_REPLY;
}

static int session_forget(struct server *server, const struct message *message, void *ret,
                          size_t *ret_size)
{
    const struct fuse_forget_in *in = message->body;

    nodes_forget(server->nodes, message->node, in->nlookup);
    return NO_REPLY;
}

static int session_forget_many(struct server *server, const struct message *message, void *ret,
                               size_t *ret_size)
{
    const struct fuse_batch_forget_in *in = message->body;
    const struct fuse_forget_one *one = (const void *) message->data;

    for (uint32_t i = 0; i < in->count; i++)
        nodes_forget(server->nodes, one[i].nodeid, one[i].nlookup);
    return NO_REPLY;
}

/* What message.c lets through has a row here. */
static operation_fn *const operations[] = {
    [FUSE_LOOKUP] = entry_lookup,
    [FUSE_FORGET] = session_forget,
    [FUSE_GETATTR] = attribute_get,
    [FUSE_SETATTR] = attribute_set,
    [FUSE_READLINK] = attribute_readlink,
    [FUSE_SYMLINK] = entry_symlink,
    [FUSE_MKNOD] = entry_mknod,
    [FUSE_MKDIR] = entry_mkdir,
    [FUSE_UNLINK] = entry_unlink,
    [FUSE_RMDIR] = entry_rmdir,
    [FUSE_RENAME] = entry_rename,
    [FUSE_LINK] = entry_link,
    [FUSE_OPEN] = content_open,
    [FUSE_READ] = content_read,
    [FUSE_WRITE] = content_write,
    [FUSE_STATFS] = attribute_statfs,
    [FUSE_RELEASE] = content_release,
    [FUSE_FSYNC] = content_fsync,
    [FUSE_SETXATTR] = extended_set,
    [FUSE_GETXATTR] = extended_get,
    [FUSE_LISTXATTR] = extended_list,
    [FUSE_REMOVEXATTR] = extended_remove,
    [FUSE_FLUSH] = content_flush,
    [FUSE_INIT] = session_init,
    [FUSE_OPENDIR] = directory_open,
    [FUSE_READDIR] = directory_read,
    [FUSE_RELEASEDIR] = directory_release,
    [FUSE_FSYNCDIR] = directory_fsync,
    [FUSE_SETLK] = content_lock,
    [FUSE_SETLKW] = content_lock,
    [FUSE_CREATE] = entry_create,
    [FUSE_INTERRUPT] = session_interrupt,
    [FUSE_DESTROY] = session_destroy,
    [FUSE_BATCH_FORGET] = session_forget_many,
    [FUSE_FALLOCATE] = content_allocate,
    [FUSE_RENAME2] = entry_rename2,
    [FUSE_LSEEK] = content_seek,
};

int server_node(struct server *server, uint64_t id)
{
    return nodes_fd(server->nodes, id);
}

int server_directory(struct server *server, uint64_t id)
{
    const struct node *node = nodes_find(server->nodes, id);

    if (!node)
        return -ESTALE;
    return S_ISDIR(node->type) ? nodes_fd(server->nodes, id) : -ENOTDIR;
}

struct fd_name server_fd_name(int fd)
{
    struct fd_name name;

    (void) snprintf(name.text, sizeof(name.text), "%d", fd);
    return name;
}

/* To open a device, a FIFO or a socket of the node does something there. The type is looked at here
 * and not left to `nodev`: a mount that comes later has flags of its own. */
int server_reopen(struct server *server, uint64_t id, int flags)
{
    const struct node *node = nodes_find(server->nodes, id);
    int path, fd;

    if (!node)
        return -ESTALE;
    if (!S_ISREG(node->type) && !S_ISDIR(node->type))
        return -EACCES;
    path = nodes_fd(server->nodes, id);
    if (path < 0)
        return path;
    fd = openat(server->own_files, server_fd_name(path).text,
                flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

uint64_t server_inode(struct server *server, uint64_t device, uint64_t inode)
{
    size_t i = 0;

    while (i < server->device_count && server->devices[i] != device)
        i++;
    if (i == server->device_count && i < DEVICES_MAX)
        server->devices[server->device_count++] = device;
    return inode ^ (uint64_t) i << 48;
}

void server_fill_attributes(struct server *server, const struct statx *stat, struct fuse_attr *ret)
{
    uint64_t device = makedev(stat->stx_dev_major, stat->stx_dev_minor);

    *ret = (struct fuse_attr){
        .ino = server_inode(server, device, stat->stx_ino),
        .size = stat->stx_size,
        .blocks = stat->stx_blocks,
        .atime = (uint64_t) stat->stx_atime.tv_sec,
        .mtime = (uint64_t) stat->stx_mtime.tv_sec,
        .ctime = (uint64_t) stat->stx_ctime.tv_sec,
        .atimensec = stat->stx_atime.tv_nsec,
        .mtimensec = stat->stx_mtime.tv_nsec,
        .ctimensec = stat->stx_ctime.tv_nsec,
        .mode = stat->stx_mode,
        .nlink = stat->stx_nlink,
        .uid = stat->stx_uid,
        .gid = stat->stx_gid,
        .blksize = stat->stx_blksize,
    }; /* rdev stays 0: no device of the node has a meaning in the guest */
}

int server_new(const struct server_files *files, struct server **ret, struct error *err)
{
    scoped(closep) int peer = files->peer;
    scoped(closep) int own_files = files->own_files;
    scoped(nodes_freep) struct nodes *nodes = NULL;
    struct locks *locks = NULL;
    struct server *server;

    if (nodes_new(files->root, &nodes, err) < 0)
        return -1;
    if (fcntl(peer, F_SETFL, fcntl(peer, F_GETFL) | O_NONBLOCK) < 0)
        return error_errno(err, errno, "prepare the stream to the peer");
    if (locks_new(&locks, err) < 0)
        return -1;
    server = xnew(struct server);
    server->peer = take_fd(peer);
    server->removals = -1;
    server->own_files = take_fd(own_files);
    server->nodes = take_ptr(nodes);
    server->locks = locks;
    server->handles = handles_new();
    server->reply = xalloc(sizeof(struct fuse_out_header) + MESSAGE_MAX);
    frame_reader_init(&server->reader);
    *ret = server;
    return 0;
}

void server_free(struct server *server)
{
    if (!server)
        return;
    locks_free(server->locks);
    handles_free(server->handles);
    nodes_free(server->nodes);
    frame_reader_fini(&server->reader);
    frame_queue_fini(&server->queue);
    free(server->reply);
    (void) close(server->own_files);
    (void) close(server->peer);
    closep(&server->removals);
    free(server);
}

static int answer(struct server *server, uint64_t unique, int failed, struct error *err)
{
    const struct fuse_out_header header = {
        .len = sizeof(header), .error = failed, .unique = unique};

    return frame_send(&server->queue, server->peer, &header, sizeof(header), err);
}

/* On a file system of the network root may be nobody, and the guest's user somebody. */
static int operate_for_user(struct server *server, const struct message *message, void *ret,
                            size_t *ret_size)
{
    int failed = credentials_assume(message->uid, message->gid);

    if (failed < 0)
        return failed;
    failed = operations[message->opcode](server, message, ret, ret_size);
    credentials_restore();
    return failed;
}

static int operate(struct server *server, const struct message *message, void *ret,
                   size_t *ret_size)
{
    int failed = operations[message->opcode](server, message, ret, ret_size);
    int again = (failed == -EACCES || failed == -EPERM) && message->uid != 0
                    ? operate_for_user(server, message, ret, ret_size)
                    : failed;

    return again < 0 ? failed : again;
}

static int perform(struct server *server, const struct message *message, struct error *err)
{
    struct fuse_out_header *header = (void *) server->reply;
    size_t size = 0;
    int failed = operate(server, message, header + 1, &size);

    server->swollen |= message->length > LARGE || size > LARGE;
    if (failed == NO_REPLY)
        return 0;
    if (failed < 0)
        return answer(server, message->unique, failed, err);
    *header = (struct fuse_out_header){.len = (uint32_t) (sizeof(*header) + size),
                                       .unique = message->unique};
    return frame_send(&server->queue, server->peer, header, header->len, err);
}

/* "Forget the name N in the directory P." The guest's kernel locks the directory for that: whoever
 * carries the notice must not be who carries answers, for which the lock's holder may wait. */
static int ask_back(struct server *server, uint64_t parent, const char *name, struct error *err)
{
    struct {
        struct fuse_out_header header;
        struct fuse_notify_inval_entry_out entry;
        char name[NAME_MAX + 1];
    } notice = {.entry = {.parent = parent, .namelen = (uint32_t) strlen(name)}};

    if (notice.entry.namelen > NAME_MAX)
        return 0;
    memcpy(notice.name, name, notice.entry.namelen);
    notice.header.error = FUSE_NOTIFY_INVAL_ENTRY;
    notice.header.len = (uint32_t) (sizeof(notice.header) + sizeof(notice.entry) +
                                    notice.entry.namelen + 1);
    return frame_send(&server->queue, server->peer, &notice, notice.header.len, err);
}

/* More for each message than one can use. */
static int reduce_nodes(struct server *server, struct error *err)
{
    for (int i = 0; i < 4; i++) {
        const struct node *node = nodes_excess(server->nodes);

        if (node && ask_back(server, node->parent, node->name, err) < 0)
            return -1;
    }
    return 0;
}

static int leave_idle_mounts(struct server *server, struct error *err)
{
    const struct node *node;

    while ((node = nodes_idle(server->nodes)))
        if (ask_back(server, node->parent, node->name, err) < 0)
            return -1;
    return 0;
}

static int forget_removed(struct server *server, struct error *err)
{
    char name[SERVER_NAME_SIZE];
    ssize_t length = read(server->removals, name, sizeof(name));

    if (length == sizeof(name) && memchr(name, '\0', sizeof(name)))
        return server->ready ? ask_back(server, NODES_ROOT, name, err) : 0;
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    (void) close(server->removals);
    server->removals = -1;
    return 0;
}

static int handle(struct server *server, size_t size, struct error *err)
{
    struct message message;

    switch (message_parse(server->reader.buffer, size, &message)) {
    case MESSAGE_MALFORMED:
        return error_set(err, STATUS_INVALID_ARGUMENT, "the peer sent what no kernel sends");
    case MESSAGE_UNSUPPORTED:
        return server->ready
                   ? answer(server, message.unique, -ENOSYS, err)
                   : error_set(err, STATUS_FAILED_PRECONDITION, "the peer did not begin with INIT");
    case MESSAGE_GOOD:
        break;
    }
    if (server->ready == (message.opcode == FUSE_INIT))
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         server->ready ? "the peer sent INIT again"
                                       : "the peer did not begin with INIT");
    return perform(server, &message, err);
}

/* All that has come, as long as the peer takes the answers. */
static int receive(struct server *server, struct error *err)
{
    while (!server->ended && !frame_queue_full(&server->queue)) {
        enum frame_result result;
        size_t size = 0;

        if (frame_read(&server->reader, server->peer, &result, &size, err) < 0)
            return -1;
        if (result == FRAME_PARTIAL)
            return 0;
        if (result == FRAME_END)
            server->ended = true;
        else if (handle(server, size, err) < 0 || reduce_nodes(server, err) < 0)
            return -1;
    }
    return 0;
}

struct collection {
    struct server *server;
    struct error *err;
    int failed;
};

static void lock_done(void *user, uint64_t unique, int failed)
{
    struct collection *collection = user;

    if (answer(collection->server, unique, failed, collection->err) < 0)
        collection->failed = -1;
}

static int collect_locks(struct server *server, struct error *err)
{
    struct collection collection = {.server = server, .err = err};

    locks_collect(server->locks, lock_done, &collection);
    return collection.failed;
}

static int sooner(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int timeout(const struct server *server)
{
    return sooner(sooner(locks_timeout(server->locks), nodes_idle_in(server->nodes)),
                  server->swollen ? REST_MS : -1);
}

/* A pod that does not use its volumes costs what it did in the beginning. */
static void rest(struct server *server)
{
    if (!server->swollen)
        return;
    frame_reader_rest(&server->reader);
    frame_give_back(server->reply, sizeof(struct fuse_out_header) + MESSAGE_MAX);
    (void) malloc_trim(0); /* the queue's */
    server->swollen = false;
}

struct work {
    bool locks;    /* a thread that waited for one is done */
    bool removals; /* a share has gone */
};

/* Until there is something to do. */
static int wait_for_work(struct server *server, struct work *ret, struct error *err)
{
    bool reads = !server->ended && !frame_queue_full(&server->queue);
    struct pollfd polled[] = {
        {.fd = server->peer,
         .events = (short) ((reads ? POLLIN : 0) |
                            (frame_queue_empty(&server->queue) ? 0 : POLLOUT))},
        {.fd = locks_fd(server->locks), .events = POLLIN},
        {.fd = server->removals, .events = POLLIN},
    };
    int ready = poll(polled, ARRAY_LENGTH(polled), timeout(server));

    if (ready < 0 && errno != EINTR)
        return error_errno(err, errno, "wait for the peer");
    if (ready == 0)
        rest(server);
    ret->locks = ready > 0 && polled[1].revents;
    ret->removals = ready > 0 && polled[2].revents;
    return 0;
}

void server_hear_of_removals(struct server *server, int fd)
{
    server->removals = fd;
}

int server_run(struct server *server, struct error *err)
{
    while (!server->ended || !frame_queue_empty(&server->queue)) {
        struct work work = {0};

        if (wait_for_work(server, &work, err) < 0 ||
            frame_flush(&server->queue, server->peer, err) < 0)
            return -1;
        if ((work.locks || locks_timeout(server->locks) >= 0) && collect_locks(server, err) < 0)
            return -1;
        if (work.removals && forget_removed(server, err) < 0)
            return -1;
        if (receive(server, err) < 0 || leave_idle_mounts(server, err) < 0)
            return -1;
    }
    return 0;
}
