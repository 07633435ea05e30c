/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"

/* A directory of the test's own, removed at its end by the very function under test. */
static void enter_directory(char *directory)
{
    (void) strcpy(directory, "/tmp/cleave-file-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
}

static void leave_directory(const char *directory)
{
    struct error err = {0};

    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_msg(file_remove_tree(directory, &err) == 0, "%s", err.message);
    ck_assert(!file_exists(directory));
}

START_TEST(an_atomic_write_replaces_and_leaves_nothing_else)
{
    char directory[64];
    scoped(freep) char *text = NULL;
    size_t length = 0;
    struct stat info;
    struct error err;

    enter_directory(directory);
    ck_assert_int_eq(file_write_atomic("state", "one", 3, 0644, &err), 0);
    (void) umask(0077);
    ck_assert_int_eq(file_write_atomic("state", "two\0x", 5, 0644, &err), 0);
    ck_assert_int_eq(file_read("state", 5, &text, &length, &err), 0);
    ck_assert_uint_eq(length, 5);
    ck_assert_mem_eq(text, "two\0x", 6);
    ck_assert_int_eq(stat("state", &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0644);
    ck_assert_int_eq(file_write_atomic("missing/state", "x", 1, 0644, &err), -1);
    ck_assert_int_eq(err.status, STATUS_NOT_FOUND);
    ck_assert_int_eq(unlink("state"), 0);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(directory), 0); /* empty: no temporary file stayed */
}
END_TEST

START_TEST(a_failed_write_leaves_the_old_file)
{
    char directory[64];
    struct error err;

    enter_directory(directory);
    ck_assert_int_eq(mkdir("target", 0755), 0);
    ck_assert_int_eq(mkdir("target/in", 0755), 0);
    ck_assert_int_eq(file_write_atomic("target", "x", 1, 0600, &err), -1);
    ck_assert(file_exists("target/in"));
    ck_assert_int_eq(rmdir("target/in"), 0);
    ck_assert_int_eq(rmdir("target"), 0);
    ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

START_TEST(a_read_has_a_limit)
{
    char directory[64];
    char *text = NULL;
    size_t length = 7;
    struct error err;

    enter_directory(directory);
    ck_assert_int_eq(file_write_atomic("f", "12345", 5, 0600, &err), 0);
    ck_assert_int_eq(file_read("f", 4, &text, &length, &err), -1);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_ptr_null(text);
    ck_assert_uint_eq(length, 7);
    ck_assert_int_eq(file_read("nothing", 4, &text, &length, &err), -1);
    ck_assert_int_eq(err.status, STATUS_NOT_FOUND);
    ck_assert_int_eq(file_read("/proc/self/status", 65536, &text, NULL, &err), 0);
    ck_assert_ptr_nonnull(strstr(text, "Pid:"));
    free(text);
    leave_directory(directory);
}
END_TEST

START_TEST(directories_are_made_and_trees_removed)
{
    char directory[64];
    struct error err;

    enter_directory(directory);
    ck_assert_int_eq(file_make_directories("a/b/c", 0700, &err), 0);
    ck_assert_int_eq(file_make_directories("a/b/c", 0700, &err), 0);
    ck_assert_int_eq(file_make_directories("a//b/d/", 0700, &err), 0);
    ck_assert_int_eq(file_write_atomic("a/b/c/f", "x", 1, 0400, &err), 0);
    ck_assert_int_eq(file_make_directories("a/b/c/f/g", 0700, &err), -1);
    ck_assert_int_eq(file_write_atomic("outside", "x", 1, 0600, &err), 0);
    ck_assert_int_eq(mkdir("kept", 0755), 0);
    ck_assert_int_eq(file_write_atomic("kept/f", "x", 1, 0600, &err), 0);
    ck_assert_int_eq(symlink("../../kept", "a/b/link"), 0);
    ck_assert_int_eq(symlink("../outside", "a/file-link"), 0);
    ck_assert_int_eq(file_remove_tree("a", &err), 0);
    ck_assert(!file_exists("a"));
    ck_assert(file_exists("outside"));
    ck_assert(file_exists("kept/f"));
    ck_assert_int_eq(symlink("kept", "link"), 0);
    ck_assert_int_eq(file_remove_tree("link", &err), 0);
    ck_assert(file_exists("kept/f"));
    ck_assert_int_eq(file_remove_tree("nothing", &err), 0);
    ck_assert_int_eq(file_remove_tree("nothing/below", &err), 0);
    leave_directory(directory);
}
END_TEST

START_TEST(a_mount_is_not_crossed)
{
    char directory[64];
    struct error err;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return; /* needs privilege */
    enter_directory(directory);
    ck_assert_int_eq(file_make_directories("tree/inner", 0700, &err), 0);
    ck_assert_int_eq(mkdir("other", 0700), 0);
    ck_assert_int_eq(file_write_atomic("other/f", "x", 1, 0600, &err), 0);
    /* A bind mount of the same file system: st_dev would not show it. */
    ck_assert_int_eq(mount("other", "tree/inner", NULL, MS_BIND, NULL), 0);
    ck_assert_int_eq(file_remove_tree("tree", &err), -1);
    ck_assert(file_exists("other/f"));
    ck_assert_int_eq(umount("tree/inner"), 0);
    leave_directory(directory);
}
END_TEST

START_TEST(a_short_value_is_put_into_an_existing_file)
{
    char directory[64];
    scoped(freep) char *text = NULL;
    struct error err;

    enter_directory(directory);
    ck_assert_int_eq(file_put("f", "1", &err), -1);
    ck_assert(!file_exists("f"));
    ck_assert_int_eq(file_write_atomic("f", "", 0, 0600, &err), 0);
    ck_assert_int_eq(file_put("f", "max 100000", &err), 0);
    ck_assert_int_eq(file_read("f", 100, &text, NULL, &err), 0);
    ck_assert_str_eq(text, "max 100000");
    leave_directory(directory);
}
END_TEST

START_TEST(a_lock_excludes_until_it_is_closed)
{
    char directory[64];
    scoped(closep) int second = -1;
    int first = -1;
    struct error err;

    enter_directory(directory);
    ck_assert_int_eq(file_lock("lock", &first, &err), 0);
    second = open("lock", O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(flock(second, LOCK_EX | LOCK_NB), -1);
    (void) close(first);
    ck_assert_int_eq(flock(second, LOCK_EX | LOCK_NB), 0);
    leave_directory(directory);
}
END_TEST

int main(void)
{
    return suite_run(
        "file", (const TTest *[]){an_atomic_write_replaces_and_leaves_nothing_else,
                                  a_failed_write_leaves_the_old_file, a_read_has_a_limit,
                                  directories_are_made_and_trees_removed, a_mount_is_not_crossed,
                                  a_short_value_is_put_into_an_existing_file,
                                  a_lock_excludes_until_it_is_closed, NULL});
}
