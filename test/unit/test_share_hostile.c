/* SPDX-License-Identifier: Apache-2.0 */
/* A guest that was taken over, against the real cleave-share: it stays in the shared directories,
 * and opens nothing in them that is not a file or a directory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scoped.h"
#include "share_fixture.h"
#include "share_peer.h"
#include "suite.h"

#ifdef __SANITIZE_ADDRESS__
enum { KEPT_KIB = 1024 * 1024 }; /* it keeps what is freed, to see who still uses it */
#else
enum { KEPT_KIB = 512 };
#endif
enum { ROOT = 1, HANDLES = 4096, WAITERS = 64, ROUNDS = 20000 };

static struct share_fixture fixture;
static struct share_peer peer;
static uint64_t rw;

static char *in_base(const char *name)
{
    return xformat("%s/%s", fixture.base, name);
}

static void put(const char *name, const char *text)
{
    scoped(freep) char *path = in_base(name);
    scoped(closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t) strlen(text));
}

static void point(const char *name, const char *target)
{
    scoped(freep) char *path = in_base(name);

    ck_assert_int_eq(symlink(target, path), 0);
}

static uint64_t mixed(uint64_t sum, uint64_t value)
{
    return (sum ^ value) * 0x100000001b3ull + 7;
}

/* Of all that is known about base/secret and what is in it, times of changes included. */
static uint64_t fingerprint(void)
{
    scoped(freep) char *path = in_base("secret");
    uint64_t sum = 1;
    DIR *dir = opendir(path);
    const struct dirent *entry;
    struct stat stat;

    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir))) {
        if (strcmp(entry->d_name, "..") == 0)
            continue;
        ck_assert_int_eq(fstatat(dirfd(dir), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW), 0);
        sum = mixed(sum, (uint64_t) stat.st_ctim.tv_sec * 1000000000u + stat.st_ctim.tv_nsec);
        sum = mixed(sum, stat.st_mode ^ stat.st_size << 20 ^ stat.st_nlink << 50);
        sum = mixed(sum, stat.st_ino);
    }
    closedir(dir);
    return sum;
}

static void make_traps(void)
{
    scoped(freep) char *device = in_base("rw/device");
    scoped(freep) char *disk = in_base("rw/disk");
    scoped(freep) char *fifo = in_base("rw/fifo");
    scoped(freep) char *directory = in_base("rw/d");
    scoped(freep) char *secret = in_base("secret/file");

    put("secret/file", "secret");
    put("rw/file", "shared");
    ck_assert_int_eq(mkdir(directory, 0755), 0);
    point("rw/out", "../secret");
    point("rw/out-file", "../secret/file");
    point("rw/out-new", "../secret/new");
    point("rw/absolute", secret);
    point("rw/up", "..");
    point("rw/d/root", "/");
    ck_assert_int_eq(mknod(device, S_IFCHR | 0666, 0x103), 0);
    ck_assert_int_eq(mknod(disk, S_IFBLK | 0666, 0x700), 0);
    ck_assert_int_eq(mkfifo(fifo, 0666), 0);
}

static void setup(void)
{
    share_fixture_start(&fixture);
    peer = (struct share_peer){.fd = fixture.peer};
    make_traps();
}

static void begin(void)
{
    share_peer_init(&peer);
    rw = share_peer_find(&peer, ROOT, "rw");
}

static void teardown(void)
{
    share_fixture_stop(&fixture);
}

static void expect_dropped(void)
{
    ck_assert_int_eq(share_peer_receive(&peer, NULL), 1);
    ck_assert_int_eq(share_fixture_wait(&fixture), EXIT_FAILURE);
}

START_TEST(names_that_are_paths_drop_the_peer)
{
    static const char *const names[] = {"..", ".", "../secret/file", "/etc/passwd", "d/root", ""};

    begin();
    (void) share_peer_send(&peer, FUSE_LOOKUP, rw,
                           (const struct share_part[]){SHARE_NAME(names[_i]), SHARE_NOTHING});
    expect_dropped();
}
END_TEST

START_TEST(nothing_comes_before_init)
{
    (void) share_peer_send(&peer, FUSE_LOOKUP, ROOT,
                           (const struct share_part[]){SHARE_NAME("rw"), SHARE_NOTHING});
    expect_dropped();
}
END_TEST

START_TEST(there_is_one_init)
{
    const struct fuse_init_in in = {.major = FUSE_KERNEL_VERSION, .minor = 38};

    begin();
    (void) share_peer_send(&peer, FUSE_INIT, 0,
                           (const struct share_part[]){SHARE_STRUCT(in), SHARE_NOTHING});
    expect_dropped();
}
END_TEST

START_TEST(a_length_that_no_message_has_drops_the_peer)
{
    const uint32_t lengths[] = {0, 39, 1024 * 1024 + 4097, UINT32_MAX};
    struct fuse_in_header header = {.len = lengths[_i], .opcode = FUSE_READLINK};

    begin();
    ck_assert_int_eq(write(peer.fd, &header, sizeof(header)), sizeof(header));
    expect_dropped();
}
END_TEST

START_TEST(an_end_inside_of_a_message_is_no_end)
{
    struct fuse_in_header header = {.len = 4096, .opcode = FUSE_WRITE};

    begin();
    ck_assert_int_eq(write(peer.fd, &header, sizeof(header)), sizeof(header));
    ck_assert_int_eq(shutdown(peer.fd, SHUT_WR), 0);
    expect_dropped();
}
END_TEST

/* To the server they are a text. */
START_TEST(links_lead_nowhere)
{
    static const char *const links[] = {"out", "out-file", "out-new", "absolute", "up"};
    const struct fuse_open_in reads = {.flags = O_RDONLY};
    const struct fuse_setattr_in mode = {.valid = FATTR_MODE, .mode = 0777};
    const struct fuse_setattr_in size = {.valid = FATTR_SIZE, .size = 1};
    const struct fuse_create_in create = {.flags = O_WRONLY, .mode = 0666};
    const uint32_t value[2] = {1, 0};
    uint64_t before = fingerprint(), link;

    begin();
    for (size_t i = 0; i < ARRAY_LENGTH(links); i++) {
        link = share_peer_find(&peer, rw, links[i]);
        ck_assert_int_eq(ASK(&peer, FUSE_LOOKUP, link, SHARE_NAME("file")), -ENOTDIR);
        ck_assert_int_eq(ASK(&peer, FUSE_MKDIR, link, SHARE_STRUCT(value), SHARE_NAME("x")),
                         -ENOTDIR);
        ck_assert_int_eq(ASK(&peer, FUSE_UNLINK, link, SHARE_NAME("file")), -ENOTDIR);
        ck_assert_int_eq(ASK(&peer, FUSE_OPEN, link, SHARE_STRUCT(reads)), -EACCES);
        ck_assert_int_eq(ASK(&peer, FUSE_OPENDIR, link, SHARE_STRUCT(reads)), -ENOTDIR);
        ck_assert_int_eq(ASK(&peer, FUSE_SETATTR, link, SHARE_STRUCT(mode)), -EOPNOTSUPP);
        ck_assert_int_eq(ASK(&peer, FUSE_SETATTR, link, SHARE_STRUCT(size)), -EACCES);
        ck_assert_int_eq(ASK(&peer, FUSE_SETXATTR, link, SHARE_STRUCT(value), SHARE_NAME("user.x"),
                             ((struct share_part){"v", 1})),
                         -EOPNOTSUPP);
        ck_assert_int_eq(ASK(&peer, FUSE_CREATE, rw, SHARE_STRUCT(create), SHARE_NAME(links[i])),
                         -ESTALE);
    }
    ck_assert_uint_eq(fingerprint(), before);
}
END_TEST

/* Other than through the shares there is nothing: not even of the server's own root. */
START_TEST(the_root_holds_the_shares_only)
{
    scoped(freep) char *mounts = xformat("/proc/%d/mountinfo", fixture.server);
    char line[1024];
    int count = 0;
    FILE *file;

    begin();
    ck_assert_int_eq(ASK(&peer, FUSE_LOOKUP, ROOT, SHARE_NAME("secret")), -ENOENT);
    ck_assert_int_eq(ASK(&peer, FUSE_LOOKUP, ROOT, SHARE_NAME("etc")), -ENOENT);
    ck_assert_int_eq(ASK(&peer, FUSE_LOOKUP, ROOT, SHARE_NAME("proc")), -ENOENT);
    file = fopen(mounts, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file)) {
        count++;
        ck_assert_ptr_nonnull(strstr(line, "nodev"));
        ck_assert_ptr_nonnull(strstr(line, "nosuid"));
    }
    (void) fclose(file);
    ck_assert_int_eq(count, 4);
}
END_TEST

START_TEST(few_capabilities_are_left)
{
    const uint64_t kept = 1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE |
                          1ull << CAP_DAC_READ_SEARCH | 1ull << CAP_FOWNER | 1ull << CAP_FSETID |
                          1ull << CAP_SETUID | 1ull << CAP_SETGID;
    scoped(freep) char *path = xformat("/proc/%d/status", fixture.server);
    char line[256];
    unsigned long long value;
    int seen = 0;
    FILE *file;

    begin();
    file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "CapPrm: %llx", &value) == 1 ||
            sscanf(line, "CapEff: %llx", &value) == 1 ||
            sscanf(line, "CapBnd: %llx", &value) == 1) {
            ck_assert_uint_eq(value, kept);
            seen++;
        } else if (strncmp(line, "NoNewPrivs:", 11) == 0) {
            ck_assert_ptr_nonnull(strchr(line, '1'));
            seen++;
        }
    }
    (void) fclose(file);
    ck_assert_int_eq(seen, 4);
}
END_TEST

/* Both shares lie on one file system, so that only the mounts keep them apart. */
START_TEST(what_is_read_only_is_so_by_any_way)
{
    const struct fuse_open_in in = {.flags = O_RDWR};
    struct fuse_rename_in into_rw;
    struct fuse_link_in link;
    uint64_t ro, file;

    put("ro/file", "x");
    begin();
    ro = share_peer_find(&peer, ROOT, "ro");
    file = share_peer_find(&peer, ro, "file");
    link.oldnodeid = file;
    into_rw.newdir = rw;
    ck_assert_int_eq(ASK(&peer, FUSE_OPEN, file, SHARE_STRUCT(in)), -EROFS);
    ck_assert_int_eq(ASK(&peer, FUSE_LINK, rw, SHARE_STRUCT(link), SHARE_NAME("mine")), -EXDEV);
    ck_assert_int_eq(
        ASK(&peer, FUSE_RENAME, ro, SHARE_STRUCT(into_rw), SHARE_NAME("file"), SHARE_NAME("mine")),
        -EXDEV);
    ck_assert_int_eq(ASK(&peer, FUSE_UNLINK, ro, SHARE_NAME("file")), -EROFS);
}
END_TEST

/* The same inode by a link of the node: known by one share, it is not open by the other's rights.
 */
START_TEST(one_inode_in_two_shares_is_two_nodes)
{
    scoped(freep) char *from = in_base("rw/file");
    scoped(freep) char *to = in_base("ro/same");
    const struct fuse_open_in in = {.flags = O_RDWR};
    uint64_t ro, writable;

    ck_assert_int_eq(link(from, to), 0);
    begin();
    writable = share_peer_find(&peer, rw, "file");
    ro = share_peer_find(&peer, ROOT, "ro");
    ck_assert_uint_ne(share_peer_find(&peer, ro, "same"), writable);
    ck_assert_int_eq(ASK(&peer, FUSE_OPEN, share_peer_find(&peer, ro, "same"), SHARE_STRUCT(in)),
                     -EROFS);
    ck_assert_int_eq(ASK(&peer, FUSE_OPEN, writable, SHARE_STRUCT(in)), 0);
}
END_TEST

/* To open the FIFO would wait for ever. */
START_TEST(what_is_no_file_is_not_opened)
{
    static const char *const names[] = {"device", "disk", "fifo"};
    const struct fuse_open_in in = {.flags = O_RDWR};
    const struct fuse_setattr_in size = {.valid = FATTR_SIZE, .size = 0};
    const struct fuse_create_in create = {.flags = O_RDWR, .mode = 0666};

    begin();
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        uint64_t node = share_peer_find(&peer, rw, names[i]);

        ck_assert_int_eq(ASK(&peer, FUSE_OPEN, node, SHARE_STRUCT(in)), -EACCES);
        ck_assert_int_eq(ASK(&peer, FUSE_OPENDIR, node, SHARE_STRUCT(in)), -ENOTDIR);
        ck_assert_int_eq(ASK(&peer, FUSE_SETATTR, node, SHARE_STRUCT(size)), -EACCES);
        ck_assert_int_eq(ASK(&peer, FUSE_CREATE, rw, SHARE_STRUCT(create), SHARE_NAME(names[i])),
                         -ESTALE);
    }
}
END_TEST

START_TEST(no_device_is_made)
{
    static const uint32_t modes[] = {S_IFCHR | 0666, S_IFBLK | 0666, S_IFDIR | 0777,
                                     S_IFLNK,        0xffff,         S_IFCHR};
    scoped(freep) char *path = in_base("rw/made");

    begin();
    for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
        const struct fuse_mknod_in in = {.mode = modes[i], .rdev = 0x103};

        ck_assert_int_eq(ASK(&peer, FUSE_MKNOD, rw, SHARE_STRUCT(in), SHARE_NAME("made")), -EPERM);
    }
    ck_assert(access(path, F_OK) < 0);
}
END_TEST

/* For setfsuid() it is a question, so that what is made would be root's. */
START_TEST(nobody_is_minus_one)
{
    const struct fuse_mkdir_in directory = {.mode = 0777};
    const struct fuse_create_in create = {.flags = O_WRONLY, .mode = 0666};
    scoped(freep) char *path = in_base("rw/made");

    begin();
    for (int i = 0; i < 2; i++) {
        peer.uid = i ? UINT32_MAX : 1000;
        peer.gid = i ? 1000 : UINT32_MAX;
        ck_assert_int_eq(ASK(&peer, FUSE_MKDIR, rw, SHARE_STRUCT(directory), SHARE_NAME("made")),
                         -EINVAL);
        ck_assert_int_eq(ASK(&peer, FUSE_SYMLINK, rw, SHARE_NAME("made"), SHARE_NAME("x")),
                         -EINVAL);
        ck_assert_int_eq(ASK(&peer, FUSE_CREATE, rw, SHARE_STRUCT(create), SHARE_NAME("made")),
                         -EINVAL);
    }
    ck_assert(access(path, F_OK) < 0);
}
END_TEST

START_TEST(rights_are_no_attributes)
{
    static const char *const names[] = {"trusted.overlay.opaque",
                                        "security.capability",
                                        "system.posix_acl_accessx",
                                        "system.nfs4_acl",
                                        "user",
                                        "userx.y",
                                        "USER.x"};
    const uint32_t in[2] = {1, 0};
    uint64_t node;

    begin();
    node = share_peer_find(&peer, rw, "file");
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        ck_assert_int_eq(ASK(&peer, FUSE_SETXATTR, node, SHARE_STRUCT(in), SHARE_NAME(names[i]),
                             ((struct share_part){"v", 1})),
                         -EOPNOTSUPP);
        ck_assert_int_eq(ASK(&peer, FUSE_GETXATTR, node, SHARE_STRUCT(in), SHARE_NAME(names[i])),
                         -EOPNOTSUPP);
        ck_assert_int_eq(ASK(&peer, FUSE_REMOVEXATTR, node, SHARE_NAME(names[i])), -EOPNOTSUPP);
    }
}
END_TEST

START_TEST(numbers_of_descriptors_are_no_handles)
{
    uint64_t node;

    begin();
    node = share_peer_find(&peer, rw, "file");
    for (uint64_t i = 0; i < 64; i++) {
        const struct fuse_read_in in = {.fh = i, .size = 4096};
        const struct fuse_fsync_in sync = {.fh = i};

        ck_assert_int_eq(ASK(&peer, FUSE_READ, node, SHARE_STRUCT(in)), -EBADF);
        ck_assert_int_eq(ASK(&peer, FUSE_READDIR, node, SHARE_STRUCT(in)), -EBADF);
        ck_assert_int_eq(ASK(&peer, FUSE_FSYNC, node, SHARE_STRUCT(sync)), -EBADF);
        if (i != ROOT)
            ck_assert_int_eq(ASK(&peer, FUSE_LOOKUP, i, SHARE_NAME("file")), -ESTALE);
    }
}
END_TEST

static uint64_t open_file(uint64_t node)
{
    const struct fuse_open_in in = {.flags = O_RDWR};
    const struct fuse_open_out *out = (const void *) peer.answer;

    ck_assert_int_eq(ASK(&peer, FUSE_OPEN, node, SHARE_STRUCT(in)), 0);
    return out->fh;
}

START_TEST(open_files_are_not_without_number)
{
    const struct fuse_open_in in = {.flags = O_RDONLY};
    uint64_t node;

    begin();
    node = share_peer_find(&peer, rw, "file");
    for (int i = 0; i < HANDLES; i++)
        (void) open_file(node);
    ck_assert_int_eq(ASK(&peer, FUSE_OPEN, node, SHARE_STRUCT(in)), -ENFILE);
    ck_assert_int_eq(ASK(&peer, FUSE_OPENDIR, rw, SHARE_STRUCT(in)), -ENFILE);
    ck_assert_uint_eq(share_peer_find(&peer, rw, "file"), node);
}
END_TEST

START_TEST(waiters_are_not_without_number)
{
    struct fuse_lk_in in = {.lk = {.type = F_WRLCK}, .lk_flags = FUSE_LK_FLOCK};
    struct fuse_interrupt_in interrupt = {.unique = 0};
    uint64_t node, first = 0, unique, answered = 0;

    begin();
    node = share_peer_find(&peer, rw, "file");
    in.fh = open_file(node);
    ck_assert_int_eq(ASK(&peer, FUSE_SETLKW, node, SHARE_STRUCT(in)), 0);
    in.fh = open_file(node);
    for (int i = 0; i < WAITERS; i++) {
        unique = share_peer_send(&peer, FUSE_SETLKW, node,
                                 (const struct share_part[]){SHARE_STRUCT(in), SHARE_NOTHING});
        first = first ? first : unique;
    }
    ck_assert_int_eq(ASK(&peer, FUSE_SETLKW, node, SHARE_STRUCT(in)), -ENOLCK);
    interrupt.unique = first;
    (void) share_peer_send(&peer, FUSE_INTERRUPT, 0,
                           (const struct share_part[]){SHARE_STRUCT(interrupt), SHARE_NOTHING});
    ck_assert_int_eq(share_peer_receive(&peer, &answered), -EINTR);
    ck_assert_uint_eq(answered, first);
} /* the others wait still when the peer goes away: the server ends all the same */
END_TEST

static long resident_kib(void)
{
    scoped(freep) char *path = xformat("/proc/%d/statm", fixture.server);
    FILE *file = fopen(path, "re");
    long size = 0, resident = 0;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%ld %ld", &size, &resident), 2);
    (void) fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* As many requests as go, of which each has an answer of a megabyte. */
static int flood(uint64_t node, uint64_t handle)
{
    const struct fuse_read_in in = {.fh = handle, .size = 1024 * 1024};
    const struct fuse_in_header header = {
        .len = sizeof(header) + sizeof(in), .opcode = FUSE_READ, .nodeid = node, .unique = 1000};
    uint8_t message[sizeof(header) + sizeof(in)];
    struct pollfd polled = {.fd = peer.fd, .events = POLLOUT};
    int count = 0;

    memcpy(message, &header, sizeof(header));
    memcpy(message + sizeof(header), &in, sizeof(in));
    while (poll(&polled, 1, 500) == 1) {
        ssize_t sent = send(peer.fd, message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0)
            continue;
        ck_assert_int_eq(sent, sizeof(message));
        count++;
    }
    return count;
}

START_TEST(a_peer_that_does_not_read_is_not_read)
{
    scoped(freep) char *path = in_base("rw/big");
    uint64_t node;
    long before;
    int count;

    put("rw/big", "");
    ck_assert_int_eq(truncate(path, 1024 * 1024), 0);
    begin();
    node = share_peer_find(&peer, rw, "big");
    before = resident_kib();
    count = flood(node, open_file(node));
    ck_assert_int_gt(count, 64);
    ck_assert_int_lt(resident_kib() - before, 32 * 1024);
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(share_peer_receive(&peer, NULL), 0);
        ck_assert_uint_eq(peer.answer_size, 1024 * 1024);
    }
    for (int i = 0; resident_kib() - before > KEPT_KIB;
         i++) { /* what a burst has taken goes back */
        ck_assert_int_lt(i, 200);
        (void) poll(NULL, 0, 50);
    }
}
END_TEST

/* ---- anything that the validator lets through ------------------------------------------------ */

static uint64_t state = 0x123456789abcdef;

static uint64_t random_number(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static const char *random_name(void)
{
    static const char *const names[] = {"file", "d",    "out",    "out-file", "out-new", "absolute",
                                        "up",   "root", "device", "fifo",     "a",       "b",
                                        "c",    "...",  "secret", "user.a",   "user.b"};

    return names[random_number() % ARRAY_LENGTH(names)];
}

struct known {
    uint64_t node[32];
    uint64_t handle[32];
};

static uint64_t random_node(const struct known *known)
{
    uint64_t id = known->node[random_number() % ARRAY_LENGTH(known->node)];

    return random_number() % 16 ? id : id ^ 1ull << random_number() % 64;
}

/* Structures begin with ids and sizes: small numbers, flags, ids that are known, ids that are not.
 */
static void fill(uint64_t *words, size_t count, const struct known *known)
{
    for (size_t i = 0; i < count; i++)
        switch (random_number() % 5) {
        case 0:
            words[i] = known->handle[random_number() % ARRAY_LENGTH(known->handle)];
            break;
        case 1:
            words[i] = random_node(known);
            break;
        case 2:
            words[i] = 0;
            break;
        case 3:
            words[i] = random_number() % 0x2000;
            break;
        default:
            words[i] = random_number();
        }
}

/* Sizes as the validator wants them; what is malformed has tests of its own. */
static int send_random(const struct known *known, uint32_t opcode)
{
    static const struct {
        uint8_t words; /* of the fixed structure */
        uint8_t names;
    } layouts[FUSE_LSEEK + 1] = {
        [FUSE_LOOKUP] = {0, 1},    [FUSE_GETATTR] = {2, 0},     [FUSE_SETATTR] = {11, 0},
        [FUSE_READLINK] = {0, 0},  [FUSE_SYMLINK] = {0, 2},     [FUSE_MKNOD] = {2, 1},
        [FUSE_MKDIR] = {1, 1},     [FUSE_UNLINK] = {0, 1},      [FUSE_RMDIR] = {0, 1},
        [FUSE_RENAME] = {1, 2},    [FUSE_LINK] = {1, 1},        [FUSE_OPEN] = {1, 0},
        [FUSE_READ] = {5, 0},      [FUSE_STATFS] = {0, 0},      [FUSE_RELEASE] = {3, 0},
        [FUSE_FSYNC] = {2, 0},     [FUSE_SETXATTR] = {1, 1},    [FUSE_GETXATTR] = {1, 1},
        [FUSE_LISTXATTR] = {1, 0}, [FUSE_REMOVEXATTR] = {0, 1}, [FUSE_FLUSH] = {3, 0},
        [FUSE_OPENDIR] = {1, 0},   [FUSE_READDIR] = {5, 0},     [FUSE_RELEASEDIR] = {3, 0},
        [FUSE_FSYNCDIR] = {2, 0},  [FUSE_SETLK] = {6, 0},       [FUSE_CREATE] = {2, 1},
        [FUSE_FALLOCATE] = {4, 0}, [FUSE_RENAME2] = {2, 2},     [FUSE_LSEEK] = {3, 0},
        [FUSE_WRITE] = {5, 0},
    };
    uint64_t words[11];
    const char *first = random_name(), *second = random_name();
    struct share_part parts[5] = {0};
    size_t count = 0;

    fill(words, ARRAY_LENGTH(words), known);
    if (opcode == FUSE_READ || opcode == FUSE_READDIR || opcode == FUSE_WRITE)
        words[2] = 512;
    if (opcode == FUSE_SETXATTR)
        words[0] = 4;
    if (opcode == FUSE_FALLOCATE)
        words[2] %= 1024 * 1024; /* not the disk */
    if (opcode == FUSE_WRITE || opcode == FUSE_FALLOCATE)
        words[1] %= 1024 * 1024;
    if (layouts[opcode].words)
        parts[count++] = (struct share_part){words, layouts[opcode].words * sizeof(words[0])};
    if (layouts[opcode].names > 0)
        parts[count++] = SHARE_NAME(first);
    if (layouts[opcode].names > 1)
        parts[count++] = SHARE_NAME(second);
    if (opcode == FUSE_WRITE || opcode == FUSE_SETXATTR)
        parts[count] = (struct share_part){peer.answer, opcode == FUSE_WRITE ? 512 : 4};
    return share_peer_ask(&peer, opcode, random_node(known), parts);
}

static void learn(struct known *known, uint32_t opcode)
{
    size_t slot = 2 + random_number() % (ARRAY_LENGTH(known->node) - 2);

    switch (opcode) {
    case FUSE_LOOKUP:
    case FUSE_SYMLINK:
    case FUSE_MKNOD:
    case FUSE_MKDIR:
    case FUSE_LINK:
    case FUSE_CREATE:
        memcpy(&known->node[slot], peer.answer, sizeof(uint64_t));
        break;
    case FUSE_OPEN:
    case FUSE_OPENDIR:
        memcpy(&known->handle[slot], peer.answer, sizeof(uint64_t));
    }
}

START_TEST(nothing_outside_is_touched_whatever_is_asked)
{
    uint64_t before = fingerprint();
    struct known known = {0};
    long good = 0;

    begin();
    for (size_t i = 0; i < ARRAY_LENGTH(known.node); i++)
        known.node[i] = i == 0 ? ROOT : rw;
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t opcode = (uint32_t) (random_number() % (FUSE_LSEEK + 1));

        peer.uid = random_number() % 4 ? 0 : (uint32_t) random_number();
        if (opcode == FUSE_FORGET || opcode == FUSE_INIT || opcode == FUSE_DESTROY ||
            opcode == FUSE_INTERRUPT || opcode == FUSE_BATCH_FORGET || opcode == FUSE_SETLKW)
            continue;
        if (send_random(&known, opcode) != 0)
            continue;
        good++;
        learn(&known, opcode);
    }
    ck_assert_int_gt(good, ROUNDS / 20); /* it did do something */
    ck_assert_uint_eq(fingerprint(), before);
}
END_TEST

/* ---- while the node changes ------------------------------------------------------------------ */

/* A directory and a link to what is not shared, in turns; and a file, and a link to a secret. */
static pid_t swap_for_ever(void)
{
    scoped(freep) char *directory = in_base("rw/d");
    scoped(freep) char *out = in_base("rw/out");
    scoped(freep) char *file = in_base("rw/file");
    scoped(freep) char *out_file = in_base("rw/out-file");
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0)
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (child == 0) {
        (void) renameat2(AT_FDCWD, directory, AT_FDCWD, out, RENAME_EXCHANGE);
        (void) renameat2(AT_FDCWD, file, AT_FDCWD, out_file, RENAME_EXCHANGE);
    }
    return child;
}

/* What a guest can do with a name that was a directory when it asked. */
static int use_directory(const char *name)
{
    const struct fuse_create_in create = {.flags = O_WRONLY | O_TRUNC, .mode = 0666};
    const struct fuse_mkdir_in directory = {.mode = 0777};
    const struct fuse_setattr_in mode = {.valid = FATTR_MODE, .mode = 0777};
    const struct fuse_rename_in back = {.newdir = rw};
    struct fuse_rename_in into;
    uint64_t node;

    if (ASK(&peer, FUSE_LOOKUP, rw, SHARE_NAME(name)) != 0)
        return 0;
    memcpy(&node, peer.answer, sizeof(node));
    (void) ASK(&peer, FUSE_CREATE, node, SHARE_STRUCT(create), SHARE_NAME("file"));
    (void) ASK(&peer, FUSE_MKDIR, node, SHARE_STRUCT(directory), SHARE_NAME("made"));
    (void) ASK(&peer, FUSE_UNLINK, node, SHARE_NAME("file"));
    (void) ASK(&peer, FUSE_RMDIR, node, SHARE_NAME("made"));
    (void) ASK(&peer, FUSE_SETATTR, node, SHARE_STRUCT(mode));
    into.newdir = node;
    (void) ASK(&peer, FUSE_RENAME, rw, SHARE_STRUCT(into), SHARE_NAME("fifo"), SHARE_NAME("fifo"));
    return ASK(&peer, FUSE_RENAME, node, SHARE_STRUCT(back), SHARE_NAME("fifo"),
               SHARE_NAME("fifo")) == 0;
}

static int use_file(const char *name)
{
    const struct fuse_open_in in = {.flags = O_RDWR};
    struct fuse_read_in read = {.size = 100};
    struct fuse_write_in write = {.size = 6};
    struct fuse_release_in release = {0};
    uint64_t node;

    if (ASK(&peer, FUSE_LOOKUP, rw, SHARE_NAME(name)) != 0)
        return 0;
    memcpy(&node, peer.answer, sizeof(node));
    if (ASK(&peer, FUSE_OPEN, node, SHARE_STRUCT(in)) != 0)
        return 0;
    memcpy(&read.fh, peer.answer, sizeof(read.fh));
    write.fh = release.fh = read.fh;
    ck_assert_int_eq(ASK(&peer, FUSE_READ, node, SHARE_STRUCT(read)), 0);
    ck_assert_mem_eq(peer.answer, "shared", 6);
    (void) ASK(&peer, FUSE_WRITE, node, SHARE_STRUCT(write), ((struct share_part){"shared", 6}));
    (void) ASK(&peer, FUSE_RELEASE, node, SHARE_STRUCT(release));
    return 1;
}

START_TEST(what_is_swapped_for_a_link_leads_nowhere)
{
    uint64_t before = fingerprint();
    int directories = 0, files = 0;
    pid_t child;

    begin();
    child = swap_for_ever();
    for (int i = 0; i < 1000; i++) {
        directories += use_directory(i % 2 ? "d" : "out");
        files += use_file(i % 2 ? "file" : "out-file");
    }
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert(directories > 25 && files > 25); /* both were met as what they are, too */
    ck_assert(directories < 975 && files < 975);
    ck_assert_uint_eq(fingerprint(), before);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {nothing_comes_before_init,
                                  there_is_one_init,
                                  an_end_inside_of_a_message_is_no_end,
                                  links_lead_nowhere,
                                  the_root_holds_the_shares_only,
                                  few_capabilities_are_left,
                                  what_is_read_only_is_so_by_any_way,
                                  one_inode_in_two_shares_is_two_nodes,
                                  what_is_no_file_is_not_opened,
                                  no_device_is_made,
                                  nobody_is_minus_one,
                                  rights_are_no_attributes,
                                  numbers_of_descriptors_are_no_handles,
                                  open_files_are_not_without_number,
                                  waiters_are_not_without_number,
                                  a_peer_that_does_not_read_is_not_read,
                                  nothing_outside_is_touched_whatever_is_asked,
                                  what_is_swapped_for_a_link_leads_nowhere,
                                  NULL};
    const struct suite suite = {"share_hostile", setup, teardown, 60};
    TCase *tests_case;

    if (geteuid() != 0) {
        puts("skipped: needs root");
        return EXIT_SUCCESS;
    }
    tests_case = suite_case(&suite, tests);
    tcase_add_loop_test(tests_case, names_that_are_paths_drop_the_peer, 0, 6);
    tcase_add_loop_test(tests_case, a_length_that_no_message_has_drops_the_peer, 0, 4);
    return suite_run_case(suite.name, tests_case);
}
