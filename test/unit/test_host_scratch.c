/* SPDX-License-Identifier: Apache-2.0 */
/* The file behind a guest's scratch disk: its name is all that can be left behind. */
#include "scratch.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "request.h"
#include "shim/host_conf.h"
#include "suite.h"

static struct error err;
static char directory[64];
static struct host_conf conf;
static struct request request;

static void setup(void)
{
    snprintf(directory, sizeof(directory), "/tmp/cleave-scratch-%d", (int) getpid());
    conf = (struct host_conf){.scratch = UINT64_C(1) << 30, .scratch_directory = directory};
    request = (struct request){.id = (char *) "0123abcd"};
}

static void teardown(void)
{
    ck_assert_int_eq(file_remove_tree(directory, &err), 0);
}

static void make(char path[SCRATCH_PATH_SIZE])
{
    ck_assert_msg(scratch_make(&conf, &request, path, &err) == 0, "%s", err.message);
}

START_TEST(it_is_sparse_empty_and_nobody_elses)
{
    char path[SCRATCH_PATH_SIZE];
    struct stat st;

    make(path);
    ck_assert_int_eq(lstat(path, &st), 0);
    ck_assert_int_eq(st.st_mode, S_IFREG | 0600);
    ck_assert_int_eq(st.st_size, 1 << 30);
    ck_assert_int_eq(st.st_blocks, 0);
    ck_assert_int_eq(stat(directory, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0711);
}
END_TEST

/* Whatever lies there under its name: it is not written through. */
START_TEST(what_an_earlier_attempt_left_is_replaced)
{
    scoped(freep) char *other = xformat("%s/other", directory);
    char path[SCRATCH_PATH_SIZE];
    struct stat st;

    make(path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink(other, path), 0);
    make(path);
    ck_assert_int_eq(lstat(path, &st), 0);
    ck_assert(S_ISREG(st.st_mode));
    ck_assert(!file_exists(other));
}
END_TEST

/* host.conf may have changed since. */
START_TEST(it_is_removed_where_it_was_made)
{
    char path[SCRATCH_PATH_SIZE];

    make(path);
    request.scratch = directory;
    conf.scratch_directory = (char *) "/nowhere";
    for (int i = 0; i < 2; i++)
        ck_assert_msg(scratch_remove(&conf, &request, &err) == 0, "%s", err.message);
    ck_assert(!file_exists(path));
}
END_TEST

START_TEST(the_sweep_takes_what_belongs_to_no_sandbox_and_nothing_else)
{
    scoped(freep) char *other = xformat("%s/notes.txt", directory);
    char path[SCRATCH_PATH_SIZE];

    ck_assert_int_eq(scratch_sweep(&conf, &err), 0); /* there is no directory yet */
    make(path);
    ck_assert_int_eq(file_write_atomic(other, "x", 1, 0600, &err), 0);
    ck_assert_msg(scratch_sweep(&conf, &err) == 0, "%s", err.message);
    ck_assert(!file_exists(path));
    ck_assert(file_exists(other));
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "host_scratch", .setup = setup, .teardown = teardown},
        (const TTest *[]){it_is_sparse_empty_and_nobody_elses,
                          what_an_earlier_attempt_left_is_replaced, it_is_removed_where_it_was_made,
                          the_sweep_takes_what_belongs_to_no_sandbox_and_nothing_else, NULL});
}
