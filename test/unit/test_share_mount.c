/* SPDX-License-Identifier: Apache-2.0 */
/* What programs see on a share: as in a directory of the node, but for the cases of the matrix that
 * are listed as different; and what the node does meanwhile. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "share_fixture.h"
#include "share_matrix.h"
#include "share_record.h"
#include "suite.h"

static struct share_fixture fixture;

static char *run_in(const char *place, const struct share_case *one)
{
    scoped(freep) char *path = xformat("%s/%s", fixture.base, place);

    return share_case_run(one, path);
}

static void compare(const struct share_case *one)
{
    scoped(freep) char *local = run_in("local", one);
    scoped(freep) char *shared = run_in("mnt/rw", one);

    ck_assert_uint_gt(strlen(local), 0);
    ck_assert_str_eq(shared, local);
}

START_TEST(a_share_behaves_as_a_local_directory)
{
    compare(&share_matrix[_i]);
}
END_TEST

START_TEST(a_share_behaves_so_at_the_edges)
{
    compare(&share_edges[_i]);
}
END_TEST

/* The values that were written down, one a line. */
static void check_answers(const char *record, const struct share_difference *difference)
{
    size_t count = 0;

    for (const char *line = record; *line; line = strchr(line, '\n') + 1, count++) {
        ck_assert_uint_lt(count, difference->count);
        ck_assert_int_eq(strtol(strstr(line, ": ") + 2, NULL, 10), difference->answers[count]);
    }
    ck_assert_uint_eq(count, difference->count);
}

START_TEST(a_share_differs_as_is_documented)
{
    const struct share_difference *difference = &share_differences[_i];
    scoped(freep) char *local = run_in("local", &difference->one);
    scoped(freep) char *shared = run_in("mnt/rw", &difference->one);
    scoped(freep) char *row = xformat("\n| %s |", difference->row);
    scoped(freep) char *document = NULL;
    struct error err;
    size_t length;

    ck_assert_str_ne(shared, local);
    check_answers(shared, difference);
    ck_assert_int_eq(file_read(SHARE_DOCUMENT, 1 << 20, &document, &length, &err), 0);
    ck_assert_ptr_nonnull(strstr(document, row));
}
END_TEST

static void setup(void)
{
    share_fixture_start(&fixture);
    share_fixture_mount(&fixture);
}

static void teardown(void)
{
    share_fixture_stop(&fixture);
}

static int in_base(const char *name)
{
    scoped(freep) char *path = xformat("%s/%s", fixture.base, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* Whether it can be opened: 0 or a negative errno. */
static int probe_in_base(const char *name)
{
    scoped(closep) int fd = in_base(name);

    return fd < 0 ? fd : 0;
}

static void put_in_base(const char *name, const char *text)
{
    scoped(freep) char *path = xformat("%s/%s", fixture.base, name);

    ck_assert_int_eq(share_put(path, text), 0);
}

START_TEST(what_the_node_does_is_seen)
{
    scoped(freep) char *seen = xformat("%s/mnt/rw/a", fixture.base);
    scoped(freep) char *link = xformat("%s/rw/..data", fixture.base);
    scoped(freep) char *next = xformat("%s/rw/..next", fixture.base);
    scoped(freep) char *through = xformat("%s/mnt/rw/..data", fixture.base);

    ck_assert_int_eq(probe_in_base("mnt/rw/a"), -ENOENT);
    put_in_base("rw/a", "first");
    ck_assert_int_eq(share_first_bytes(seen), 0x7473726966);
    put_in_base("rw/b", "second");
    ck_assert_int_eq(symlink("a", link), 0);
    ck_assert_int_eq(share_first_bytes(through), 0x7473726966);
    ck_assert_int_eq(symlink("b", next), 0);
    ck_assert_int_eq(rename(next, link), 0);
    ck_assert_int_eq(share_first_bytes(through), 0x646e6f636573);
}
END_TEST

START_TEST(locks_hold_between_the_node_and_the_guest)
{
    int here, there;

    put_in_base("rw/a", "x");
    here = in_base("rw/a");
    there = in_base("mnt/rw/a");
    ck_assert_int_eq(flock(here, LOCK_EX | LOCK_NB), 0);
    ck_assert_int_lt(flock(there, LOCK_SH | LOCK_NB), 0);
    ck_assert_int_eq(flock(here, LOCK_UN), 0);
    ck_assert_int_eq(flock(there, LOCK_EX | LOCK_NB), 0);
    ck_assert_int_lt(flock(here, LOCK_SH | LOCK_NB), 0);
    close(there);
    ck_assert_int_eq(flock(here, LOCK_EX), 0); /* released without an answer to wait for */
    close(here);
}
END_TEST

START_TEST(a_read_only_share_cannot_be_written)
{
    scoped(freep) char *path = xformat("%s/mnt/ro/a", fixture.base);
    scoped(freep) char *root = xformat("%s/mnt/new", fixture.base);

    put_in_base("ro/a", "x");
    ck_assert_int_eq(probe_in_base("mnt/ro/a"), 0);
    ck_assert(open(path, O_WRONLY | O_CLOEXEC) < 0 && errno == EROFS);
    ck_assert(unlink(path) < 0 && errno == EROFS);
    ck_assert(chmod(path, 0777) < 0 && errno == EROFS);
    ck_assert(mkdir(root, 0755) < 0 && errno == EROFS);
}
END_TEST

static int descriptors_of_server(void)
{
    scoped(freep) char *path = xformat("/proc/%d/fd", fixture.server);
    DIR *dir = opendir(path);
    int count = 0;

    ck_assert_ptr_nonnull(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* The guest has memory enough to remember all; the server does not hold all for that. */
START_TEST(more_files_are_used_than_are_held)
{
    enum { FILES = 6000, HELD = 4096 + 64 };
    struct stat stat;
    int fd = -1;

    for (int i = 0; i < FILES; i++) {
        scoped(freep) char *path = xformat("%s/mnt/rw/%d", fixture.base, i);

        ck_assert_int_eq(share_put(path, "x"), 0);
        if (i == 0)
            fd = open(path, O_RDWR | O_CLOEXEC);
    }
    (void) probe_in_base("mnt/rw/0"); /* a message after the last one: it is all parked */
    ck_assert_int_le(descriptors_of_server(), HELD);
    for (int i = 0; i < FILES; i++) {
        scoped(freep) char *path = xformat("%s/mnt/rw/%d", fixture.base, i);

        ck_assert_int_eq(share_first_bytes(path), 'x');
    }
    ck_assert_int_eq(pwrite(fd, "yy", 2, 0), 2); /* it stayed what it was */
    ck_assert_int_eq(fstat(fd, &stat), 0);
    ck_assert_int_eq(stat.st_size, 2);
    close(fd);
}
END_TEST

static void mount_in_base(const char *name)
{
    scoped(freep) char *path = xformat("%s/%s", fixture.base, name);

    ck_assert_int_eq(mkdir(path, 0755), 0);
    ck_assert_int_eq(mount("later", path, "tmpfs", 0, NULL), 0);
}

START_TEST(later_mounts_are_seen_by_a_slave_only)
{
    scoped(freep) char *proc = xformat("%s/slave/proc", fixture.base);

    ck_assert_int_eq(probe_in_base("mnt/rw"), 0); /* the server is up, its tree is attached */
    mount_in_base("slave/later");
    put_in_base("slave/later/x", "x");
    ck_assert_int_eq(probe_in_base("mnt/slave/later/x"), 0);
    mount_in_base("rw/later");
    put_in_base("rw/later/x", "x");
    ck_assert_int_eq(probe_in_base("mnt/rw/later/x"), -ENOENT);
    /* The server would find itself there. */
    ck_assert_int_eq(mkdir(proc, 0755), 0);
    ck_assert_int_eq(mount("proc", proc, "proc", 0, NULL), 0);
    ck_assert_int_eq(probe_in_base("mnt/slave/proc"), -EACCES);
}
END_TEST

static struct stat stat_in_base(const char *name)
{
    scoped(freep) char *path = xformat("%s/%s", fixture.base, name);
    struct stat stat = {0};

    ck_assert_int_eq(lstat(path, &stat), 0);
    return stat;
}

/* Whether it goes: the server leaves what is not used for a second. */
static bool unmount_in_base(const char *name, int seconds)
{
    scoped(freep) char *path = xformat("%s/%s", fixture.base, name);

    for (int i = 0; i < seconds * 20; i++) {
        if (umount2(path, 0) == 0)
            return true;
        ck_assert_int_eq(errno, EBUSY);
        (void) poll(NULL, 0, 50);
    }
    return false;
}

START_TEST(the_node_can_unmount_what_the_guest_has_seen)
{
    scoped(freep) char *deep = xformat("%s/slave/later/d", fixture.base);
    scoped(freep) char *place = xformat("%s/slave/later", fixture.base);
    struct stat before;

    (void) stat_in_base("mnt/slave");
    mount_in_base("slave/later");
    ck_assert_int_eq(mkdir(deep, 0755), 0);
    put_in_base("slave/later/d/x", "x");
    before = stat_in_base("mnt/slave/later/d/x");
    ck_assert_int_eq(probe_in_base("mnt/slave/later/d/x"), 0);
    ck_assert(unmount_in_base("slave/later", 10));
    ck_assert_int_eq(probe_in_base("mnt/slave/later/d/x"), -ENOENT);
    ck_assert_int_eq(probe_in_base("mnt/slave/later"), 0);
    /* Another one in its place, with the same numbers perhaps, is another one. */
    ck_assert_int_eq(rmdir(place), 0);
    mount_in_base("slave/later");
    ck_assert_int_eq(mkdir(deep, 0755), 0);
    put_in_base("slave/later/d/x", "other");
    ck_assert_int_eq(stat_in_base("mnt/slave/later/d/x").st_size, 5);
    ck_assert_int_ne(before.st_size, 5);
}
END_TEST

START_TEST(what_is_open_keeps_a_mount_of_the_node)
{
    struct stat before;
    int fd;

    (void) stat_in_base("mnt/slave");
    mount_in_base("slave/later");
    put_in_base("slave/later/x", "x");
    fd = in_base("mnt/slave/later/x");
    before = stat_in_base("mnt/slave/later");
    ck_assert(!unmount_in_base("slave/later", 2));
    ck_assert_int_eq(stat_in_base("mnt/slave/later").st_ino, before.st_ino);
    ck_assert_int_eq(probe_in_base("mnt/slave/later/x"), 0);
    close(fd);
    ck_assert(unmount_in_base("slave/later", 10));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {what_the_node_does_is_seen,
                                  locks_hold_between_the_node_and_the_guest,
                                  a_read_only_share_cannot_be_written,
                                  more_files_are_used_than_are_held,
                                  later_mounts_are_seen_by_a_slave_only,
                                  the_node_can_unmount_what_the_guest_has_seen,
                                  what_is_open_keeps_a_mount_of_the_node,
                                  NULL};
    const struct suite suite = {"share_mount", setup, teardown, 60};
    TCase *tests_case;

    if (geteuid() != 0 || access("/dev/fuse", R_OK | W_OK) < 0) {
        puts("skipped: needs root and /dev/fuse");
        return EXIT_SUCCESS;
    }
    tests_case = suite_case(&suite, tests);
    tcase_add_loop_test(tests_case, a_share_behaves_as_a_local_directory, 0,
                        (int) share_matrix_length);
    tcase_add_loop_test(tests_case, a_share_behaves_so_at_the_edges, 0, (int) share_edges_length);
    tcase_add_loop_test(tests_case, a_share_differs_as_is_documented, 0,
                        (int) share_differences_length);
    return suite_run_case(suite.name, tests_case);
}
