/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/resident.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/fd.h"
#include "io/loop.h"
#include "shim/bundle.h"
#include "shim/socket.h"
#include "ttrpc/server.h"

enum { BACKLOG = 128, ORPHAN_PAUSE_MS = 2000, OWNER_PAUSE_MS = 5000 };

struct shim_server {
    const struct shim *shim;
    const char *socket;
    struct loop *loop;
    struct ttrpc_server *server;
    void *service;
    const char *bundle;
    struct source *sigterm, *sigint, *sigchld, *orphans, *owner;
    pid_t suspect; /* an exited child that nobody had reaped when we last looked */
    bool quitting;
};

/* ---- becoming a daemon ---- */

/* The end of containerd's log that belongs to the bundle. A full or deserted FIFO drops lines; it
 * never blocks a call. */
int resident_open_log(const char *bundle)
{
    scoped(freep) char *path = xformat("%s/log", bundle);
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    return fd >= 0 ? fd : open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static void take_stdio(const char *bundle)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int log = resident_open_log(bundle);

    if (null < 0 || log < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(log, STDERR_FILENO) < 0)
        _exit(EXIT_FAILURE); /* else containerd waits for our end of its pipe for ever */
}

/* One worse than containerd's own, so that the kernel takes the shim first. Raising needs no
 * privilege; lowering does, and is never tried. */
static void raise_oom_score(void)
{
    static const char path[] = "/proc/self/oom_score_adj";
    scoped(freep) char *text = NULL;
    struct error ignored;
    size_t length;
    int64_t score;
    char value[16];

    if (file_read(path, 64, &text, &length, &ignored) < 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    if (!text_to_i64(text, &score) || score >= 1000)
        return;
    (void) snprintf(value, sizeof(value), "%d", (int) score + 1);
    if (file_put(path, value, &ignored) < 0)
        log_debug("%s", ignored.message);
}

static void daemonise(const char *bundle, int report)
{
    (void) setsid();
    (void) signal(SIGPIPE, SIG_IGN); /* of a `start` that was killed, too */
    take_stdio(bundle);
    fd_close_from(3, &report, 1);
    log_to(STDERR_FILENO);
    raise_oom_score();
    (void) prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* What the forked process tells `start`, in one piece: both are the same program. */
struct verdict {
    bool failed;
    struct error err;
};

/* The end of its life is the end of the process, and so is a pod that has a shim already. */
static _Noreturn void serve_forked(struct resident *resident, int report)
{
    struct verdict verdict = {0};
    enum shim_socket state;
    struct error err;

    daemonise(resident->bootstrap->bundle, report);
    verdict.failed = shim_socket_claim(resident->socket, &state, &resident->listen_fd,
                                       &verdict.err) < 0;
    /* If nobody hears it any more, look_for_owner() ends what now serves. */
    if (fd_write_full(report, &verdict, sizeof(verdict), &err) < 0)
        log_debug("nobody waits for this shim: %s", err.message);
    (void) close(report);
    if (verdict.failed)
        _exit(EXIT_FAILURE);
    if (state == SHIM_SOCKET_MADE && resident_run(resident, &err) < 0) {
        log_error("%s", err.message);
        _exit(EXIT_FAILURE);
    }
    _exit(EXIT_SUCCESS);
}

int resident_start(struct resident *resident, struct error *err)
{
    struct verdict verdict;
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");

    scoped(closep) int hears = ends[0];
    scoped(closep) int tells = ends[1];

    pid = fork();
    if (pid < 0)
        return error_errno(err, errno, "fork");
    if (pid == 0)
        serve_forked(resident, tells);
    (void) close(take_fd(tells)); /* else its end would not be heard */
    if (fd_read_full(hears, &verdict, sizeof(verdict), err) < 0)
        return error_wrap(err, "the shim ended before it listened");
    if (verdict.failed) {
        *err = verdict.err;
        return -1;
    }
    return 0;
}

/* ---- orphans ---- */

/* A subreaper gets the children of its children. Whoever starts a child reaps it at once by its
 * pid; so one that still is there at the second look is an orphan. */
static void look_for_orphans(void *user)
{
    struct shim_server *self = user;
    siginfo_t info = {0};

    for (;;) {
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0) {
            self->suspect = 0;
            return;
        }
        if (info.si_pid != self->suspect)
            break;
        (void) waitpid(info.si_pid, NULL, WNOHANG);
    }
    self->suspect = info.si_pid;
    source_rearm(self->orphans, ORPHAN_PAUSE_MS);
}

static void on_sigchld(void *user)
{
    struct shim_server *self = user;

    if (!self->suspect)
        source_rearm(self->orphans, ORPHAN_PAUSE_MS);
}

static void on_sigterm(void *user)
{
    struct shim_server *self = user;

    if (self->shim->terminate)
        self->shim->terminate(self->service);
    else
        shim_quit(self);
}

/* containerd kills `start` when its caller gives up. If this process was forked by then, nobody
 * knows of it: the bundle goes, no call ever comes and no `delete`. So it is when the caller gives
 * up between CreateSandbox and StartSandbox: containerd hangs up, removes the bundle, and runs
 * `delete` only if it notices that it hung up before it has forgotten the pod. A containerd that
 * starts again finds its shims by their bundles. */
static void look_for_owner(void *user)
{
    struct shim_server *self = user;

    if (self->quitting || ttrpc_server_is_used(self->server))
        return;
    if (file_exists(self->bundle)) {
        source_rearm(self->owner, OWNER_PAUSE_MS);
        return;
    }
    log_warn("the bundle has gone and nobody is connected: this shim is nobody's");
    on_sigterm(self);
}

static void on_deserted(void *user)
{
    struct shim_server *self = user;

    source_rearm(self->owner, OWNER_PAUSE_MS);
}

/* ---- serving ---- */

static void on_drained(void *user)
{
    struct shim_server *self = user;

    loop_quit(self->loop);
}

void shim_quit(struct shim_server *self)
{
    if (self->quitting)
        return;
    self->quitting = true;
    /* First the name: from here on `start` makes a new shim, whose socket must not be removed. */
    (void) unlink(self->socket);
    ttrpc_server_drain(self->server, on_drained, self);
}

static int watch_signals(struct shim_server *self, struct error *err)
{
    (void) signal(SIGPIPE, SIG_IGN);
    (void) signal(SIGHUP, SIG_IGN);
    if (loop_watch_signal(self->loop, SIGTERM, on_sigterm, self, &self->sigterm, err) < 0 ||
        loop_watch_signal(self->loop, SIGINT, on_sigterm, self, &self->sigint, err) < 0 ||
        loop_watch_signal(self->loop, SIGCHLD, on_sigchld, self, &self->sigchld, err) < 0)
        return -1;
    if (loop_after(self->loop, OWNER_PAUSE_MS, look_for_owner, self, &self->owner, err) < 0)
        return -1;
    ttrpc_server_on_deserted(self->server, on_deserted, self);
    return loop_after(self->loop, ORPHAN_PAUSE_MS, look_for_orphans, self, &self->orphans, err);
}

static int run_service(struct resident *resident, struct shim_server *self, struct error *err)
{
    const struct bootstrap *bootstrap = resident->bootstrap;
    const struct shim_options options = {
        .ns = bootstrap->ns,
        .id = bootstrap->id,
        .group = resident->group,
        .bundle = bootstrap->bundle,
        .address = bootstrap->address,
        .ttrpc_address = bootstrap->ttrpc_address,
        .sandbox_api = bundle_is_sandbox_controller(bootstrap->bundle),
        .runtime_options = resident->runtime_options,
    };

    if (watch_signals(self, err) < 0)
        return -1;
    if (self->shim->create_service(self->loop, self->server, self, &options, &self->service, err) <
        0)
        return error_wrap(err, "start the service");
    return loop_run(self->loop, err);
}

static void stop(struct shim_server *self)
{
    if (!self->quitting)
        (void) unlink(self->socket);
    if (self->service)
        self->shim->destroy_service(self->service);
    ttrpc_server_free(self->server);
    source_freep(&self->sigterm);
    source_freep(&self->sigint);
    source_freep(&self->sigchld);
    source_freep(&self->orphans);
    source_freep(&self->owner);
    loop_free(self->loop);
}

int resident_run(struct resident *resident, struct error *err)
{
    struct shim_server self = {
        .shim = resident->shim, .socket = resident->socket, .bundle = resident->bootstrap->bundle};
    int r = -1;

    log_set_sandbox(resident->group);
    /* Who listens is who listened last: the peer credentials of this socket name the resident. */
    if (listen(resident->listen_fd, BACKLOG) < 0)
        error_errno(err, errno, "listen");
    else if (loop_new(&self.loop, err) == 0 &&
             ttrpc_server_new(self.loop, resident->listen_fd, NULL, &self.server, err) == 0)
        r = run_service(resident, &self, err);
    stop(&self);
    return r;
}
