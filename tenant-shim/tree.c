/* SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "content.h"
#include "io/fd.h"
#include "io/loop.h"

enum { PIECE = 256 * 1024, WORDS_MAX = 480, PIPE_SIZE = 1024 * 1024 };

struct tree {
    struct content_events events;
    void *user;
    pid_t pid; /* 0: reaped */
    int out, diagnostics;
    uint64_t skip; /* bytes that somebody has already */
    bool at_end, over;
    int wait_status;
    struct source *readable, *exited;
    uint8_t *buffer;
};

extern char **environ;

char *tree_of_directory(const char *path)
{
    scoped(js_freep) struct js *where = js_new_object();

    js_set_string(where, "directory", path);
    return js_print(where);
}

int tree_of_mounts(const struct tree_mount *mounts, size_t count, char **ret, struct error *err)
{
    scoped(js_freep) struct js *where = js_new_object();
    struct js *list = js_new_array();

    js_set(where, "mounts", list);
    if (count > TREE_MOUNTS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the root has more than %d mounts",
                         TREE_MOUNTS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct js *one = js_new_object(), *options = js_new_array();

        js_append(list, one);
        js_set_string(one, "type", mounts[i].type);
        js_set_string(one, "source", mounts[i].source);
        js_set(one, "options", options);
        if (mounts[i].option_count > TREE_OPTIONS_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "the root has more than %d mount options", TREE_OPTIONS_MAX);
        for (size_t k = 0; k < mounts[i].option_count; k++)
            js_append(options, js_new_string(mounts[i].options[k]));
    }
    *ret = js_print(where);
    return 0;
}

static void fail(struct tree *tree, enum status status)
{
    char words[WORDS_MAX + 1];
    ssize_t n = read(tree->diagnostics, words, WORDS_MAX);
    struct error err;

    words[n > 0 ? n : 0] = '\0';
    text_make_utf8(words);
    error_set(&err, status, "the files of the root on this node: %s",
              n > 0 ? words : "the walk was cut off");
    tree->events.failed(tree->user, &err);
}

/* All of it is here, and the walker says that it was all. Last of all: may free the tree. */
static void end_if_over(struct tree *tree)
{
    if (!tree->at_end || tree->pid || tree->over)
        return;
    tree->over = true;
    if (!WIFEXITED(tree->wait_status) || WEXITSTATUS(tree->wait_status) != 0)
        fail(tree, STATUS_FAILED_PRECONDITION);
    else if (tree->skip > 0)
        fail(tree, STATUS_ABORTED);
    else
        tree->events.ended(tree->user);
}

static void on_exited(void *user)
{
    struct tree *tree = user;
    pid_t pid = waitpid(tree->pid, &tree->wait_status, WNOHANG);

    if (pid == 0)
        return;
    if (pid < 0) /* somebody else has reaped it, and nobody knows how it ended */
        tree->wait_status = W_EXITCODE(EXIT_FAILURE, 0);
    tree->pid = 0;
    end_if_over(tree);
}

static void on_readable(void *user, uint32_t events)
{
    struct tree *tree = user;
    ssize_t n = read(tree->out, tree->buffer, PIECE);
    size_t skipped;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        tree->at_end = true;
        source_free(take_ptr(tree->readable));
        end_if_over(tree);
        return;
    }
    skipped = tree->skip < (uint64_t) n ? (size_t) tree->skip : (size_t) n;
    tree->skip -= skipped;
    if ((size_t) n > skipped)
        tree->events.data(tree->user, tree->buffer + skipped, (size_t) n - skipped);
}

struct pipes {
    int in[2], out[2], diagnostics[2];
};

static void pipes_close(struct pipes *pipes)
{
    for (int i = 0; i < 2; i++) {
        closep(&pipes->in[i]);
        closep(&pipes->out[i]);
        closep(&pipes->diagnostics[i]);
    }
}

static int spawn(const struct pipes *pipes, pid_t *ret, struct error *err)
{
    char *argv[] = {(char *) "cleave-tree", (char *) "walk", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int r;

    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, pipes->in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pipes->out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pipes->diagnostics[1], STDERR_FILENO);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    r = posix_spawn(ret, "/proc/self/exe", &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return r ? error_errno(err, r, "start the walker of a tree") : 0;
}

static int start(struct tree *tree, const char *where, struct error *err)
{
    scoped(pipes_close) struct pipes pipes = {{-1, -1}, {-1, -1}, {-1, -1}};

    if (pipe2(pipes.in, O_CLOEXEC) < 0 || pipe2(pipes.out, O_CLOEXEC) < 0 ||
        pipe2(pipes.diagnostics, O_CLOEXEC) < 0)
        return error_errno(err, errno, "make a pipe");
    /* The input is small, and the pipe large enough for it: nobody waits here. */
    if (fcntl(pipes.in[1], F_SETPIPE_SZ, PIPE_SIZE) < 0 && strlen(where) > 64 * 1024)
        return error_errno(err, errno, "enlarge a pipe");
    if (fd_set_nonblocking(pipes.in[1], err) < 0 ||
        fd_write_full(pipes.in[1], where, strlen(where), err) < 0 ||
        fd_set_nonblocking(pipes.out[0], err) < 0 ||
        fd_set_nonblocking(pipes.diagnostics[0], err) < 0 || spawn(&pipes, &tree->pid, err) < 0)
        return -1;
    tree->out = take_fd(pipes.out[0]);
    tree->diagnostics = take_fd(pipes.diagnostics[0]);
    return 0;
}

int tree_read(struct loop *loop, const char *where, uint64_t offset,
              const struct content_events *events, void *user, struct tree **ret, struct error *err)
{
    scoped(tree_freep) struct tree *tree = xnew(struct tree);

    tree->events = *events;
    tree->user = user;
    tree->skip = offset;
    tree->out = tree->diagnostics = -1;
    tree->buffer = xalloc(PIECE);
    if (start(tree, where, err) < 0 ||
        loop_watch_child(loop, tree->pid, on_exited, tree, &tree->exited, err) < 0 ||
        loop_watch_fd(loop, tree->out, LOOP_READ, on_readable, tree, &tree->readable, err) < 0)
        return -1;
    *ret = take_ptr(tree);
    return 0;
}

void tree_pause(struct tree *tree)
{
    if (tree->readable)
        source_set_events(tree->readable, 0);
}

void tree_resume(struct tree *tree)
{
    if (tree->readable)
        source_set_events(tree->readable, LOOP_READ);
}

void tree_free(struct tree *tree)
{
    if (!tree)
        return;
    source_free(tree->readable);
    source_free(tree->exited);
    if (tree->pid) {
        (void) kill(tree->pid, SIGKILL);
        (void) waitpid(tree->pid, NULL,
                       WNOHANG); /* else the resident process reaps it as an orphan */
    }
    closep(&tree->out);
    closep(&tree->diagnostics);
    free(tree->buffer);
    free(tree);
}
