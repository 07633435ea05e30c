/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to a live share one after the other, each as {opcode, node, length} and its body: what
 * is beside the shared directory stays as it is, and the server ends when its peer does. */
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "server.h"

/* So few and so small that the answers fit into the socket: nobody reads them. */
enum { REQUESTS_MAX = 24, FILE_MAX = 4096, SOMEBODY = 0x80 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char base[32], path[64];

static const char *in_base(const char *name)
{
    (void) snprintf(path, sizeof(path), "%s/%s", base, name);
    return path;
}

/* A request sets the mask of this process. */
static void make(const char *name)
{
    if (mkdir(in_base(name), 0700) < 0 || chmod(in_base(name), 0755) < 0)
        abort();
}

static void put(const char *name)
{
    int fd = open(in_base(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 || fchmod(fd, 0644) < 0 || write(fd, "content", 7) != 7)
        abort();
    close(fd);
}

static void make_tree(void)
{
    strcpy(base, "/dev/shm/cleave-fuzz-XXXXXX");
    if (!mkdtemp(base) || chmod(base, 0700) < 0)
        abort();
    make("s");
    make("s/d");
    make("o");
    if (symlink("../o", in_base("s/l")) < 0 || symlink("../o/x", in_base("s/m")) < 0 ||
        mkfifo(in_base("s/f"), 0644) < 0)
        abort();
    put("s/a");
    put("o/x");
}

static void ask(int peer, const struct fuse_in_header *header, const void *body)
{
    uint8_t message[sizeof(*header) + UINT8_MAX];

    memcpy(message, header, sizeof(*header));
    memcpy(message + sizeof(*header), body, header->len - sizeof(*header));
    (void) !write(peer, message, header->len);
}

/* Ids are as the server gives them: an index and a generation. */
static void ask_all(int peer, const uint8_t *data, size_t size)
{
    const struct fuse_init_in init = {.major = FUSE_KERNEL_VERSION, .minor = 38};
    struct fuse_in_header header = {.len = sizeof(header) + sizeof(init), .opcode = FUSE_INIT};

    ask(peer, &header, &init);
    for (int i = 0; i < REQUESTS_MAX && size >= 3 && size - 3 >= data[2]; i++) {
        uint64_t node = data[1] & ~SOMEBODY;

        header = (struct fuse_in_header){.len = sizeof(header) + data[2],
                                         .opcode = data[0],
                                         .unique = (uint64_t) i + 2,
                                         .nodeid = node < 2 ? node : 1ull << 32 | node,
                                         .uid = data[1] & SOMEBODY ? 1000 : geteuid(),
                                         .gid = getegid()};
        ask(peer, &header, data + 3);
        size -= 3u + data[2];
        data += 3 + data[2];
    }
    (void) shutdown(peer, SHUT_WR);
}

/* A request may ask for an exabyte; our own log is not to be shorter for that. */
static void limit_files(rlim_t size)
{
    struct rlimit limit;

    (void) signal(SIGXFSZ, SIG_IGN);
    (void) getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
    (void) setrlimit(RLIMIT_FSIZE, &limit);
}

static void check_outside(void)
{
    struct stat file, directory;

    if (stat(in_base("o/x"), &file) < 0 || stat(in_base("o"), &directory) < 0)
        abort();
    if (file.st_size != 7 || (file.st_mode & 07777) != 0644 || file.st_nlink != 1 ||
        (directory.st_mode & 07777) != 0755 || rmdir(in_base("o")) == 0)
        abort();
    if (unlink(in_base("o/x")) < 0 || rmdir(in_base("o")) < 0)
        abort(); /* something was made there */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct server_files files;
    struct server *server;
    struct error err;
    int pair[2];

    make_tree();
    files.root = open(in_base("s"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    files.own_files = open("/proc/self/fd", O_PATH | O_CLOEXEC);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        abort();
    files.peer = pair[1];
    if (server_new(&files, &server, &err) < 0)
        abort();
    ask_all(pair[0], data, size);
    limit_files(FILE_MAX);
    (void) server_run(server, &err);
    limit_files(RLIM_INFINITY);
    server_free(server);
    close(pair[0]);
    check_outside();
    if (file_remove_tree(base, &err) < 0)
        abort();
    return 0;
}
