/* SPDX-License-Identifier: Apache-2.0 */
/* The walker as a process of its own: this very program, as the shim's is there. */
#include "tree.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "codec_rootfs.h"
#include "content.h"
#include "io/loop.h"
#include "shim/bundle.h"
#include "task.pb-c.h"

enum { LARGE = 4 * 1024 * 1024 };

static char base[64];
static struct loop *loop;
static uint8_t *got;
static size_t got_length;
static bool ended, failed;
static struct error why;

static void setup(void)
{
    struct error err;

    strcpy(base, "/tmp/cleave-read-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    ck_assert_int_eq(loop_new(&loop, &err), 0);
    got_length = 0;
    ended = failed = false;
}

static void teardown(void)
{
    struct error err;

    free(got);
    loop_free(loop);
    ck_assert_int_eq(file_remove_tree(base, &err), 0);
}

static void put_large(const char *name)
{
    scoped(freep) char *path = xformat("%s/%s", base, name);
    scoped(closep) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    ck_assert_int_eq(ftruncate(fd, LARGE), 0);
}

static void on_data(void *user, const uint8_t *data, size_t length)
{
    got = xrealloc(got, got_length + length);
    memcpy(got + got_length, data, length);
    got_length += length;
}

static void on_end(void *user)
{
    ended = true;
}

static void on_failed(void *user, const struct error *err)
{
    failed = true;
    why = *err;
}

static struct tree *read_from(const char *where, uint64_t offset)
{
    static const struct content_events events = {
        .data = on_data, .ended = on_end, .failed = on_failed};
    struct tree *tree = NULL;
    struct error err;

    ck_assert_msg(tree_read(loop, where, offset, &events, NULL, &tree, &err) == 0, "%s",
                  err.message);
    return tree;
}

static void run(void)
{
    struct error err;

    while (!ended && !failed)
        ck_assert_int_eq(loop_turn(loop, 100, &err), 0);
}

/* Of the only child; 0: there is none yet that is the walker. */
static pid_t walker(void)
{
    char path[64], word[32] = "";
    siginfo_t info = {0};
    FILE *file;
    int pid = 0;

    (void) waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int) getpid());
    file = fopen(path, "re");
    if (!file || fscanf(file, "%d", &pid) != 1)
        pid = 0;
    if (file)
        fclose(file);
    snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    file = pid ? fopen(path, "re") : NULL;
    if (file) {
        (void) !fscanf(file, "%31s", word);
        fclose(file);
    }
    return text_equal(word, "cleave-tree") ? pid : 0;
}

static pid_t until_walker(void)
{
    pid_t pid;

    while ((pid = walker()) == 0)
        usleep(1000);
    return pid;
}

START_TEST(the_tar_comes_whole_and_from_any_byte)
{
    scoped(freep) char *where = tree_of_directory(base);
    scoped(freep) uint8_t *first = NULL;
    struct tree *tree;
    size_t length;

    put_large("one");
    tree = read_from(where, 0);
    run();
    tree_free(tree);
    ck_assert(ended);
    ck_assert_uint_gt(got_length, LARGE);
    first = xmemdup(got, got_length);
    length = got_length;
    got_length = 0;
    ended = false;
    tree = read_from(where, 1000001);
    run();
    tree_free(tree);
    ck_assert(ended);
    ck_assert_uint_eq(got_length, length - 1000001);
    ck_assert(memcmp(first + 1000001, got, got_length) == 0);
}
END_TEST

START_TEST(an_offset_behind_the_end_is_told)
{
    scoped(freep) char *where = tree_of_directory(base);
    struct tree *tree = read_from(where, LARGE);

    run();
    tree_free(tree);
    ck_assert(failed && why.status == STATUS_ABORTED);
}
END_TEST

START_TEST(a_walker_that_is_killed_has_not_ended)
{
    scoped(freep) char *where = tree_of_directory(base);
    struct tree *tree;

    put_large("one");
    tree = read_from(where, 0);
    ck_assert_int_eq(kill(until_walker(), SIGKILL), 0);
    run();
    tree_free(tree);
    ck_assert(failed && !ended);
    ck_assert_int_eq(why.status, STATUS_FAILED_PRECONDITION);
}
END_TEST

/* As the resident's care for orphans could: then nobody knows whether it was all. */
START_TEST(a_walker_that_somebody_else_has_reaped_has_not_ended)
{
    scoped(freep) char *where = tree_of_directory(base);
    struct tree *tree;
    pid_t pid;

    put_large("one");
    tree = read_from(where, 0);
    pid = until_walker();
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    run();
    tree_free(tree);
    ck_assert(failed && !ended);
}
END_TEST

START_TEST(nothing_of_the_shims_is_open_in_the_walker)
{
    scoped(freep) char *where = tree_of_directory(base);
    scoped(freep) char *secret = xformat("%s/secret", base);
    int careless = open(secret, O_RDWR | O_CREAT, 0600); /* as a library might */
    char path[64], target[256];
    struct tree *tree;
    struct dirent *entry;
    bool writing = false;
    pid_t pid;
    DIR *dir;

    put_large("one");
    tree = read_from(where, 0);
    pid = until_walker();
    snprintf(path, sizeof(path), "/proc/%d/fd", (int) pid);
    dir = opendir(path); /* its pipe is full: it waits for us */
    while (dir && (entry = readdir(dir))) {
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

        target[n > 0 ? n : 0] = '\0';
        ck_assert_msg(strcmp(target, secret) != 0, "descriptor %s", entry->d_name);
        writing = writing || text_equal(entry->d_name, "1");
    }
    ck_assert(writing);
    closedir(dir);
    close(careless);
    tree_free(tree);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid); /* nobody reads: it was killed */
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_named)
{
    scoped(freep) char *where = tree_of_directory("/nowhere/at/all");
    struct tree *tree = read_from(where, 0);

    run();
    tree_free(tree);
    ck_assert(failed);
    ck_assert_ptr_nonnull(strstr(why.message, "/nowhere/at/all"));
}
END_TEST

START_TEST(only_whole_roots_are_taken)
{
    Task__CreateTaskRequest request = TASK__CREATE_TASK_REQUEST__INIT;
    Task__Mount mount = TASK__MOUNT__INIT, *mounts[] = {&mount};
    const struct bundle bundle = {.path = (char *) "/b"};
    scoped(freep) char *where = NULL;
    struct error err;

    mount.type = (char *) "bind";
    mount.source = (char *) "/somewhere";
    request.rootfs = mounts;
    request.n_rootfs = 1;
    ck_assert_int_eq(codec_rootfs(&request, &bundle, &where, &err), 0);
    ck_assert_ptr_nonnull(strstr(where, "/somewhere"));
    free(take_ptr(where));
    mount.target = (char *) "etc";
    ck_assert_int_lt(codec_rootfs(&request, &bundle, &where, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "'etc'"));
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("tree_read");
    TCase *tests = tcase_create("tree_read");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, the_tar_comes_whole_and_from_any_byte);
    tcase_add_test(tests, an_offset_behind_the_end_is_told);
    tcase_add_test(tests, a_walker_that_is_killed_has_not_ended);
    tcase_add_test(tests, a_walker_that_somebody_else_has_reaped_has_not_ended);
    tcase_add_test(tests, nothing_of_the_shims_is_open_in_the_walker);
    tcase_add_test(tests, a_directory_that_is_not_there_is_named);
    tcase_add_test(tests, only_whole_roots_are_taken);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(int argc, char *argv[])
{
    SRunner *runner;
    int failures;

    if (tree_is_walker(argc, argv))
        return tree_main();
    runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
