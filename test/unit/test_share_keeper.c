/* SPDX-License-Identifier: Apache-2.0 */
/* Shares that come and go while the server runs. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/scoped.h"
#include "share_fixture.h"
#include "share_record.h"
#include "suite.h"

static struct share_fixture fixture;
static char answer[512];

static void setup(void)
{
    share_fixture_start_keeper(&fixture);
    share_fixture_mount(&fixture);
}

static void teardown(void)
{
    share_fixture_stop(&fixture);
}

/* The answer's words. */
static const char *ask(const char *fmt, ...)
{
    char request[4608];
    va_list args;
    ssize_t length;

    va_start(args, fmt);
    (void) vsnprintf(request, sizeof(request), fmt, args);
    va_end(args);
    ck_assert_int_ge(send(fixture.control, request, strlen(request), 0), 0);
    length = recv(fixture.control, answer, sizeof(answer) - 1, 0);
    ck_assert_int_gt(length, 0);
    answer[length] = '\0';
    return answer;
}

/* Adds base/`name` and gives the path where the guest has it; the caller frees. */
static char *add(const char *options, const char *name)
{
    const char *words = ask("add %s:%s%s%s", options, fixture.base, *name ? "/" : "", name);

    ck_assert_msg(strncmp(words, "ok ", 3) == 0, "%s", words);
    return xformat("%s/mnt/%s", fixture.base, words + 3);
}

static void drop(const char *path)
{
    ck_assert_str_eq(ask("remove %s", strrchr(path, '/') + 1), "ok");
}

/* 0 or a negative errno. */
static int probe(const char *directory, const char *name, int flags)
{
    scoped(freep) char *path = xformat("%s/%s", directory, name);
    scoped(closep) int fd = open(path, flags | O_CLOEXEC, 0644);

    return fd < 0 ? -errno : 0;
}

static void put(const char *name)
{
    scoped(freep) char *path = xformat("%s/%s", fixture.base, name);

    ck_assert_int_eq(share_put(path, "x"), 0);
}

static void mount_in_base(const char *name)
{
    scoped(freep) char *path = xformat("%s/%s", fixture.base, name);

    ck_assert_int_eq(mkdir(path, 0755), 0);
    ck_assert_int_eq(mount("later", path, "tmpfs", 0, NULL), 0);
}

static int count(const char *path)
{
    DIR *stream = opendir(path);
    int result = -2; /* "." and ".." */

    ck_assert_ptr_nonnull(stream);
    while (readdir(stream))
        result++;
    closedir(stream);
    return result;
}

START_TEST(a_share_comes_and_goes)
{
    scoped(freep) char *mnt = xformat("%s/mnt", fixture.base);
    scoped(freep) char *one = NULL, *two = NULL;

    ck_assert_int_eq(count(mnt), 0);
    one = add("rw", "rw");
    put("rw/a");
    ck_assert_int_eq(probe(one, "a", O_RDWR), 0);
    ck_assert_int_eq(probe(one, "b", O_WRONLY | O_CREAT), 0);
    two = add("rw", "slave");
    ck_assert_str_ne(one, two);
    ck_assert_int_eq(count(mnt), 2);
    drop(one);
    ck_assert_int_eq(probe(one, "a", O_RDONLY), -ENOENT);
    ck_assert_int_eq(count(mnt), 1);
    ck_assert_int_eq(probe(mnt, "new", O_WRONLY | O_CREAT), -EROFS);
    ck_assert_str_eq(ask("remove %s", strrchr(one, '/') + 1), "no 5 there is no share 's1'");
}
END_TEST

/* Two containers with one volume see each other's pages at once. */
START_TEST(what_is_the_same_is_one_share)
{
    scoped(freep) char *one = add("rw", "rw");
    scoped(freep) char *two = add("rw", "rw");
    scoped(freep) char *other = add("ro", "rw");
    scoped(freep) char *slave = add("rw,slave", "rw");
    scoped(freep) char *three = NULL;

    ck_assert_str_eq(one, two);
    ck_assert_str_ne(one, other);
    ck_assert_str_ne(one, slave);
    mount_in_base("rw/later"); /* who comes now sees it */
    put("rw/later/x");
    three = add("rw", "rw");
    ck_assert_str_ne(one, three);
    ck_assert_int_eq(probe(three, "later/x", O_RDONLY), 0);
    ck_assert_int_eq(probe(one, "later/x", O_RDONLY), -ENOENT);
    put("rw/a");
    drop(one);
    ck_assert_int_eq(probe(one, "a", O_RDONLY), 0);
    drop(two);
    ck_assert_int_eq(probe(one, "a", O_RDONLY), -ENOENT);
}
END_TEST

START_TEST(another_directory_by_the_same_path_is_another_share)
{
    scoped(freep) char *path = xformat("%s/rw", fixture.base), *moved = xformat("%s.old", path);
    scoped(freep) char *one = add("rw", "rw"), *two = NULL;

    ck_assert_int_eq(rename(path, moved), 0);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    two = add("rw", "rw");
    put("rw/new");
    ck_assert_str_ne(one, two);
    ck_assert_int_eq(probe(two, "new", O_RDONLY), 0);
    ck_assert_int_eq(probe(one, "new", O_RDONLY), -ENOENT);
}
END_TEST

START_TEST(mounts_of_the_node_are_seen_as_asked)
{
    scoped(freep) char *slave = NULL, *private = NULL;

    mount_in_base("slave/before");
    put("slave/before/x");
    slave = add("rw,slave", "slave");
    private = add("rw", "slave");
    ck_assert_int_eq(probe(slave, "before/x", O_RDONLY), 0);
    ck_assert_int_eq(probe(private, "before/x", O_RDONLY), 0);
    mount_in_base("slave/later");
    put("slave/later/x");
    ck_assert_int_eq(probe(slave, "later/x", O_RDONLY), 0);
    ck_assert_int_eq(probe(private, "later", O_RDONLY), 0);
    ck_assert_int_eq(probe(private, "later/x", O_RDONLY), -ENOENT);
}
END_TEST

START_TEST(read_only_is_of_one_mount_or_of_all)
{
    scoped(freep) char *one = NULL, *all = NULL;

    mount_in_base("rw/sub");
    one = add("ro", "rw");
    all = add("rro", "rw");
    ck_assert_int_eq(probe(one, "x", O_WRONLY | O_CREAT), -EROFS);
    ck_assert_int_eq(probe(one, "sub/x", O_WRONLY | O_CREAT), 0);
    ck_assert_int_eq(probe(all, "x", O_WRONLY | O_CREAT), -EROFS);
    ck_assert_int_eq(probe(all, "sub/x", O_RDONLY), 0);
    ck_assert_int_eq(probe(all, "sub/x", O_WRONLY), -EROFS);
}
END_TEST

START_TEST(a_single_file_is_a_share)
{
    scoped(freep) char *one = NULL;

    put("rw/file");
    one = add("rw", "rw/file");
    ck_assert_int_eq(share_first_bytes(one), 'x');
    ck_assert_int_eq(share_put(one, "new"), 0);
    ck_assert_int_eq(share_first_bytes(one), 0x77656e);
    drop(one);
    ck_assert_int_eq(share_first_bytes(one), -ENOENT);
}
END_TEST

static void make_odd_things(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    scoped(freep) char *fifo = xformat("%s/rw/fifo", fixture.base);
    scoped(freep) char *device = xformat("%s/rw/device", fixture.base);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s/rw/socket", fixture.base);
    ck_assert_int_eq(bind(listener, (struct sockaddr *) &address, sizeof(address)), 0);
    close(listener);
    ck_assert_int_eq(mkfifo(fifo, 0666), 0);
    ck_assert_int_eq(mknod(device, S_IFCHR | 0666, 0x103), 0);
}

START_TEST(what_cannot_be_shared_is_refused_by_name)
{
    static const struct {
        const char *path;
        const char *words;
    } cases[] = {
        {"rw/socket", "UNIX socket"}, {"rw/fifo", "FIFO"},
        {"rw/device", "device"},      {"rw/none", "No such file"},
        {"rw/proc", "node's kernel"}, {"rw/proc/self", "node's kernel"},
    };
    scoped(freep) char *proc = xformat("%s/rw/proc", fixture.base);

    make_odd_things();
    ck_assert_int_eq(symlink("/proc", proc), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *words = ask("add rw:%s/%s", fixture.base, cases[i].path);

        ck_assert_msg(strncmp(words, "no ", 3) == 0 && strstr(words, cases[i].words) &&
                          strstr(words, cases[i].path),
                      "%s: %s", cases[i].path, words);
    }
}
END_TEST

START_TEST(requests_that_are_none_are_refused)
{
    static const char *const requests[] = {"add",         "add rw", "add rw:relative",
                                           "add rx:/tmp", "remove", "remove /",
                                           "remove ..",   "list",   "add rro,slave:/tmp"};

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        ck_assert_msg(strncmp(ask("%s", requests[i]), "no ", 3) == 0, "%s: %s", requests[i],
                      answer);
}
END_TEST

START_TEST(there_is_an_end_to_the_shares)
{
    char name[16];

    for (int i = 0; i <= 256; i++) {
        scoped(freep) char *path = NULL;

        (void) snprintf(name, sizeof(name), "rw/%d", i);
        path = xformat("%s/%s", fixture.base, name);
        ck_assert_int_eq(mkdir(path, 0755), 0);
        (void) ask("add rw:%s", path);
    }
    ck_assert_str_eq(answer, "no 8 the pod has more than 256 shares");
    ck_assert_str_eq(ask("remove s7"), "ok");
    ck_assert_str_eq(ask("add rw:%s/rw", fixture.base), "ok s257");
}
END_TEST

static pid_t only_child(pid_t parent)
{
    scoped(freep) char *path = xformat("/proc/%d/task/%d/children", parent, parent);
    FILE *file;
    int child = 0;

    for (int tries = 0; child == 0 && tries < 1000; tries++) {
        file = fopen(path, "re");
        ck_assert_ptr_nonnull(file);
        if (fscanf(file, "%d", &child) != 1) {
            child = 0;
            usleep(10000);
        }
        fclose(file);
    }
    ck_assert_int_gt(child, 0);
    return child;
}

static bool is_there(pid_t pid)
{
    return kill(pid, 0) == 0;
}

static void expect_end(pid_t pid)
{
    for (int tries = 0; is_there(pid); tries++) {
        ck_assert_int_lt(tries, 1000);
        usleep(10000);
    }
}

/* Whatever the guest makes of the server, it signals nobody and mounts nothing. */
START_TEST(the_server_is_alone_and_may_mount_nothing)
{
    scoped(freep) char *one = add("rw", "rw");
    pid_t server = only_child(fixture.server);
    static const char *const apart[] = {"pid", "net", "ipc"};
    scoped(freep) char *status = xformat("/proc/%d/status", server);
    char line[256];
    unsigned long long capabilities = ~0ull;
    FILE *file = fopen(status, "re");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(probe(one, "none", O_RDONLY), -ENOENT); /* it serves: all is dropped */
    while (fgets(line, sizeof(line), file))
        (void) sscanf(line, "CapPrm: %llx", &capabilities);
    fclose(file);
    ck_assert_uint_eq(capabilities & 1ull << 21, 0); /* CAP_SYS_ADMIN */
    for (size_t i = 0; i < 3; i++) {
        scoped(freep) char *mine = xformat("/proc/self/ns/%s", apart[i]);
        scoped(freep) char *its = xformat("/proc/%d/ns/%s", server, apart[i]);
        struct stat a, b;

        ck_assert_int_eq(stat(mine, &a), 0);
        ck_assert_int_eq(stat(its, &b), 0);
        ck_assert(a.st_ino != b.st_ino);
    }
    drop(one);
}
END_TEST

START_TEST(the_end_of_the_control_is_the_end_of_both)
{
    scoped(freep) char *one = add("rw", "rw");
    pid_t server = only_child(fixture.server);

    close(fixture.control);
    fixture.control = -1;
    ck_assert_int_eq(share_fixture_wait(&fixture), 0);
    expect_end(server);
}
END_TEST

START_TEST(the_death_of_the_server_ends_the_keeper)
{
    pid_t server = only_child(fixture.server);

    ck_assert_int_eq(kill(server, SIGKILL), 0);
    ck_assert_int_eq(share_fixture_wait(&fixture), EXIT_FAILURE);
}
END_TEST

static int held_on(pid_t server, dev_t device)
{
    scoped(freep) char *path = xformat("/proc/%d/fd", server);
    DIR *stream = opendir(path);
    struct dirent *entry;
    struct stat stat;
    int result = 0;

    ck_assert_ptr_nonnull(stream);
    while ((entry = readdir(stream)))
        result += fstatat(dirfd(stream), entry->d_name, &stat, 0) == 0 && stat.st_dev == device;
    closedir(stream);
    return result;
}

/* The node takes the volume down next, and the storage behind it must not be busy. */
START_TEST(of_a_share_that_has_gone_nothing_is_held)
{
    scoped(freep) char *volume = xformat("%s/rw/volume", fixture.base);
    scoped(freep) char *one = NULL;
    pid_t server = only_child(fixture.server);
    struct stat stat_of;

    mount_in_base("rw/volume");
    scoped(freep) char *deep = xformat("%s/deep", volume);
    ck_assert_int_eq(mkdir(deep, 0755), 0);
    put("rw/volume/deep/x");
    put("rw/volume/y");
    ck_assert_int_eq(stat(volume, &stat_of), 0);
    one = add("rw", "rw/volume");
    ck_assert_int_eq(probe(one, "deep/x", O_RDONLY), 0);
    ck_assert_int_eq(probe(one, "y", O_RDWR), 0);
    ck_assert_int_gt(held_on(server, stat_of.st_dev), 0);
    drop(one);
    for (int tries = 0; held_on(server, stat_of.st_dev) > 0; tries++) {
        ck_assert_int_lt(tries, 500);
        usleep(20000);
    }
    ck_assert_int_eq(umount(volume), 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_share_comes_and_goes,
                                  what_is_the_same_is_one_share,
                                  another_directory_by_the_same_path_is_another_share,
                                  mounts_of_the_node_are_seen_as_asked,
                                  read_only_is_of_one_mount_or_of_all,
                                  a_single_file_is_a_share,
                                  what_cannot_be_shared_is_refused_by_name,
                                  requests_that_are_none_are_refused,
                                  there_is_an_end_to_the_shares,
                                  of_a_share_that_has_gone_nothing_is_held,
                                  the_server_is_alone_and_may_mount_nothing,
                                  the_end_of_the_control_is_the_end_of_both,
                                  the_death_of_the_server_ends_the_keeper,
                                  NULL};
    const struct suite suite = {"share_keeper", setup, teardown, 60};

    if (geteuid() != 0 || access("/dev/fuse", R_OK | W_OK) < 0) {
        puts("skipped: needs root and /dev/fuse");
        return EXIT_SUCCESS;
    }
    return suite_run_with(&suite, tests);
}
