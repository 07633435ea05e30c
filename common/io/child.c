/* SPDX-License-Identifier: Apache-2.0 */
#include "io/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/scoped.h"
#include "io/fd.h"
#include "io/loop.h"

enum {
    OUTPUT_LIMIT = 64 * 1024,
    DIAGNOSTICS_MAX = 4096,
    CHUNK = 16 * 1024,
    REAP_WAIT_MS = 1000,
    DRAIN_ROUNDS = 64,
    WAIT_STATUS_UNKNOWN = 255 << 8,
};

struct pipe_end {
    int fd;
    struct source *source;
};

struct child {
    struct child *next; /* among those of this thread */
    pid_t pid;
    int pidfd;
    bool exited;
    bool reported;
    bool in_callback;
    bool freed;
    struct source *exit, *deadline;
    struct pipe_end input, output, diagnostics;
    uint8_t *to_write;
    size_t to_write_length, written;
    char *answer;
    size_t answer_limit;
    char last_words[DIAGNOSTICS_MAX + 1];
    size_t last_words_length;
    struct child_result result;
    child_done_fn *done;
    void *user;
};

/* Only the thread that runs the loop starts children and reaps, so a list for each needs no lock.
 */
static _Thread_local struct child *children;

static void shut(struct pipe_end *end)
{
    source_free(take_ptr(end->source));
    closep(&end->fd);
    end->fd = -1;
}

static void kill_group(const struct child *child)
{
    /* Not reaped, so the number still names this group. */
    if (child->pid > 0 && !child->exited)
        (void) kill(-child->pid, SIGKILL);
}

static void write_input(void *user, uint32_t events)
{
    struct child *child = user;
    ssize_t put = write(child->input.fd, child->to_write + child->written,
                        child->to_write_length - child->written);

    if (put < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (put > 0)
        child->written += (size_t) put;
    /* A child that does not read its input is its own judge: it answers through its exit. */
    if (put < 0 || child->written == child->to_write_length)
        shut(&child->input);
}

static bool read_output(struct child *child)
{
    char *to;
    ssize_t got;

    child->answer = xrealloc(child->answer, child->result.output_length + CHUNK + 1);
    to = child->answer + child->result.output_length;
    got = read(child->output.fd, to, CHUNK);
    if (got < 0)
        return errno == EINTR;
    if (got == 0) {
        shut(&child->output);
        return false;
    }
    child->result.output_length += (size_t) got;
    if (child->result.output_length > child->answer_limit) {
        child->result.output_length = child->answer_limit;
        child->result.overflowed = true;
        shut(&child->output);
        kill_group(child);
        return false;
    }
    return true;
}

static bool read_diagnostics(struct child *child)
{
    char chunk[DIAGNOSTICS_MAX];
    ssize_t got = read(child->diagnostics.fd, chunk, sizeof chunk);
    size_t keep;

    if (got < 0)
        return errno == EINTR;
    if (got == 0) {
        shut(&child->diagnostics);
        return false;
    }
    keep = DIAGNOSTICS_MAX - (size_t) got;
    if (child->last_words_length > keep) {
        memmove(child->last_words, child->last_words + child->last_words_length - keep, keep);
        child->last_words_length = keep;
    }
    memcpy(child->last_words + child->last_words_length, chunk, (size_t) got);
    child->last_words_length += (size_t) got;
    return true;
}

static void on_output(void *user, uint32_t events)
{
    (void) read_output(user);
}

static void on_diagnostics(void *user, uint32_t events)
{
    (void) read_diagnostics(user);
}

static void on_deadline(void *user)
{
    struct child *child = user;

    child->result.timed_out = true;
    kill_group(child);
}

static void set_exit(struct child *child, int wait_status)
{
    child->exited = true;
    child->result.wait_status = wait_status;
}

static int status_of(const siginfo_t *info)
{
    if (info->si_code == CLD_EXITED)
        return (info->si_status & 0xff) << 8;
    return info->si_status | (info->si_code == CLD_DUMPED ? 0x80 : 0);
}

/* False while it still runs. */
static bool reap(struct child *child)
{
    siginfo_t info = {0};

    if (child->exited)
        return true;
    if (waitid(P_PIDFD, (id_t) child->pidfd, &info, WEXITED | WNOHANG) < 0)
        set_exit(child, WAIT_STATUS_UNKNOWN); /* somebody else reaped it and did not tell */
    else if (info.si_pid != 0)
        set_exit(child, status_of(&info));
    return child->exited;
}

static void release(struct child *child)
{
    for (struct child **at = &children; *at; at = &(*at)->next)
        if (*at == child) {
            *at = child->next;
            break;
        }
    source_free(child->exit);
    source_free(child->deadline);
    shut(&child->input);
    shut(&child->output);
    shut(&child->diagnostics);
    closep(&child->pidfd);
    if (child->to_write)
        bytes_wipe(child->to_write, child->to_write_length);
    free(child->to_write);
    if (child->answer)
        bytes_wipe(child->answer, child->result.output_length);
    free(child->answer);
    free(child);
}

/* What the child wrote before its end is in the pipes; a grandchild may hold them open, so their
 * end is not waited for. */
static void on_exit_event(void *user)
{
    struct child *child = user;

    if (!reap(child))
        return;
    source_free(take_ptr(child->deadline));
    shut(&child->input);
    while (child->output.fd >= 0 && read_output(child))
        ;
    for (int i = 0; i < DRAIN_ROUNDS && child->diagnostics.fd >= 0; i++)
        if (!read_diagnostics(child))
            break;
    shut(&child->output);
    shut(&child->diagnostics);
    child->answer = xrealloc(child->answer, child->result.output_length + 1);
    child->answer[child->result.output_length] = '\0';
    child->last_words[child->last_words_length] = '\0';
    child->result.output = child->answer;
    child->result.diagnostics = child->last_words;
    child->reported = true;
    child->in_callback = true;
    child->done(child->user, &child->result);
    child->in_callback = false;
    if (child->freed)
        release(child);
}

static int new_pipe(int ret[2], struct error *err)
{
    if (pipe2(ret, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    return 0;
}

struct far_ends {
    int fds[3];
};

static void close_far_ends(struct far_ends *ends)
{
    for (size_t i = 0; i < ARRAY_LENGTH(ends->fds); i++)
        closep(&ends->fds[i]);
}

static int make_pipes(struct child *child, struct far_ends *far, struct error *err)
{
    struct pipe_end *near[] = {&child->input, &child->output, &child->diagnostics};

    for (int i = 0; i < 3; i++) {
        int ends[2];

        if (new_pipe(ends, err) < 0)
            return -1;
        far->fds[i] = ends[i == 0 ? 0 : 1];
        near[i]->fd = ends[i == 0 ? 1 : 0];
        if (fd_set_nonblocking(near[i]->fd, err) < 0)
            return -1;
    }
    return 0;
}

static int spawn(struct child *child, const struct child_options *options,
                 const struct far_ends *far, struct error *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char *const *argv = (char *const *) (uintptr_t) options->argv;
    char *const *environment = options->environment
                                   ? (char *const *) (uintptr_t) options->environment
                                   : environ;
    sigset_t none, all;
    int problem = 0;

    if (posix_spawn_file_actions_init(&actions) != 0 || posix_spawnattr_init(&attributes) != 0)
        abort();
    (void) sigemptyset(&none);
    (void) sigfillset(&all);
    /* The far ends are never 0..2 here: our own standard descriptors are open. */
    for (int i = 0; i < 3 && !problem; i++)
        problem = posix_spawn_file_actions_adddup2(&actions, far->fds[i], i);
    problem = problem ? problem : posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    problem = problem ? problem
                      : posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP |
                                                                  POSIX_SPAWN_SETSIGMASK |
                                                                  POSIX_SPAWN_SETSIGDEF);
    problem = problem ? problem : posix_spawnattr_setpgroup(&attributes, 0);
    problem = problem ? problem : posix_spawnattr_setsigmask(&attributes, &none);
    problem = problem ? problem : posix_spawnattr_setsigdefault(&attributes, &all);
    problem = problem
                  ? problem
                  : posix_spawnp(&child->pid, argv[0], &actions, &attributes, argv, environment);
    (void) posix_spawn_file_actions_destroy(&actions);
    (void) posix_spawnattr_destroy(&attributes);
    if (problem) {
        child->pid = 0;
        return error_errno(err, problem, "start '%s'", argv[0]);
    }
    return 0;
}

static int watch(struct loop *loop, struct child *child, const struct child_options *options,
                 struct error *err)
{
    if (fd_pidfd(child->pid, &child->pidfd, err) < 0 ||
        loop_watch_child(loop, child->pid, on_exit_event, child, &child->exit, err) < 0 ||
        loop_after(loop, options->deadline_ms, on_deadline, child, &child->deadline, err) < 0 ||
        loop_watch_fd(loop, child->output.fd, LOOP_READ, on_output, child, &child->output.source,
                      err) < 0 ||
        loop_watch_fd(loop, child->diagnostics.fd, LOOP_READ, on_diagnostics, child,
                      &child->diagnostics.source, err) < 0)
        return -1;
    if (options->input_length == 0) {
        shut(&child->input);
        return 0;
    }
    child->to_write = xmemdup(options->input, options->input_length);
    child->to_write_length = options->input_length;
    return loop_watch_fd(loop, child->input.fd, LOOP_WRITE, write_input, child,
                         &child->input.source, err);
}

int child_start(struct loop *loop, const struct child_options *options, child_done_fn *done,
                void *user, struct child **ret, struct error *err)
{
    scoped(close_far_ends) struct far_ends far = {{-1, -1, -1}};
    scoped(child_freep) struct child *child = xnew(struct child);

    assert(options->deadline_ms > 0);
    child->pidfd = child->input.fd = child->output.fd = child->diagnostics.fd = -1;
    child->answer_limit = options->output_limit ? options->output_limit : OUTPUT_LIMIT;
    child->done = done;
    child->user = user;
    child->next = children;
    children = child;
    if (make_pipes(child, &far, err) < 0 || spawn(child, options, &far, err) < 0 ||
        watch(loop, child, options, err) < 0)
        return -1;
    *ret = take_ptr(child);
    return 0;
}

void child_kill(struct child *child)
{
    kill_group(child);
}

void child_free(struct child *child)
{
    if (!child || child->freed)
        return;
    if (child->in_callback) {
        child->freed = true;
        return;
    }
    if (child->pid > 0 && !child->exited) {
        struct pollfd wait = {.fd = child->pidfd, .events = POLLIN};

        kill_group(child);
        if (child->pidfd < 0) {
            (void) waitpid(child->pid, NULL, 0);
        } else {
            (void) poll(&wait, 1, REAP_WAIT_MS);
            (void) reap(child);
        }
    }
    release(child);
}

bool child_adopt_exit(pid_t pid, int wait_status)
{
    for (struct child *child = children; child; child = child->next)
        if (child->pid == pid && !child->exited) {
            set_exit(child, wait_status);
            return true;
        }
    return false;
}

static const char *last_line(const char *text, size_t *ret_length)
{
    size_t end = strlen(text), start;

    while (end > 0 && (text[end - 1] == '\n' || text[end - 1] == ' '))
        end--;
    for (start = end; start > 0 && text[start - 1] != '\n'; start--)
        ;
    *ret_length = end - start;
    return text + start;
}

void child_explain(const struct child_result *result, char *to, size_t size)
{
    char how[64];
    size_t length;
    const char *line = last_line(result->diagnostics ? result->diagnostics : "", &length);

    if (result->timed_out)
        (void) snprintf(how, sizeof how, "did not answer in time");
    else if (result->overflowed)
        (void) snprintf(how, sizeof how, "wrote too much");
    else if (WIFSIGNALED(result->wait_status))
        (void) snprintf(how, sizeof how, "killed by signal %d", WTERMSIG(result->wait_status));
    else
        (void) snprintf(how, sizeof how, "exit code %d", WEXITSTATUS(result->wait_status));
    (void) snprintf(to, size, "%s%s%.*s", how, length ? ": " : "", (int) length, line);
}
