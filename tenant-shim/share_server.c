/* SPDX-License-Identifier: Apache-2.0 */
#include "share_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "io/loop.h"
#include "program.h"

enum { ANSWER_MAX = 512, ABOVE_STANDARD = 10, PEER = 3, CONTROL = 4 };

struct share_server {
    pid_t pid; /* 0: reaped */
    int control;
    struct share_server_events events;
    void *user;
    struct source *exited, *readable;
};

extern char **environ;

/* "" while it runs. */
static void describe_end(int status, char *to, size_t size)
{
    if (WIFSIGNALED(status))
        (void) snprintf(to, size, "it was ended by signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) == 0)
        (void) snprintf(to, size, "its connection to the guest has ended");
    else
        (void) snprintf(to, size, "exit code %d: its last words are in the shim's log",
                        WEXITSTATUS(status));
}

static void on_exited(void *user)
{
    struct share_server *server = user;
    int status = W_EXITCODE(EXIT_FAILURE, 0);
    char how[96];

    if (waitpid(server->pid, &status, WNOHANG) == 0)
        return;
    server->pid = 0;
    source_free(take_ptr(server->readable));
    describe_end(status, how, sizeof(how));
    server->events.ended(server->user, how);
}

static void on_readable(void *user, uint32_t events)
{
    struct share_server *server = user;
    char words[ANSWER_MAX + 1];
    ssize_t length = recv(server->control, words, ANSWER_MAX, MSG_DONTWAIT);

    (void) events;
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0) { /* its exit says more */
        source_free(take_ptr(server->readable));
        return;
    }
    words[length] = '\0';
    server->events.answered(server->user, words);
}

/* A socket pair of which the second end can be given away: not among the numbers that the child
 * wants for itself. */
static int make_pair(int type, int ret[2], struct error *err)
{
    int pair[2], high;

    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "make a socket pair");
    high = fcntl(pair[1], F_DUPFD_CLOEXEC, ABOVE_STANDARD);
    (void) close(pair[1]);
    if (high < 0) {
        (void) close(pair[0]);
        return error_errno(err, errno, "make a socket pair");
    }
    ret[0] = pair[0];
    ret[1] = high;
    return 0;
}

/* Its stderr is the shim's log. */
static int spawn(const char *program, int peer, int control, pid_t *ret, struct error *err)
{
    char *argv[] = {(char *) "cleave-share", (char *) "3", (char *) "4", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int problem;

    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, peer, PEER);
    posix_spawn_file_actions_adddup2(&actions, control, CONTROL);
    posix_spawn_file_actions_addclosefrom_np(&actions, CONTROL + 1);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    problem = posix_spawn(ret, program, &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return problem ? error_errno(err, problem, "start '%s'", program) : 0;
}

int share_server_start(struct loop *loop, const struct share_server_events *events, void *user,
                       int *ret_stream, struct share_server **ret, struct error *err)
{
    scoped(share_server_freep) struct share_server *server = xnew(struct share_server);
    scoped(freep) char *program = program_find("cleave-share");
    scoped(closep) int theirs = -1, stream = -1, control = -1;
    int pair[2];

    server->control = -1;
    server->events = *events;
    server->user = user;
    if (!program)
        return error_set(err, STATUS_NOT_FOUND,
                         "no program 'cleave-share' beside the shim or in "
                         "PATH: it serves the node's directories");
    if (make_pair(SOCK_STREAM, pair, err) < 0)
        return -1;
    stream = pair[0];
    theirs = pair[1];
    if (make_pair(SOCK_SEQPACKET, pair, err) < 0)
        return -1;
    server->control = pair[0];
    control = pair[1];
    if (spawn(program, theirs, control, &server->pid, err) < 0 ||
        loop_watch_child(loop, server->pid, on_exited, server, &server->exited, err) < 0 ||
        loop_watch_fd(loop, server->control, LOOP_READ, on_readable, server, &server->readable,
                      err) < 0)
        return -1;
    log_debug("cleave-share is process %d", (int) server->pid);
    *ret_stream = take_fd(stream);
    *ret = take_ptr(server);
    return 0;
}

int share_server_ask(struct share_server *server, const char *request, struct error *err)
{
    if (send(server->control, request, strlen(request), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return error_errno(err, errno, "ask cleave-share");
    return 0;
}

/* Nothing waits for it: one that hangs in a storage ends when that answers, and the resident
 * process reaps it as an orphan. */
void share_server_free(struct share_server *server)
{
    if (!server)
        return;
    source_free(server->readable);
    source_free(server->exited);
    closep(&server->control); /* its end, and by it the server's */
    if (server->pid)
        (void) waitpid(server->pid, NULL, WNOHANG);
    free(server);
}
