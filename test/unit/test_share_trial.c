/* SPDX-License-Identifier: Apache-2.0 */
/* `cleave-share check` on this kernel, and where a part of it is missing or refused. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scoped.h"
#include "suite.h"

/* What to do to the process before it becomes the program. */
struct lack {
    long call; /* that gives `error`; 0: none */
    int error;
    int capability; /* that it does not have; -1: none */
};

static void answer_with(long call, int error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t) call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t) error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {ARRAY_LENGTH(filter), filter};

    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        _exit(99);
}

static _Noreturn void become(const struct lack *lack, int out)
{
    (void) setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* of a process that has no /proc */
    (void) dup2(out, STDOUT_FILENO);
    if (lack->call)
        answer_with(lack->call, lack->error);
    if (lack->capability >= 0 && prctl(PR_CAPBSET_DROP, lack->capability, 0, 0, 0) < 0)
        _exit(99);
    (void) execl(SHARE_PROGRAM, "cleave-share", "check", NULL);
    _exit(99);
}

/* Its exit code, and what it says. */
static int check(const struct lack *lack, char *said, size_t size)
{
    int out[2], status = 0;
    ssize_t length;
    pid_t pid;

    ck_assert_int_eq(pipe(out), 0);
    pid = fork();
    if (pid == 0)
        become(lack, out[1]);
    (void) close(out[1]);
    length = read(out[0], said, size - 1);
    ck_assert_int_ge(length, 0);
    said[length] = '\0';
    (void) close(out[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect(const struct lack *lack, const char *words)
{
    char said[512];

    ck_assert_int_eq(check(lack, said, sizeof(said)), EXIT_FAILURE);
    ck_assert_msg(strstr(said, words), "%s (%s)", said, words);
}

START_TEST(this_kernel_can)
{
    char said[512];

    ck_assert_msg(check(&(struct lack){.capability = -1}, said, sizeof(said)) == 0, "%s", said);
    ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(an_old_kernel_is_told_by_what_it_lacks)
{
    expect(&(struct lack){SYS_mount_setattr, ENOSYS, -1},
           "{\"message\":\"this kernel has no mount_setattr (Linux 5.12 has it)\"}");
    expect(&(struct lack){SYS_openat2, ENOSYS, -1}, "no openat2 (Linux 5.6 has it)");
    expect(&(struct lack){SYS_pidfd_open, ENOSYS, -1}, "no pidfd_open");
}
END_TEST

START_TEST(what_is_not_allowed_is_named)
{
    expect(&(struct lack){.capability = CAP_SYS_ADMIN}, "make a mount namespace: Operation not");
    expect(&(struct lack){.capability = CAP_SYS_CHROOT}, "enter the node's mount namespace: Oper");
    expect(&(struct lack){.capability = CAP_SETPCAP}, "set the secure bits: Operation not");
    expect(&(struct lack){.capability = CAP_FSETID}, "drop capabilities: Operation not");
    expect(&(struct lack){SYS_mount_setattr, EPERM, -1}, "set the flags of the share");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {this_kernel_can, an_old_kernel_is_told_by_what_it_lacks,
                                  what_is_not_allowed_is_named, NULL};

    if (geteuid() != 0) {
        puts("skipped: needs root");
        return EXIT_SUCCESS;
    }
    return suite_run("share_trial", tests);
}
