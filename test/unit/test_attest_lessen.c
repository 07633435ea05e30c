/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "lessen.h"

static struct error err;

static void status_has(const char *line)
{
    scoped(freep) char *text = NULL;

    ck_assert_int_eq(file_read("/proc/self/status", 65536, &text, NULL, &err), 0);
    ck_assert_msg(strstr(text, line), "'%s' is not in %s", line, text);
}

/* Of a process that has them all, as the agent: this one's parent. */
static void the_agent_is_out_of_reach(void)
{
    char path[64];

    (void) snprintf(path, sizeof(path), "/proc/%d/mem", (int) getppid());
    ck_assert_int_lt(open(path, O_RDONLY), 0);
    ck_assert_int_eq(errno, EACCES);
    ck_assert_int_lt(ptrace(PTRACE_SEIZE, getppid(), NULL, NULL), 0);
    ck_assert_int_eq(errno, EPERM);
}

static void the_agent_is_in_reach(void)
{
    char path[64];
    int fd;

    (void) snprintf(path, sizeof(path), "/proc/%d/mem", (int) getppid());
    fd = open(path, O_RDONLY);
    ck_assert_int_ge(fd, 0);
    (void) close(fd);
    ck_assert_int_eq(kill(getppid(), 0), 0);
}

START_TEST(without_capabilities_the_agent_is_out_of_reach)
{
    the_agent_is_in_reach();
    ck_assert_msg(lessen_capabilities(&err) == 0, "%s", err.message);
    status_has("CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n");
    status_has("NoNewPrivs:\t1\n");
    ck_assert_uint_eq(getuid(), 0);
    the_agent_is_out_of_reach();
}
END_TEST

static int try_to_write(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int problem = fd < 0 ? errno : 0;

    if (fd >= 0)
        (void) close(fd);
    return problem;
}

static char directory[] = "/tmp/lessen-XXXXXX";

/* A capability is not what it takes to have the kernel run something at the next crash. */
START_TEST(root_can_write_in_one_directory)
{
    scoped(freep) char *inside = xformat("%s/inside", directory);
    scoped(freep) char *outside = xformat("%s-outside", directory);
    ck_assert_msg(lessen_to(directory, &err) == 0, "%s", err.message);
    ck_assert_uint_eq(getuid(), 0);
    ck_assert_int_eq(try_to_write(inside), 0);
    ck_assert_int_eq(try_to_write(outside), EROFS);
    ck_assert_int_eq(try_to_write("/proc/sys/kernel/core_pattern"), EROFS);
    ck_assert_int_eq(try_to_write("/dev/null"), EACCES);
    ck_assert_int_lt(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL), 0);
    ck_assert_int_eq(errno, EPERM);
    status_has("CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n");
    the_agent_is_out_of_reach();
    ck_assert_int_eq(unlink(inside), 0);
}
END_TEST

START_TEST(nobody_stays_nobody)
{
    the_agent_is_in_reach();
    ck_assert_msg(lessen_user(&err) == 0, "%s", err.message);
    status_has("Uid:\t65534\t65534\t65534\t65534\n");
    status_has("Gid:\t65534\t65534\t65534\t65534\n");
    status_has("Groups:\t \n");
    status_has("CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n");
    ck_assert_int_lt(setuid(0), 0);
    ck_assert_int_lt(kill(getppid(), 0), 0);
    the_agent_is_out_of_reach();
}
END_TEST

int main(void)
{
    int failed;

    if (!mkdtemp(directory))
        return EXIT_FAILURE;
    failed = suite_run("attest_lessen",
                       (const TTest *[]){without_capabilities_the_agent_is_out_of_reach,
                                         root_can_write_in_one_directory, nobody_stays_nobody,
                                         NULL});
    (void) rmdir(directory); /* to its test it was a mount */
    return failed;
}
