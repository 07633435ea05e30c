/* SPDX-License-Identifier: Apache-2.0 */
/* A share has two sides: what the node and the guest do with the same files at the same time, and
 * what they do not see of each other. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scoped.h"
#include "share_fixture.h"
#include "share_record.h"
#include "suite.h"

static struct share_fixture fixture;

static void setup(void)
{
    share_fixture_start(&fixture);
    share_fixture_mount(&fixture);
}

static void teardown(void)
{
    share_fixture_stop(&fixture);
}

static int open_in(const char *place, const char *name, int flags)
{
    scoped(freep) char *path = xformat("%s/%s/%s", fixture.base, place, name);
    int fd = open(path, flags | O_CLOEXEC, 0644);

    return fd < 0 ? -errno : fd;
}

static int on_node(const char *name, int flags)
{
    return open_in("rw", name, flags);
}

static int in_guest(const char *name, int flags)
{
    return open_in("mnt/rw", name, flags);
}

static pid_t append_many(int fd, char letter)
{
    enum { LINES = 400 };
    char line[17];
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child > 0)
        return child;
    memset(line, letter, sizeof(line));
    for (int i = 0; i < LINES; i++)
        if (write(fd, line, sizeof(line)) != sizeof(line))
            _exit(1);
    _exit(0);
}

/* Nothing is lost, nothing torn. */
START_TEST(both_sides_append)
{
    enum { LINES = 400, LENGTH = 17 };
    static char text[4 * LINES * LENGTH + 1];
    int node = on_node("log", O_RDWR | O_CREAT | O_APPEND);
    int guest = in_guest("log", O_RDWR | O_APPEND), status;
    pid_t children[] = {append_many(node, 'n'), append_many(guest, 'g'), append_many(node, 'N'),
                        append_many(guest, 'G')};
    int counts[256] = {0};

    for (size_t i = 0; i < ARRAY_LENGTH(children); i++) {
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_int_eq(pread(node, text, sizeof(text), 0), sizeof(text) - 1);
    for (size_t line = 0; line < sizeof(text) - 1; line += LENGTH) {
        for (size_t i = 1; i < LENGTH; i++)
            ck_assert_int_eq(text[line + i], text[line]);
        counts[(uint8_t) text[line]]++;
    }
    ck_assert(counts['n'] == LINES && counts['g'] == LINES && counts['N'] == LINES &&
              counts['G'] == LINES);
    close(node);
    close(guest);
}
END_TEST

/* Attributes are kept for a second; whoever opens the file anew does not even wait for that. */
START_TEST(what_the_node_writes_is_read)
{
    int node = on_node("a", O_RDWR | O_CREAT), guest, again;
    char text[8] = "";

    ck_assert_int_eq(pwrite(node, "first", 5, 0), 5);
    guest = in_guest("a", O_RDONLY);
    ck_assert_int_eq(pread(guest, text, 5, 0), 5);
    ck_assert_int_eq(pwrite(node, "other", 5, 0), 5);
    again = in_guest("a", O_RDONLY);
    ck_assert_int_eq(pread(again, text, 5, 0), 5);
    ck_assert_str_eq(text, "other");
    ck_assert_int_eq(pwrite(node, "third and longer", 16, 0), 16);
    for (int i = 0; i < 60 && strcmp(text, "third") != 0; i++) {
        (void) poll(NULL, 0, 50);
        ck_assert_int_eq(pread(guest, text, 5, 0), 5);
    }
    ck_assert_str_eq(text, "third");
    ck_assert_int_eq(ftruncate(node, 2), 0);
    close(again);
    again = in_guest("a", O_RDONLY);
    ck_assert_int_eq(pread(again, text, 5, 0), 2);
    close(node);
    close(guest);
    close(again);
}
END_TEST

START_TEST(what_the_guest_maps_is_on_the_node_when_it_is_synced)
{
    int guest = in_guest("a", O_RDWR | O_CREAT), node;
    char text[8] = "", *map;

    ck_assert_int_eq(ftruncate(guest, 4096), 0);
    map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, guest, 0);
    ck_assert_ptr_ne(map, MAP_FAILED);
    node = on_node("a", O_RDONLY);
    memcpy(map, "synced", 6);
    ck_assert_int_eq(msync(map, 4096, MS_SYNC), 0);
    ck_assert_int_eq(pread(node, text, 6, 0), 6);
    ck_assert_str_eq(text, "synced");
    memcpy(map, "closed", 6);
    ck_assert_int_eq(munmap(map, 4096), 0);
    ck_assert_int_eq(close(guest), 0);
    ck_assert_int_eq(pread(node, text, 6, 0), 6);
    ck_assert_str_eq(text, "closed");
    close(node);
}
END_TEST

/* docs/volumes.md: "record locks". */
START_TEST(record_locks_end_at_the_guest)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
    int node = on_node("a", O_RDWR | O_CREAT), guest = in_guest("a", O_RDWR);

    ck_assert_int_eq(fcntl(node, F_OFD_SETLK, &lock), 0);
    ck_assert_int_eq(fcntl(guest, F_OFD_SETLK, &lock), 0);
    close(node);
    close(guest);
}
END_TEST

/* docs/volumes.md: "inotify". */
START_TEST(changes_of_the_node_are_not_told)
{
    scoped(freep) char *place = xformat("%s/mnt/rw", fixture.base);
    int events = inotify_init1(IN_CLOEXEC), fd;
    struct pollfd polled = {.fd = events, .events = POLLIN};

    ck_assert_int_ge(inotify_add_watch(events, place, IN_CREATE), 0);
    fd = on_node("node", O_WRONLY | O_CREAT);
    close(fd);
    ck_assert_int_eq(poll(&polled, 1, 200), 0);
    fd = in_guest("guest", O_WRONLY | O_CREAT);
    close(fd);
    ck_assert_int_eq(poll(&polled, 1, 10000), 1);
    close(events);
}
END_TEST

static int connect_to(const char *place)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    scoped(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s/sock", fixture.base, place);
    return connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0 ? -errno : 0;
}

/* docs/volumes.md: "sockets and FIFOs". */
START_TEST(sockets_and_fifos_have_both_ends_on_one_side)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    scoped(freep) char *fifo = xformat("%s/rw/fifo", fixture.base);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), reader, writer;
    char byte;

    (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s/rw/sock", fixture.base);
    ck_assert_int_eq(bind(server, (const struct sockaddr *) &address, sizeof(address)), 0);
    ck_assert_int_eq(listen(server, 1), 0);
    ck_assert_int_eq(connect_to("rw"), 0);
    ck_assert_int_eq(connect_to("mnt/rw"), -ECONNREFUSED);
    ck_assert_int_eq(mkfifo(fifo, 0644), 0);
    reader = on_node("fifo", O_RDWR | O_NONBLOCK);
    writer = in_guest("fifo", O_RDWR | O_NONBLOCK);
    ck_assert_int_eq(write(writer, "x", 1), 1);
    ck_assert_int_lt(read(reader, &byte, 1), 0);
    ck_assert_int_eq(read(writer, &byte, 1), 1);
    close(reader);
    close(writer);
    close(server);
}
END_TEST

/* Two file systems, in which the same inode has the same number. */
START_TEST(numbers_of_inodes_are_told_apart)
{
    scoped(freep) char *one = xformat("%s/mnt/slave/one", fixture.base);
    scoped(freep) char *two = xformat("%s/mnt/slave/two", fixture.base);
    static const char *const names[] = {"one", "two"};
    struct stat stats[2];
    scoped(freep) char *place = xformat("%s/mnt/slave", fixture.base);

    ck_assert_int_eq(lstat(place, &stats[0]), 0); /* the server is up */
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        scoped(freep) char *path = xformat("%s/slave/%s", fixture.base, names[i]);

        ck_assert_int_eq(mkdir(path, 0755), 0);
        ck_assert_int_eq(mount("one", path, "tmpfs", 0, NULL), 0);
        ck_assert_int_eq(lstat(path, &stats[i]), 0);
    }
    ck_assert_uint_eq(stats[0].st_ino, stats[1].st_ino);
    ck_assert_int_eq(lstat(one, &stats[0]), 0);
    ck_assert_int_eq(lstat(two, &stats[1]), 0);
    ck_assert_uint_eq(stats[0].st_dev, stats[1].st_dev);
    ck_assert_uint_ne(stats[0].st_ino, stats[1].st_ino);
}
END_TEST

/* docs/volumes.md says what comes after it; here it is that nobody waits. */
START_TEST(when_the_server_dies_nobody_waits)
{
    int fd = in_guest("a", O_RDWR | O_CREAT);

    ck_assert_int_eq(kill(fixture.server, SIGKILL), 0);
    ck_assert_int_eq(share_fixture_wait(&fixture), -1);
    ck_assert_int_lt(pwrite(fd, "x", 1, 0), 0);
    ck_assert_int_lt(in_guest("b", O_RDWR | O_CREAT), 0);
    close(fd);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {both_sides_append,
                                  what_the_node_writes_is_read,
                                  what_the_guest_maps_is_on_the_node_when_it_is_synced,
                                  record_locks_end_at_the_guest,
                                  changes_of_the_node_are_not_told,
                                  sockets_and_fifos_have_both_ends_on_one_side,
                                  numbers_of_inodes_are_told_apart,
                                  when_the_server_dies_nobody_waits,
                                  NULL};

    if (geteuid() != 0 || access("/dev/fuse", R_OK | W_OK) < 0) {
        puts("skipped: needs root and /dev/fuse");
        return EXIT_SUCCESS;
    }
    return suite_run_with(&(struct suite){"share_node", setup, teardown, 60}, tests);
}
