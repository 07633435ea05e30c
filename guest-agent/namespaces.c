/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "confine.h"
#include "pod.h"

struct work {
    const struct namespaces_options *options;
    struct error err;
    int result;
};

void namespaces_forget(const char *path)
{
    (void) umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
    (void) unlink(path);
}

static int bind_file(const char *from, const char *path, struct error *err)
{
    namespaces_forget(path); /* of an attempt that got no further */
    scoped(closep) int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return error_errno(err, errno, "make '%s'", path);
    if (mount(from, path, NULL, MS_BIND, NULL) < 0)
        return error_errno(err, errno, "bind %s to '%s'", from, path);
    return 0;
}

/* In the thread's namespaces: /proc/sys shows those of who opens. */
static int set_sysctl(const struct pod_sysctl *sysctl, struct error *err)
{
    char path[256];

    if (confine_sysctl(sysctl->name, err) < 0)
        return -1;
    if (text_format(path, sizeof(path), err, "/proc/sys/%s", sysctl->name) < 0)
        return -1;
    for (char *c = path + sizeof("/proc/sys/") - 1; *c; c++) {
        if (*c == '.')
            *c = '/';
    }
    if (file_put(path, sysctl->value, err) < 0)
        return error_wrap(err, "sysctl '%.100s'", sysctl->name);
    return 0;
}

static int make(const struct namespaces_options *options, struct error *err)
{
    if (unshare(CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        return error_errno(err, errno, "make the pod's namespaces");
    if (setns(options->net, CLONE_NEWNET) < 0)
        return error_errno(err, errno, "enter the pod's network");
    if (sethostname(options->hostname, strlen(options->hostname)) < 0)
        return error_errno(err, errno, "set the hostname");
    for (size_t i = 0; i < options->sysctl_count; i++) {
        if (set_sysctl(&options->sysctls[i], err) < 0)
            return -1;
    }
    if (bind_file("/proc/thread-self/ns/ipc", options->ipc_path, err) < 0)
        return -1;
    return bind_file("/proc/thread-self/ns/uts", options->uts_path, err);
}

static void *run_thread(void *user)
{
    struct work *work = user;

    work->result = make(work->options, &work->err);
    return NULL;
}

int namespaces_make(const struct namespaces_options *options, struct error *err)
{
    struct work work = {.options = options};
    pthread_t thread;
    int r = pthread_create(&thread, NULL, run_thread, &work);

    if (r != 0)
        return error_errno(err, r, "start a thread");
    pthread_join(thread, NULL);
    if (work.result < 0)
        *err = work.err;
    return work.result;
}

/* Whoever shares the PID namespace finds the keeper's other namespaces under /proc/1: they are the
 * pod's or nobody's, never the agent's. */
static int leave_agent(int net)
{
    if (setns(net, CLONE_NEWNET) < 0 || unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -1;
    return 0;
}

/* Between fork and exec only system calls: the other threads' locks are copied as they were. It
 * must be another program image, because a container that shares the namespace could look into it.
 */
static pid_t fork_keeper(int net, int ready)
{
    char *argv[] = {(char *) (uintptr_t) NAMESPACES_KEEPER, NULL};
    char *environment[] = {NULL};
    struct clone_args args = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
    sigset_t none;
    pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof(args));

    if (pid != 0)
        return pid;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (leave_agent(net) == 0 && dup2(ready, STDIN_FILENO) == STDIN_FILENO)
        execve("/proc/self/exe", argv, environment);
    _exit(127);
}

/* All that share the namespace would die with it. Without CAP_SYS_RESOURCE (a stub guest) it stays
 * as it is. */
static void protect(pid_t pid)
{
    struct error ignored;
    char path[64];

    (void) snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int) pid);
    (void) !file_put(path, "-1000", &ignored);
}

static int start_keeper(int net, pid_t *ret, int *ret_ready, struct error *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, errno, "make a pipe");
    *ret = fork_keeper(net, ends[1]);
    if (*ret < 0)
        error_errno(err, errno, "make the pod's PID namespace");
    (void) close(ends[1]);
    if (*ret >= 0) {
        *ret_ready = ends[0];
        return 0;
    }
    (void) close(ends[0]);
    return -1;
}

/* A byte when it has left everything behind; its end without one. */
static int await_keeper(int ready, struct error *err)
{
    ssize_t n;
    char byte;

    do
        n = read(ready, &byte, 1);
    while (n < 0 && errno == EINTR);
    if (n == 1)
        return 0;
    return error_set(err, STATUS_INTERNAL, "the keeper of the pod's PID namespace did not start");
}

int namespaces_make_pid(const char *path, int net, pid_t *ret_keeper, struct error *err)
{
    scoped(closep) int ready = -1;
    char from[64];
    pid_t pid = -1;

    if (start_keeper(net, &pid, &ready, err) < 0)
        return -1;
    (void) snprintf(from, sizeof(from), "/proc/%d/ns/pid", (int) pid);
    if (await_keeper(ready, err) < 0 || bind_file(from, path, err) < 0) {
        (void) kill(pid, SIGKILL);
        return -1;
    }
    protect(pid);
    *ret_keeper = pid;
    return 0;
}

/* An empty root: of the agent's files nothing is left. It is mounted over a directory that is
 * certainly there, and what was the root then lies on top of it. */
static int empty_root(void)
{
    const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;

    if (mount("pause", "/proc", "tmpfs", flags, "size=4k,nr_inodes=1") < 0 || chdir("/proc") < 0 ||
        syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
        return -1;
    return chdir("/");
}

void namespaces_keep(void)
{
    sigset_t children;

    if (empty_root() < 0 || write(STDIN_FILENO, "", 1) != 1)
        _exit(127);
    (void) close_range(0, ~0u, 0);
    (void) prctl(PR_SET_NAME, "pause");
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    for (;;) {
        int signum;

        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        (void) sigwait(&children, &signum);
    }
}
