/* SPDX-License-Identifier: Apache-2.0 */
/* A guest without a machine, for tests: the agent as pid 1 of namespaces of its own.
 *
 * Three processes. The parent stays in the foreground and is "the machine": SIGTERM is the power
 * button, and its own death, however it comes, is the end of the guest (the guest's parent-death
 * signal, and with pid 1 all of its pid namespace and mounts). Control groups would stay, so a
 * sweeper waits for the parent's end on a pipe and removes them. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/fd.h"
#include "stub_cgroup.h"
#include "stub_root.h"

enum { DISK_MAX = 64 * 1024, GRACE_S = 15 };

struct guest {
    const char *initdata, *net, *netns, *log, *cgroup, *tpm;
    struct stub_root root;
    char *initdata_bytes, *net_bytes;
    char cgroup_name[64];
    int netns_fd, log_fd;
    int sync[2]; /* the guest's end is 1 */
};

static const char usage[] =
    "usage: stub-guest --root TREE --initdata FILE --net FILE --netns PATH\n"
    "                  [--agent PATH] [--log FILE] [--cgroup NAME] [--tpm TPM]\n"
    "Runs a guest in the foreground until it ends; SIGTERM is its power button.\n"
    "TREE is the unpacked image, as an absolute path; NAME is the directory in each cgroup\n"
    "hierarchy, \"cleave-stub-<pid>\" by default; TPM is the agent's, such as\n"
    "\"swtpm:host=127.0.0.1,port=2321\", as seen from the network namespace.\n";

static int options_parse(struct guest *guest, int argc, char **argv, struct error *err)
{
    static const struct option table[] = {
        {"root", required_argument, NULL, 'r'},
        {"initdata", required_argument, NULL, 'i'},
        {"net", required_argument, NULL, 'n'},
        {"netns", required_argument, NULL, 'N'},
        {"agent", required_argument, NULL, 'a'},
        {"log", required_argument, NULL, 'l'},
        {"cgroup", required_argument, NULL, 'c'},
        {"tpm", required_argument, NULL, 't'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        const char **target = option == 'r'   ? &guest->root.tree
                              : option == 'i' ? &guest->initdata
                              : option == 'n' ? &guest->net
                              : option == 'N' ? &guest->netns
                              : option == 'a' ? &guest->root.agent
                              : option == 'l' ? &guest->log
                              : option == 'c' ? &guest->cgroup
                              : option == 't' ? &guest->tpm
                                              : NULL;
        if (!target)
            return error_set(err, STATUS_INVALID_ARGUMENT, "%s", usage);
        *target = optarg;
    }
    if (!guest->root.tree || !guest->initdata || !guest->net || !guest->netns || optind != argc)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s", usage);
    if (guest->root.tree[0] != '/')
        return error_set(err, STATUS_INVALID_ARGUMENT, "--root must be an absolute path");
    if (guest->cgroup)
        return text_format(guest->cgroup_name, sizeof(guest->cgroup_name), err, "%s",
                           guest->cgroup);
    return text_format(guest->cgroup_name, sizeof(guest->cgroup_name), err, "cleave-stub-%d",
                       (int) getpid());
}

static int guest_open(struct guest *guest, struct error *err)
{
    if (file_read(guest->initdata, DISK_MAX, &guest->initdata_bytes, &guest->root.initdata_length,
                  err) < 0 ||
        file_read(guest->net, DISK_MAX, &guest->net_bytes, &guest->root.net_length, err) < 0)
        return -1;
    guest->root.initdata = guest->initdata_bytes;
    guest->root.net = guest->net_bytes;
    guest->netns_fd = open(guest->netns, O_RDONLY | O_CLOEXEC);
    if (guest->netns_fd < 0)
        return error_errno(err, errno, "open '%s'", guest->netns);
    if (!guest->log)
        return 0;
    guest->log_fd = open(guest->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return guest->log_fd < 0 ? error_errno(err, errno, "open '%s'", guest->log) : 0;
}

/* Holds nothing but the pipe: not the terminal, not the pipes of whoever started us. */
static int sweeper_start(const char *cgroup, int *ret_pipe, pid_t *ret, struct error *err)
{
    int ends[2];
    char byte;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, errno, "make a pipe");
    pid_t pid = fork();
    if (pid < 0)
        return error_errno(err, errno, "fork");
    if (pid == 0) {
        (void) setsid();
        (void) !chdir("/");
        (void) prctl(PR_SET_NAME, "stub-sweeper");
        fd_close_from(0, &ends[0], 1);
        while (read(ends[0], &byte, 1) < 0 && errno == EINTR)
            continue;
        stub_cgroup_sweep(cgroup);
        _exit(0);
    }
    (void) close(ends[0]);
    *ret_pipe = ends[1];
    *ret = pid;
    return 0;
}

static int sync_wait(int fd, struct error *err)
{
    char byte;

    return fd_read_full(fd, &byte, 1, err);
}

static int sync_tell(int fd, struct error *err)
{
    return fd_write_full(fd, "x", 1, err);
}

static int guest_enter(struct guest *guest, struct error *err)
{
    sigset_t none;

    /* The parent may be dead already: then the pipe says so. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return error_errno(err, errno, "bind the guest's life to its parent's");
    (void) close(guest->sync[0]);
    if (sync_wait(guest->sync[1], err) < 0)
        return error_wrap(err, "the parent is gone");
    if (unshare(CLONE_NEWCGROUP) < 0)
        return error_errno(err, errno, "make a cgroup namespace");
    if (sync_tell(guest->sync[1], err) < 0 || sync_wait(guest->sync[1], err) < 0)
        return error_wrap(err, "the parent is gone");
    if (setns(guest->netns_fd, CLONE_NEWNET) < 0)
        return error_errno(err, errno, "enter '%s'", guest->netns);
    if (sethostname("cleave-guest", strlen("cleave-guest")) < 0)
        return error_errno(err, errno, "set the host name");
    if (stub_root_enter(&guest->root, err) < 0)
        return -1;
    (void) setsid();
    sigemptyset(&none);
    (void) sigprocmask(SIG_SETMASK, &none, NULL);
    return 0;
}

static _Noreturn void guest_main(struct guest *guest)
{
    static const char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", NULL};
    const char *const arguments[] = {"cleave-agent",
                                     "--stub",
                                     "--initdata",
                                     STUB_INITDATA,
                                     "--net",
                                     STUB_NET,
                                     guest->tpm ? "--tpm" : NULL,
                                     guest->tpm,
                                     NULL};
    struct error err;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void) dup2(null, 0);
    if (guest->log_fd >= 0) {
        (void) dup2(guest->log_fd, 1);
        (void) dup2(guest->log_fd, 2);
    }
    if (guest_enter(guest, &err) == 0) {
        fd_close_from(3, NULL, 0);
        execve(STUB_AGENT, (char *const *) arguments, (char *const *) environment);
        error_errno(&err, errno, "run '%s'", STUB_AGENT);
    }
    dprintf(2, "stub-guest: %s\n", err.message);
    _exit(125);
}

static pid_t guest_clone(void)
{
    struct clone_args args = {
        .flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC,
        .exit_signal = SIGCHLD,
    };

    return (pid_t) syscall(SYS_clone3, &args, sizeof(args));
}

static int guest_start(struct guest *guest, pid_t *ret, struct error *err)
{
    if (fd_pair(guest->sync, err) < 0)
        return -1;
    /* Blocking: this is a conversation of three bytes. */
    for (int i = 0; i < 2; i++)
        (void) fcntl(guest->sync[i], F_SETFL, 0);
    pid_t pid = guest_clone();
    if (pid < 0)
        return error_errno(err, errno, "make the guest's namespaces");
    if (pid == 0)
        guest_main(guest);
    (void) close(guest->sync[1]);
    *ret = pid;
    if (stub_cgroup_enter(guest->cgroup_name, pid, err) < 0 || sync_tell(guest->sync[0], err) < 0 ||
        sync_wait(guest->sync[0], err) < 0 ||
        stub_cgroup_settle(guest->cgroup_name, pid, err) < 0 || sync_tell(guest->sync[0], err) < 0)
        return error_wrap(err, "start the guest");
    return 0;
}

/* Until the guest has ended; the power button is pressed once and then held. */
static int guest_wait(pid_t pid, const sigset_t *signals)
{
    const struct timespec grace = {.tv_sec = GRACE_S};
    const struct timespec *limit = NULL;
    int status;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        int signum = sigtimedwait(signals, NULL,
                                  limit ? limit : &(struct timespec){.tv_sec = 3600});

        if (signum == SIGTERM || signum == SIGINT) {
            (void) kill(pid, SIGTERM);
            limit = &grace;
        } else if (signum < 0 && errno == EAGAIN && limit) {
            (void) kill(pid, SIGKILL);
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(struct guest *guest, int *ret_exit, struct error *err)
{
    sigset_t signals;
    pid_t sweeper = -1, pid = -1;
    int pipe_end = -1;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGCHLD);
    (void) sigprocmask(SIG_BLOCK, &signals, NULL);
    if (guest_open(guest, err) < 0 ||
        sweeper_start(guest->cgroup_name, &pipe_end, &sweeper, err) < 0)
        return -1;
    int r = stub_cgroup_make(guest->cgroup_name, err);
    if (r == 0)
        r = guest_start(guest, &pid, err);
    if (r < 0 && pid > 0)
        (void) kill(pid, SIGKILL);
    if (pid > 0)
        *ret_exit = guest_wait(pid, &signals);
    (void) close(pipe_end);
    while (waitpid(sweeper, NULL, 0) < 0 && errno == EINTR)
        continue;
    return r;
}

int main(int argc, char *argv[])
{
    struct guest guest = {.netns_fd = -1, .log_fd = -1};
    struct error err;
    int code = 0;

    if (options_parse(&guest, argc, argv, &err) < 0 || run(&guest, &code, &err) < 0) {
        (void) fprintf(stderr, "stub-guest: %s\n", err.message);
        code = 125;
    }
    free(guest.initdata_bytes);
    free(guest.net_bytes);
    return code;
}
