/* SPDX-License-Identifier: Apache-2.0 */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "exec/block.h"
#include "io/fd.h"
#include "io/loop.h"
#include "reaper.h"

/* Descriptors that are handed over lie above all that the helper finds open, so that none is
 * overwritten before it is duplicated. */
enum { LOWEST_FD = BLOCK_FD_CGROUP + BLOCK_CGROUPS_MAX };

struct launcher {
    struct loop *loop;
    struct reaper *reaper;
    char *program;
};

struct launch {
    struct launcher *launcher;
    pid_t helper; /* 0: reaped */
    struct reaper_watch *watch;
    size_t mark; /* of the reaper, before there was either process */
    struct source *source, *deadline;
    int socket;
    int init;   /* pidfd of the container's first process */
    pid_t pid;  /* of the new process; 0: not known yet */
    int pidfd;  /* of it; only this may be killed, the number may be another's by then */
    int master; /* -1: none, or not yet */
    bool timed_out, failed;
    struct error failure;
    launch_done_fn *done;
    void *user;
};

/* ---- the program ---- */

int launcher_new(struct loop *loop, struct reaper *reaper, const char *program,
                 struct launcher **ret, struct error *err)
{
    struct launcher *launcher;
    struct statvfs fs;

    if (statvfs(program, &fs) < 0)
        return error_errno(err, errno, "look at '%s'", program);
    if (!(fs.f_flag & ST_RDONLY))
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "'%s' is not on a read-only mount: a container could reach it", program);
    launcher = xnew(struct launcher);
    launcher->loop = loop;
    launcher->reaper = reaper;
    launcher->program = xstrdup(program);
    *ret = launcher;
    return 0;
}

void launcher_free(struct launcher *launcher)
{
    if (!launcher)
        return;
    free(launcher->program);
    free(launcher);
}

/* ---- the end ---- */

static bool has_ended(int pidfd)
{
    struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};

    return poll(&poll_fd, 1, 0) == 1;
}

static int judge(const struct launch *launch, struct error *err)
{
    if (launch->pid && !launch->failed && !launch->timed_out)
        return 0;
    if (launch->timed_out)
        return error_set(err, STATUS_DEADLINE_EXCEEDED, "the process did not start within %d s",
                         LAUNCH_DEADLINE_MS / 1000);
    if (has_ended(launch->init))
        return error_set(err, STATUS_FAILED_PRECONDITION, "the container has ended meanwhile");
    if (launch->failed)
        return error_set(err, STATUS_UNKNOWN, "cannot exec: %s", launch->failure.message);
    return error_set(err, STATUS_UNKNOWN, "cannot exec: cleave-exec ended before it began");
}

/* The last that is done with it: its owner may free it meanwhile. */
static void finish(struct launch *launch)
{
    struct launch_result result;
    struct error err;

    source_free(take_ptr(launch->source));
    if (launch->deadline)
        source_free(take_ptr(launch->deadline));
    if (judge(launch, &err) < 0)
        return launch->done(launch->user, NULL, &err);
    result.pid = launch->pid;
    result.master = take_fd(launch->master);
    launch->done(launch->user, &result, NULL);
}

static void kill_all(const struct launch *launch)
{
    if (launch->helper > 0)
        (void) kill(launch->helper, SIGKILL);
    if (launch->pidfd >= 0)
        (void) syscall(SYS_pidfd_send_signal, launch->pidfd, SIGKILL, NULL, 0);
}

/* The killed let go of the socket, and then it is over. One that hangs in the kernel may not. */
static void late(void *user)
{
    struct launch *launch = user;

    launch->timed_out = true;
    kill_all(launch);
    finish(launch);
}

static void helper_exited(void *user, const struct reaper_exit *exit)
{
    struct launch *launch = user;

    launch->helper = 0;
    reaper_unwatch(take_ptr(launch->watch));
}

/* ---- what it says ---- */

static int take_fd_of(struct msghdr *message)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    int fd;

    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
        header->cmsg_len != CMSG_LEN(sizeof(int)))
        return -1;
    memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    return fd;
}

/* It waits for us, so it is there, or its end is remembered. */
static void started(struct launch *launch, pid_t pid)
{
    const struct reaper_mark mark = {.pid = pid, .mark = launch->mark};
    struct error ignored;

    launch->pid = pid;
    reaper_forget(launch->launcher->reaper, &mark);
    if (fd_pidfd(pid, &launch->pidfd, &ignored) < 0)
        launch->pidfd = -1;
    (void) send(launch->socket, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void take_note(struct launch *launch, struct block_message *message, int fd)
{
    message->text[sizeof(message->text) - 1] = '\0';
    if (message->note == BLOCK_STARTED && !launch->pid) {
        started(launch, message->value);
    } else if (message->note == BLOCK_MASTER && launch->master < 0) {
        launch->master = take_fd(fd);
    } else if (message->note == BLOCK_FAILED && !launch->failed) {
        launch->failed = true;
        text_make_utf8(message->text);
        error_set(&launch->failure, STATUS_UNKNOWN, "%s", message->text);
    }
    if (fd >= 0)
        (void) close(fd);
}

/* 1: go on; 0: nothing for now; -1: there will be none any more. */
static int receive(struct launch *launch)
{
    struct block_message message;
    struct iovec data = {.iov_base = &message, .iov_len = sizeof(message)};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr header = {
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    ssize_t n = recvmsg(launch->socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    /* It ended with our byte unread. The kernel says so once, before what it had said. */
    if (n < 0 && errno == ECONNRESET)
        return 1;
    if (n != sizeof(message))
        return -1;
    take_note(launch, &message, take_fd_of(&header));
    return 1;
}

static void readable(void *user, uint32_t events)
{
    struct launch *launch = user;
    int r;

    do
        r = receive(launch);
    while (r > 0);
    if (r < 0)
        finish(launch);
}

/* ---- the start ---- */

/* At least LOWEST_FD and close-on-exec; closed by the caller. */
struct handed {
    int fds[LOWEST_FD];
    size_t count;
};

static void handed_close(struct handed *handed)
{
    for (size_t i = 0; i < handed->count; i++)
        closep(&handed->fds[i]);
}

static int hand(struct handed *handed, int fd, struct error *err)
{
    int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, LOWEST_FD);

    if (fd >= 0 && high < 0)
        return error_errno(err, errno, "duplicate a descriptor");
    handed->fds[handed->count++] = high;
    return 0;
}

/* In the order of enum block_fd. */
static int hand_all(struct handed *handed, const struct launch_options *options, int socket,
                    int init, struct error *err)
{
    const int own[] = {socket, options->block, init};

    for (size_t i = 0; i < ARRAY_LENGTH(options->fds); i++) {
        if (hand(handed, options->fds[i], err) < 0)
            return -1;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(own); i++) {
        if (hand(handed, own[i], err) < 0)
            return -1;
    }
    for (size_t i = 0; i < options->cgroup_count && i < BLOCK_CGROUPS_MAX; i++) {
        if (hand(handed, options->cgroups[i], err) < 0)
            return -1;
    }
    return 0;
}

/* Without an environment: the container may come to see it. */
static int spawn(const struct launcher *launcher, const struct handed *handed, pid_t *ret,
                 struct error *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char *argv[] = {launcher->program, NULL};
    char *environment[] = {NULL};
    sigset_t none, all;
    int r;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    for (size_t i = 0; i < handed->count; i++) {
        if (handed->fds[i] >= 0)
            posix_spawn_file_actions_adddup2(&actions, handed->fds[i], (int) i);
        else
            posix_spawn_file_actions_addopen(&actions, (int) i, "/dev/null", O_RDWR, 0);
    }
    r = posix_spawn(ret, launcher->program, &actions, &attributes, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return r == 0 ? 0 : error_errno(err, r, "start '%s'", launcher->program);
}

static int run(struct launch *launch, const struct launch_options *options, int far,
               struct error *err)
{
    scoped(handed_close) struct handed handed = {.count = 0};

    if (hand_all(&handed, options, far, launch->init, err) < 0)
        return -1;
    return spawn(launch->launcher, &handed, &launch->helper, err);
}

static int watch(struct launch *launch, struct error *err)
{
    struct loop *loop = launch->launcher->loop;

    launch->watch = reaper_watch_started(launch->launcher->reaper, launch->helper, helper_exited,
                                         launch);
    if (loop_watch_fd(loop, launch->socket, LOOP_READ, readable, launch, &launch->source, err) < 0)
        return -1;
    return loop_after(loop, LAUNCH_DEADLINE_MS, late, launch, &launch->deadline, err);
}

int launch_start(struct launcher *launcher, const struct launch_options *options,
                 launch_done_fn *done, void *user, struct launch **ret, struct error *err)
{
    struct launch *launch = xnew(struct launch);
    scoped(closep) int far = -1;
    int ends[2];

    launch->launcher = launcher;
    launch->socket = launch->init = launch->pidfd = launch->master = -1;
    launch->done = done;
    launch->user = user;
    launch->mark = reaper_hold(launcher->reaper);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        error_errno(err, errno, "make a socket");
        goto fail;
    }
    launch->socket = ends[0];
    far = ends[1];
    if (fd_pidfd(options->init, &launch->init, err) < 0 || run(launch, options, far, err) < 0 ||
        watch(launch, err) < 0)
        goto fail;
    *ret = launch;
    return 0;

fail:
    launch_free(launch);
    return -1;
}

void launch_free(struct launch *launch)
{
    if (!launch)
        return;
    if (launch->source) /* not finished: what it was to become is not wanted any more */
        kill_all(launch);
    reaper_unwatch(launch->watch);
    if (launch->source)
        source_free(launch->source);
    if (launch->deadline)
        source_free(launch->deadline);
    closep(&launch->socket);
    closep(&launch->init);
    closep(&launch->pidfd);
    closep(&launch->master);
    reaper_release(launch->launcher->reaper);
    free(launch);
}
