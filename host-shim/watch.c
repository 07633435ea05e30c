/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/fd.h"
#include "io/loop.h"

/* PIDFD_GET_INFO of Linux 6.13, exit codes since 6.15: tells how a process ended that is not our
 * child. Older headers lack it; older kernels answer ENOTTY. The layout is the kernel's. */
struct pidfd_exit_info {
    uint64_t mask;
    uint64_t cgroup_id;
    uint32_t pid, tgid, ppid;
    uint32_t ids[8];
    int32_t exit_code;
};
#define PIDFD_EXIT_INFO_MASK  (UINT64_C(1) << 3)
#define PIDFD_EXIT_INFO_IOCTL _IOWR(0xFF, 11, struct pidfd_exit_info)
_Static_assert(sizeof(struct pidfd_exit_info) == 64, "struct pidfd_info, first version");

enum { ASK_TIMES = 10, ASK_MS = 10 }; /* 100 ms for a better reason than "gone" */

struct watch {
    int pidfd;
    unsigned asked;
    struct loop *loop;
    struct source *source;
    struct source *timer;
    watch_fn *fn;
    void *user;
};

enum explained { EXPLAINED, EXPLAINED_LATER, EXPLAINED_NEVER };

/* The kernel learns the code when the parent has reaped. */
static enum explained explain(int pidfd, struct watch_exit *ret)
{
    struct pidfd_exit_info info = {.mask = PIDFD_EXIT_INFO_MASK};

    *ret = (struct watch_exit){.exit_status = 137, .reason = "the machine's process is gone"};
    if (ioctl(pidfd, PIDFD_EXIT_INFO_IOCTL, &info) < 0)
        return errno == ENOTTY || errno == EINVAL ? EXPLAINED_NEVER : EXPLAINED_LATER;
    if (!(info.mask & PIDFD_EXIT_INFO_MASK))
        return EXPLAINED_LATER;
    ret->known = true;
    if (WIFSIGNALED(info.exit_code)) {
        ret->exit_status = 128 + (uint32_t) WTERMSIG(info.exit_code);
        ret->reason = WTERMSIG(info.exit_code) == SIGKILL ? "the machine's process was killed"
                                                          : "the machine's process crashed";
    } else if (WIFEXITED(info.exit_code)) {
        ret->exit_status = (uint32_t) WEXITSTATUS(info.exit_code);
        ret->reason = ret->exit_status == 0 ? "the machine powered off"
                                            : "the machine's process failed";
    }
    return EXPLAINED;
}

static void report(void *user)
{
    struct watch *watch = user;
    struct watch_exit exit;

    if (explain(watch->pidfd, &exit) == EXPLAINED_LATER && watch->asked++ < ASK_TIMES) {
        source_rearm(watch->timer, ASK_MS);
        return;
    }
    watch->fn(watch->user, &exit);
}

static void gone(void *user, uint32_t events)
{
    struct watch *watch = user;
    struct error err;

    (void) events;
    source_set_events(watch->source, 0);
    if (loop_after(watch->loop, 0, report, watch, &watch->timer, &err) < 0)
        report(watch);
}

void watch_boot_id(char ret[WATCH_BOOT_ID_SIZE])
{
    scoped(freep) char *text = NULL;
    struct error err;
    size_t length;

    ret[0] = '\0';
    if (file_read("/proc/sys/kernel/random/boot_id", WATCH_BOOT_ID_SIZE - 1, &text, &length,
                  &err) == 0)
        snprintf(ret, WATCH_BOOT_ID_SIZE, "%.*s", (int) strcspn(text, "\n"), text);
}

uint64_t watch_start_time(pid_t pid)
{
    scoped(freep) char *text = NULL;
    char path[64];
    struct error err;
    unsigned long long start;
    const char *after;
    size_t length;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
    if (file_read(path, 4096, &text, &length, &err) < 0)
        return 0;
    /* The name in parentheses may hold anything; field 22 counts from behind it. */
    after = strrchr(text, ')');
    if (!after ||
        sscanf(after + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &start) != 1)
        return 0;
    return start;
}

/* The descriptor first, then the check: the number cannot be reused while the descriptor is held
 * and the process is not reaped. */
static int open_exact(pid_t pid, uint64_t start_time, int *ret, struct error *err)
{
    scoped(closep) int fd = -1;

    if (pid <= 1)
        return error_set(err, STATUS_NOT_FOUND, "no process %d", (int) pid);
    if (fd_pidfd(pid, &fd, err) < 0)
        return -1;
    if (watch_start_time(pid) != start_time)
        return error_set(err, STATUS_NOT_FOUND, "process %d is another one now", (int) pid);
    *ret = take_fd(fd);
    return 0;
}

int watch_new(struct loop *loop, pid_t pid, uint64_t start_time, watch_fn *fn, void *user,
              struct watch **ret, struct error *err)
{
    scoped(closep) int fd = -1;
    struct watch *watch;

    if (open_exact(pid, start_time, &fd, err) < 0)
        return -1;
    watch = xnew(struct watch);
    *watch = (struct watch){.pidfd = fd, .loop = loop, .fn = fn, .user = user};
    if (loop_watch_fd(loop, fd, LOOP_READ, gone, watch, &watch->source, err) < 0) {
        free(watch);
        return -1;
    }
    (void) take_fd(fd);
    *ret = watch;
    return 0;
}

void watch_free(struct watch *watch)
{
    if (!watch)
        return;
    source_free(watch->source);
    source_free(watch->timer);
    close(watch->pidfd);
    free(watch);
}

void watch_kill(struct watch *watch)
{
    (void) syscall(SYS_pidfd_send_signal, watch->pidfd, SIGKILL, NULL, 0);
}

int watch_kill_now(pid_t pid, uint64_t start_time, int timeout_ms, struct error *err)
{
    scoped(closep) int fd = -1;
    struct pollfd wait = {.events = POLLIN};

    if (open_exact(pid, start_time, &fd, err) < 0)
        return err->status == STATUS_NOT_FOUND ? 0 : -1;
    if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
        return error_errno(err, errno, "kill process %d", (int) pid);
    wait.fd = fd;
    if (poll(&wait, 1, timeout_ms) == 0)
        return error_set(err, STATUS_DEADLINE_EXCEEDED, "process %d does not die", (int) pid);
    return 0;
}
