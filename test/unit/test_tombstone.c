/* SPDX-License-Identifier: Apache-2.0 */
/* Tombstones and their reaper, which is this program started anew. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "shim/tombstone.h"
#include "suite.h"

static char root[] = "/tmp/test_tombstone.XXXXXX";
static char *directory, *log_file, *victim;
static struct error err;
static uint64_t delay;

static void setup(void)
{
    directory = xformat("%s/tombs", root);
    log_file = xformat("%s/log", root);
    victim = xformat("%s/victim", root);
}

static void teardown(void)
{
    if (file_remove_tree(directory, &err) < 0 || file_remove_tree(log_file, &err) < 0 ||
        file_remove_tree(victim, &err) < 0)
        ck_abort_msg("%s", err.message);
    free(directory);
    free(log_file);
    free(victim);
}

/* A program that copies its stdin to the log and ends with the given code. */
static void bury(const char *id, const char *script, const char *const *paths)
{
    scoped(freep) char *command = xformat("cat >> %s; %s", log_file, script);
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    const struct tombstone tombstone = {
        .kind = "test", .id = id, .argv = argv, .input = "{\"a\":1}\n", .remove = paths};

    ck_assert_msg(tombstone_write(directory, &tombstone, &err) == 0, "%s", err.message);
}

static bool log_is(const char *text)
{
    scoped(freep) char *content = NULL;

    if (!file_exists(log_file) || file_read(log_file, 4096, &content, &(size_t){0}, &err) < 0)
        return !*text;
    return strcmp(content, text) == 0;
}

static bool soon_empty(void)
{
    for (int i = 0; i < 1500; i++) {
        if (tombstone_count(directory) == 0)
            return true;
        (void) usleep(10000);
    }
    return false;
}

START_TEST(work_that_succeeds_is_gone)
{
    const char *const paths[] = {victim, NULL};

    ck_assert_int_eq(file_make_directories(victim, 0700, &err), 0);
    bury("one", "exit 0", paths);
    ck_assert_uint_eq(tombstone_count(directory), 1);
    ck_assert_int_eq(tombstone_attempt(directory, "one", &delay, &err), 0);
    ck_assert_uint_eq(delay, 0);
    ck_assert(log_is("{\"a\":1}\n"));
    ck_assert_uint_eq(tombstone_count(directory), 0);
    ck_assert(!file_exists(victim));
}
END_TEST

START_TEST(work_that_fails_stays_and_waits_longer_each_time)
{
    static const uint64_t pauses[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    const char *const paths[] = {victim, NULL};

    ck_assert_int_eq(file_make_directories(victim, 0700, &err), 0);
    bury("one", "echo it broke >&2; exit 3", paths);
    for (size_t i = 0; i < ARRAY_LENGTH(pauses); i++) {
        ck_assert_int_eq(tombstone_attempt(directory, "one", &delay, &err), 0);
        ck_assert_uint_eq(delay, pauses[i]);
    }
    ck_assert_uint_eq(tombstone_count(directory), 1);
    ck_assert(file_exists(victim));
    scoped(freep) char *file = xformat("%s/one.json", directory);
    scoped(freep) char *text = NULL;
    ck_assert_int_eq(file_read(file, 4096, &text, &(size_t){0}, &err), 0);
    ck_assert_ptr_nonnull(strstr(text, "\"attempts\":8"));
    ck_assert_ptr_nonnull(strstr(text, "it broke"));
}
END_TEST

START_TEST(a_missing_program_is_a_failure_like_any_other)
{
    const char *const argv[] = {"/nowhere/program", NULL};
    const struct tombstone tombstone = {.kind = "test", .id = "one", .argv = argv};

    ck_assert_int_eq(tombstone_write(directory, &tombstone, &err), 0);
    ck_assert_int_eq(tombstone_attempt(directory, "one", &delay, &err), 0);
    ck_assert_uint_eq(delay, 1000);
}
END_TEST

START_TEST(a_program_that_hangs_is_ended)
{
    const char *const argv[] = {"/bin/sleep", "60", NULL};
    const struct tombstone tombstone = {
        .kind = "test", .id = "one", .argv = argv, .deadline_ms = 50};

    ck_assert_int_eq(tombstone_write(directory, &tombstone, &err), 0);
    ck_assert_int_eq(tombstone_attempt(directory, "one", &delay, &err), 0);
    ck_assert_uint_eq(delay, 1000);
}
END_TEST

START_TEST(what_one_holds_no_other_takes)
{
    bury("one", "exit 0", NULL);
    scoped(freep) char *lock = xformat("%s/one.lock", directory);
    scoped(closep) int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    ck_assert_int_lt(tombstone_attempt(directory, "one", &delay, &err), 0);
    ck_assert_int_eq(err.status, STATUS_ABORTED);
    ck_assert(log_is(""));
}
END_TEST

START_TEST(nothing_is_left_of_what_was_removed)
{
    bury("one", "exit 1", NULL);
    ck_assert_int_eq(tombstone_remove(directory, "one", &err), 0);
    ck_assert_int_eq(tombstone_remove(directory, "one", &err), 0);
    ck_assert_int_eq(tombstone_attempt(directory, "one", &delay, &err), 0);
    ck_assert_uint_eq(delay, 0);
    ck_assert(log_is(""));
    ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

START_TEST(a_foreign_record_is_not_run)
{
    scoped(freep) char *file = xformat("%s/one.json", directory);
    static const char record[] = "{\"version\":2,\"kind\":\"tombstone\",\"argv\":[\"/bin/true\"]}";

    ck_assert_int_eq(file_make_directories(directory, 0700, &err), 0);
    ck_assert_int_eq(file_write_atomic(file, record, strlen(record), 0600, &err), 0);
    ck_assert_int_lt(tombstone_attempt(directory, "one", &delay, &err), 0);
    ck_assert_int_eq(err.status, STATUS_FAILED_PRECONDITION);
}
END_TEST

START_TEST(an_id_is_an_identifier)
{
    const struct tombstone tombstone = {.kind = "test", .id = "../x"};

    ck_assert_int_lt(tombstone_write(directory, &tombstone, &err), 0);
    ck_assert_int_eq(err.status, STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(the_reaper_finishes_alone)
{
    scoped(freep) char *flag = xformat("%s/flag", root);
    scoped(freep) char *script = xformat("test -e %s || { touch %s; exit 1; }", flag, flag);

    bury("first", script, NULL);
    bury("second", "exit 0", NULL);
    ck_assert_int_eq(tombstone_reap(directory, NULL, &err), 0);
    ck_assert(soon_empty());
    (void) unlink(flag);
}
END_TEST

START_TEST(two_reapers_do_the_work_once)
{
    bury("one", "sleep 0.3", NULL);
    ck_assert_int_eq(tombstone_reap(directory, "one", &err), 0);
    ck_assert_int_eq(tombstone_reap(directory, "one", &err), 0);
    ck_assert_int_eq(tombstone_reap(directory, NULL, &err), 0);
    ck_assert(soon_empty());
    ck_assert(log_is("{\"a\":1}\n"));
}
END_TEST

/* Each start of a shim sweeps; while a host cannot be reached that must not add up. */
START_TEST(a_sweep_leaves_what_has_a_reaper)
{
    scoped(freep) char *file = xformat("%s/one.json", directory);
    const struct timespec long_ago[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - 200}};

    bury("one", "exit 1", NULL);
    ck_assert(!tombstone_is_attended(directory, "one"));
    ck_assert_int_eq(tombstone_attempt(directory, "one", &delay, &err), 0);
    ck_assert(tombstone_is_attended(directory, "one"));
    ck_assert_int_eq(tombstone_reap(directory, NULL, &err), 0);
    (void) usleep(300000);
    ck_assert(log_is("{\"a\":1}\n")); /* once: by the attempt above */
    ck_assert_int_eq(utimensat(AT_FDCWD, file, long_ago, 0), 0);
    ck_assert(!tombstone_is_attended(directory, "one"));
}
END_TEST

START_TEST(no_directory_is_no_work)
{
    ck_assert_uint_eq(tombstone_count(directory), 0);
    ck_assert_int_eq(tombstone_reap(directory, NULL, &err), 0);
}
END_TEST

int main(int argc, char *argv[])
{
    int failed;

    if (tombstone_is_reaper(argc, argv))
        return tombstone_main(argc, argv);
    if (!mkdtemp(root))
        return EXIT_FAILURE;
    failed = suite_run_with(
        &(struct suite){.name = "tombstone", .setup = setup, .teardown = teardown, .timeout_s = 60},
        (const TTest *[]){
            work_that_succeeds_is_gone, work_that_fails_stays_and_waits_longer_each_time,
            a_missing_program_is_a_failure_like_any_other, a_program_that_hangs_is_ended,
            what_one_holds_no_other_takes, nothing_is_left_of_what_was_removed,
            a_foreign_record_is_not_run, an_id_is_an_identifier, the_reaper_finishes_alone,
            two_reapers_do_the_work_once, a_sweep_leaves_what_has_a_reaper, no_directory_is_no_work,
            NULL});
    if (file_remove_tree(root, &err) < 0)
        failed = EXIT_FAILURE;
    return failed;
}
