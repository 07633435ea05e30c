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

/* Between fork and exec only system calls: the other threads' locks are copied as they were. It
 * must be another program image, because a container that shares the namespace could look into it.
 */
static pid_t fork_keeper(void)
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

int namespaces_make_pid(const char *path, pid_t *ret_keeper, struct error *err)
{
    pid_t pid = fork_keeper();
    char from[64];

    if (pid < 0)
        return error_errno(err, errno, "make the pod's PID namespace");
    (void) snprintf(from, sizeof(from), "/proc/%d/ns/pid", (int) pid);
    if (bind_file(from, path, err) < 0) {
        (void) kill(pid, SIGKILL);
        return -1;
    }
    protect(pid);
    *ret_keeper = pid;
    return 0;
}

void namespaces_keep(void)
{
    sigset_t children;

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
