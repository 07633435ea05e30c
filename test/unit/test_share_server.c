/* SPDX-License-Identifier: Apache-2.0 */
/* The server in this process, as a thread and without privileges: what it answers, that it waits
 * for locks without making others wait, and that it ends with nothing left. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "server.h"
#include "share_peer.h"
#include "suite.h"

enum { ROOT = 1 };

static char base[64];
static struct share_peer peer;
static pthread_t thread;
static struct server *server;
static struct error failure;
static int ended;

static void *serve(void *user)
{
    ended = server_run(server, &failure);
    server_free(server);
    return user;
}

static void *(*runs)(void *) = serve;

static void start(const char *root)
{
    struct server_files files = {.root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC),
                                 .own_files = open("/proc/self/fd", O_PATH | O_CLOEXEC)};
    struct error err;
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    files.peer = pair[1];
    peer = (struct share_peer){.fd = pair[0], .uid = geteuid(), .gid = getegid()};
    ck_assert_int_eq(server_new(&files, &server, &err), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, runs, NULL), 0);
    share_peer_init(&peer);
}

static int finish(void)
{
    if (peer.fd < 0)
        return ended;
    close(peer.fd);
    peer.fd = -1;
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    return ended;
}

static void setup(void)
{
    strcpy(base, "/tmp/cleave-server-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    start(base);
}

static void teardown(void)
{
    struct error err;

    ck_assert_int_eq(finish(), 0);
    ck_assert_int_eq(file_remove_tree(base, &err), 0);
}

struct created {
    uint64_t node;
    uint64_t handle;
};

static struct created create(const char *name)
{
    const struct fuse_create_in in = {.flags = O_RDWR, .mode = 0644};
    const struct fuse_entry_out *entry = (const void *) peer.answer;
    const struct fuse_open_out *open = (const void *) (peer.answer + sizeof(*entry));

    ck_assert_int_eq(ASK(&peer, FUSE_CREATE, ROOT, SHARE_STRUCT(in), SHARE_NAME(name)), 0);
    ck_assert_uint_eq(peer.answer_size, sizeof(*entry) + sizeof(*open));
    return (struct created){entry->nodeid, open->fh};
}

static uint64_t open_again(uint64_t node)
{
    const struct fuse_open_in in = {.flags = O_RDONLY};

    ck_assert_int_eq(ASK(&peer, FUSE_OPEN, node, SHARE_STRUCT(in)), 0);
    return ((const struct fuse_open_out *) (const void *) peer.answer)->fh;
}

START_TEST(what_is_written_is_read)
{
    struct created file = create("file");
    const struct fuse_write_in write = {.fh = file.handle, .offset = 3, .size = 5};
    const struct fuse_read_in read = {.fh = file.handle, .size = 100};
    const struct fuse_release_in release = {.fh = file.handle};

    ck_assert_int_eq(
        ASK(&peer, FUSE_WRITE, file.node, SHARE_STRUCT(write), ((struct share_part){"hello", 5})),
        0);
    ck_assert_int_eq(ASK(&peer, FUSE_READ, file.node, SHARE_STRUCT(read)), 0);
    ck_assert_uint_eq(peer.answer_size, 8);
    ck_assert_mem_eq(peer.answer, "\0\0\0hello", 8);
    ck_assert_int_eq(ASK(&peer, FUSE_RELEASE, file.node, SHARE_STRUCT(release)), 0);
    ck_assert_int_eq(ASK(&peer, FUSE_READ, file.node, SHARE_STRUCT(read)), -EBADF);
}
END_TEST

START_TEST(what_is_forgotten_is_gone)
{
    const struct fuse_forget_in forget = {.nlookup = 1};
    const struct fuse_getattr_in get = {0};
    struct created file = create("file");

    ck_assert_uint_eq(share_peer_find(&peer, ROOT, "file"), file.node);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(ASK(&peer, FUSE_GETATTR, file.node, SHARE_STRUCT(get)), 0);
        (void) share_peer_send(&peer, FUSE_FORGET, file.node,
                               (const struct share_part[]){SHARE_STRUCT(forget), SHARE_NOTHING});
    }
    ck_assert_int_eq(ASK(&peer, FUSE_GETATTR, file.node, SHARE_STRUCT(get)), -ESTALE);
}
END_TEST

START_TEST(what_is_not_served_says_so)
{
    ck_assert_int_eq(ASK(&peer, FUSE_SYNCFS, ROOT, SHARE_NAME("1234567")), -ENOSYS);
    ck_assert_int_eq(ASK(&peer, FUSE_STATFS, ROOT, SHARE_NOTHING), 0);
}
END_TEST

START_TEST(a_message_may_come_byte_by_byte)
{
    const struct fuse_in_header header = {
        .len = sizeof(header) + 5, .opcode = FUSE_LOOKUP, .unique = 99, .nodeid = ROOT};
    uint8_t bytes[sizeof(header) + 5] = {0};
    uint64_t unique;

    (void) create("file");
    memcpy(bytes, &header, sizeof(header));
    memcpy(bytes + sizeof(header), "file", 5);
    for (size_t i = 0; i < sizeof(bytes); i++)
        ck_assert_int_eq(write(peer.fd, bytes + i, 1), 1);
    ck_assert_int_eq(share_peer_receive(&peer, &unique), 0);
    ck_assert_uint_eq(unique, 99);
}
END_TEST

static uint64_t wait_for_lock(const struct created *file, uint64_t handle)
{
    const struct fuse_lk_in in = {.fh = handle, .lk = {.type = F_WRLCK}, .lk_flags = FUSE_LK_FLOCK};

    return share_peer_send(&peer, FUSE_SETLKW, file->node,
                           (const struct share_part[]){SHARE_STRUCT(in), SHARE_NOTHING});
}

static void release(const struct created *file, uint64_t handle)
{
    const struct fuse_release_in in = {.fh = handle};

    (void) share_peer_send(&peer, FUSE_RELEASE, file->node,
                           (const struct share_part[]){SHARE_STRUCT(in), SHARE_NOTHING});
}

START_TEST(a_lock_is_waited_for_while_others_are_served)
{
    struct created file = create("file");
    uint64_t second = open_again(file.node), waiting, answered[2], unique;

    unique = wait_for_lock(&file, file.handle);
    ck_assert_int_eq(share_peer_receive(&peer, &answered[0]), 0);
    ck_assert_uint_eq(answered[0], unique);
    waiting = wait_for_lock(&file, second);
    ck_assert_int_eq(ASK(&peer, FUSE_STATFS, ROOT, SHARE_NOTHING), 0);
    release(&file, file.handle);
    ck_assert_int_eq(share_peer_receive(&peer, &answered[0]), 0);
    ck_assert_int_eq(share_peer_receive(&peer, &answered[1]), 0);
    ck_assert(answered[0] == waiting || answered[1] == waiting);
}
END_TEST

START_TEST(who_waits_for_a_lock_can_be_interrupted)
{
    struct created file = create("file");
    uint64_t second = open_again(file.node), answered = 0;
    struct fuse_interrupt_in in;

    (void) wait_for_lock(&file, file.handle);
    ck_assert_int_eq(share_peer_receive(&peer, NULL), 0);
    for (int i = 0; i < 50; i++) {
        in.unique = wait_for_lock(&file, second);
        (void) share_peer_send(&peer, FUSE_INTERRUPT, 0,
                               (const struct share_part[]){SHARE_STRUCT(in), SHARE_NOTHING});
        ck_assert_int_eq(share_peer_receive(&peer, &answered), -EINTR);
        ck_assert_uint_eq(answered, in.unique);
    }
}
END_TEST

START_TEST(the_end_does_not_wait_for_locks)
{
    struct created file = create("file");
    uint64_t second = open_again(file.node);

    (void) wait_for_lock(&file, file.handle);
    ck_assert_int_eq(share_peer_receive(&peer, NULL), 0);
    for (int i = 0; i < 10; i++)
        (void) wait_for_lock(&file, second);
    ck_assert_int_eq(ASK(&peer, FUSE_STATFS, ROOT, SHARE_NOTHING), 0);
    ck_assert_int_eq(finish(), 0);
}
END_TEST

/* As on NFS, where the server's root is nobody: only who owns a file can open it. */
static void *serve_as_nobody(void *user)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct data[2] = {
        {.effective = BIT(CAP_SETUID) | BIT(CAP_SETGID),
         .permitted = BIT(CAP_SETUID) | BIT(CAP_SETGID)}};

    if (syscall(SYS_capset, &header, data) < 0) /* of this thread */
        ended = -1;
    return serve(user);
}

START_TEST(what_root_may_not_its_user_may)
{
    const struct fuse_open_in in = {.flags = O_RDWR};
    const struct fuse_mkdir_in directory = {.mode = 0755};
    scoped(freep) char *place = xformat("%s/d", base);
    scoped(freep) char *path = xformat("%s/d/file", base);
    uint64_t node;
    int fd;

    ck_assert_int_eq(finish(), 0);
    ck_assert_int_eq(chmod(base, 0755), 0);
    ck_assert_int_eq(mkdir(place, 0700), 0);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(fchown(fd, 1000, 1000), 0);
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_eq(chown(place, 1000, 1000), 0);
    runs = serve_as_nobody;
    start(base);
    node = share_peer_find(&peer, ROOT, "d");
    ck_assert_int_eq(ASK(&peer, FUSE_LOOKUP, node, SHARE_NAME("file")), -EACCES);
    peer.uid = 1001;
    ck_assert_int_eq(ASK(&peer, FUSE_LOOKUP, node, SHARE_NAME("file")), -EACCES);
    peer.uid = peer.gid = 1000;
    ck_assert_int_eq(ASK(&peer, FUSE_MKDIR, node, SHARE_STRUCT(directory), SHARE_NAME("made")), 0);
    node = share_peer_find(&peer, node, "file");
    ck_assert_int_eq(ASK(&peer, FUSE_OPEN, node, SHARE_STRUCT(in)), 0);
    peer.uid = 1001;
    ck_assert_int_eq(ASK(&peer, FUSE_OPEN, node, SHARE_STRUCT(in)), -EACCES);
    ck_assert_int_eq(finish(), 0);
}
END_TEST

/* The server's own memory is a file there. */
START_TEST(views_of_the_kernel_are_not_served)
{
    ck_assert_int_eq(finish(), 0);
    start("/");
    ck_assert_int_eq(ASK(&peer, FUSE_LOOKUP, ROOT, SHARE_NAME("proc")), -EACCES);
    ck_assert_int_eq(ASK(&peer, FUSE_LOOKUP, ROOT, SHARE_NAME("sys")), -EACCES);
    (void) share_peer_find(&peer, ROOT, "tmp");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {what_is_written_is_read,
                                  what_is_forgotten_is_gone,
                                  what_is_not_served_says_so,
                                  a_message_may_come_byte_by_byte,
                                  a_lock_is_waited_for_while_others_are_served,
                                  who_waits_for_a_lock_can_be_interrupted,
                                  the_end_does_not_wait_for_locks,
                                  views_of_the_kernel_are_not_served,
                                  NULL};
    const struct suite suite = {"share_server", setup, teardown, 0};
    TCase *tests_case = suite_case(&suite, tests);

    if (geteuid() == 0)
        tcase_add_test(tests_case, what_root_may_not_its_user_may);
    return suite_run_case(suite.name, tests_case);
}
