/* SPDX-License-Identifier: Apache-2.0 */
/* The resident and its cleaner are this program, copied to where it can be replaced. */
#include "shim/socket.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "suite.h"

enum { PROGRAM_MAX = 64 * 1024 * 1024, WAIT_MS = 50 };

static char directory[] = "/tmp/test_socket.XXXXXX";
static char *program, *path;
static struct error err;

static void install(void)
{
    scoped(freep) char *text = NULL;
    size_t length;

    ck_assert_int_eq(file_read("/proc/self/exe", PROGRAM_MAX, &text, &length, &err), 0);
    ck_assert_int_eq(file_write_atomic(program, text, length, 0700, &err), 0);
}

static void setup(void)
{
    strcpy(strrchr(directory, '.'), ".XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    program = xformat("%s/program", directory);
    path = xformat("%s/socket", directory);
    install();
}

static void teardown(void)
{
    ck_assert_int_eq(file_remove_tree(directory, &err), 0);
    free(program);
    free(path);
}

/* A process of `which` that does what `verb` says with the socket. */
static pid_t start(const char *which, const char *verb)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        execl(which, which, verb, path, NULL);
        _exit(127);
    }
    return pid;
}

static pid_t start_resident(const char *which)
{
    int ready[2];
    char byte;

    ck_assert_int_eq(pipe(ready), 0);

    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        (void) dup2(ready[1], STDOUT_FILENO);
        execl(which, which, "listen", path, NULL);
        _exit(127);
    }
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void retire(const char *which)
{
    int status;

    ck_assert_int_gt(waitpid(start(which, "retire"), &status, 0), 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static bool was_killed(pid_t pid)
{
    int status;

    return waitpid(pid, &status, WNOHANG) == pid && WIFSIGNALED(status);
}

START_TEST(a_resident_that_does_not_end_is_killed)
{
    pid_t resident = start_resident(program);

    retire(program);
    ck_assert(was_killed(resident));
    ck_assert(!file_exists(path));
}
END_TEST

START_TEST(a_resident_whose_program_was_replaced_is_known)
{
    pid_t resident = start_resident(program);

    install();
    retire(program);
    ck_assert(was_killed(resident));
    ck_assert(!file_exists(path));
}
END_TEST

START_TEST(another_program_is_left_alone)
{
    pid_t stranger = start_resident("/proc/self/exe");

    retire(program);
    ck_assert(!was_killed(stranger));
    ck_assert(file_exists(path));
    kill(stranger, SIGKILL);
    waitpid(stranger, NULL, 0);
    retire(program); /* dead: its file goes */
    ck_assert(!file_exists(path));
}
END_TEST

static int act(const char *verb, const char *socket)
{
    enum shim_socket state;
    int fd;

    if (text_equal(verb, "retire")) {
        shim_socket_retire(socket, WAIT_MS);
        return EXIT_SUCCESS;
    }
    if (shim_socket_claim(socket, &state, &fd, &err) < 0 || state != SHIM_SOCKET_MADE ||
        write(STDOUT_FILENO, "", 1) != 1)
        return EXIT_FAILURE;
    for (;;)
        pause();
}

int main(int argc, char *argv[])
{
    if (argc == 3)
        return act(argv[1], argv[2]);
    return suite_run_with(&(struct suite){.name = "socket", .setup = setup, .teardown = teardown},
                          (const TTest *[]){a_resident_that_does_not_end_is_killed,
                                            a_resident_whose_program_was_replaced_is_known,
                                            another_program_is_left_alone, NULL});
}
