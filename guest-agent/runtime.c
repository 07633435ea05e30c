/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/loop.h"
#include "reaper.h"

enum { ARGUMENTS_MAX = 24, LOG_MAX = 64 * 1024 };

extern char **environ;

struct runtime {
    struct loop *loop;
    struct reaper *reaper;
    char *program;
    char *directory;
    unsigned serial; /* names log files */
};

struct runtime_job {
    struct runtime *runtime;
    const char *verb;
    char *log;
    char *pid_file;
    pid_t pid;
    size_t mark; /* of the reaper, before there was what it starts */
    bool timed_out;
    struct reaper_watch *watch;
    struct source *deadline;
    runtime_done_fn *done;
    void *user;
};

int runtime_new(struct loop *loop, struct reaper *reaper, const struct runtime_options *options,
                struct runtime **ret, struct error *err)
{
    struct runtime *runtime;
    scoped(freep) char *state = xformat("%s/state", options->directory);

    if (file_make_directories(state, 0700, err) < 0)
        return -1;
    runtime = xnew(struct runtime);
    runtime->loop = loop;
    runtime->reaper = reaper;
    runtime->program = xstrdup(options->program);
    runtime->directory = xstrdup(options->directory);
    *ret = runtime;
    return 0;
}

void runtime_free(struct runtime *runtime)
{
    if (!runtime)
        return;
    free(runtime->program);
    free(runtime->directory);
    free(runtime);
}

char *runtime_filter_path(const struct runtime *runtime, const char *container_id)
{
    return xformat("%s/state/%s/seccomp.bpf", runtime->directory, container_id);
}

/* crun's last line of complaint: "time: sentence". */
static void explain(const struct runtime_job *job, char *to, size_t size)
{
    scoped(freep) char *log = NULL;
    struct error ignored;
    size_t length;
    char *line;

    (void) snprintf(to, size, "it said nothing");
    if (file_read(job->log, LOG_MAX, &log, &length, &ignored) < 0)
        return;
    while (length > 0 && log[length - 1] == '\n')
        log[--length] = '\0';
    line = strrchr(log, '\n');
    line = line ? line + 1 : log;
    if (strstr(line, "Z: "))
        line = strstr(line, "Z: ") + 3;
    if (*line)
        (void) snprintf(to, size, "%s", line);
    text_make_utf8(to);
}

static int read_pid(const char *path, pid_t *ret, struct error *err)
{
    scoped(freep) char *text = NULL;
    size_t length;
    uint64_t pid;

    if (file_read(path, 32, &text, &length, err) < 0)
        return -1;
    while (length > 0 && text[length - 1] == '\n')
        text[--length] = '\0';
    if (!text_to_u64(text, &pid) || pid == 0 || pid > INT32_MAX)
        return error_set(err, STATUS_INTERNAL, "'%.32s' is not a process id", text);
    *ret = (pid_t) pid;
    return 0;
}

static int judge(const struct runtime_job *job, const struct reaper_exit *exit, pid_t *ret_pid,
                 struct error *err)
{
    char reason[256];

    if (job->timed_out)
        return error_set(err, STATUS_DEADLINE_EXCEEDED, "the runtime did not %s within %d s",
                         job->verb, RUNTIME_DEADLINE_MS / 1000);
    if (exit->status != 0) {
        explain(job, reason, sizeof(reason));
        return error_set(err, STATUS_UNKNOWN, "cannot %s: %s", job->verb, reason);
    }
    if (!job->pid_file)
        return 0;
    if (read_pid(job->pid_file, ret_pid, err) < 0)
        return -1;
    reaper_forget(job->runtime->reaper, &(struct reaper_mark){*ret_pid, job->mark});
    return 0;
}

static void job_exited(void *user, const struct reaper_exit *exit)
{
    struct runtime_job *job = user;
    struct error err;
    pid_t pid = 0;
    bool good;

    job->pid = 0;
    reaper_unwatch(take_ptr(job->watch));
    if (job->deadline)
        source_free(take_ptr(job->deadline));
    good = judge(job, exit, &pid, &err) == 0;
    job->done(job->user, pid, good ? NULL : &err);
}

static void kill_job(struct runtime_job *job)
{
    if (job->pid > 0)
        (void) kill(-job->pid, SIGKILL);
}

static void job_late(void *user)
{
    struct runtime_job *job = user;

    job->timed_out = true;
    kill_job(job);
}

/* In a process group of its own, with a clean signal mask; everything else is close-on-exec. */
static int spawn(char *const *argv, const int fds[3], pid_t *ret, struct error *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int r;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0)
            posix_spawn_file_actions_adddup2(&actions, fds[i], i);
        else
            posix_spawn_file_actions_addopen(&actions, i, "/dev/null", O_RDWR, 0);
    }
    r = posix_spawnp(ret, argv[0], &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return r == 0 ? 0 : error_errno(err, r, "start '%s'", argv[0]);
}

struct command {
    const char *verb;
    const char *arguments[ARGUMENTS_MAX]; /* behind crun's own, NULL-terminated */
    const char *pid_file;
    int fds[3];
};

static void fill_arguments(const struct runtime *runtime, const struct command *command,
                           const char *state, const char *log, const char *ret[ARGUMENTS_MAX])
{
    const char *head[] = {
        runtime->program, "--cgroup-manager=cgroupfs", "--root", state, "--log", log,
        command->verb};
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(head); i++)
        ret[n++] = head[i];
    for (size_t i = 0; command->arguments[i] && n < ARGUMENTS_MAX - 1; i++)
        ret[n++] = command->arguments[i];
    ret[n] = NULL;
}

static int run(struct runtime *runtime, const struct command *command, runtime_done_fn *done,
               void *user, struct runtime_job **ret, struct error *err)
{
    const char *arguments[ARGUMENTS_MAX];
    scoped(freep) char *state = xformat("%s/state", runtime->directory);
    scoped(freep) char *log = xformat("%s/log.%u", runtime->directory, runtime->serial++);
    struct runtime_job *job;
    pid_t pid;

    fill_arguments(runtime, command, state, log, arguments);
    if (spawn((char *const *) (uintptr_t) arguments, command->fds, &pid, err) < 0)
        return -1;
    job = xnew(struct runtime_job);
    job->mark = reaper_hold(runtime->reaper); /* nobody reaps before this returns */
    job->runtime = runtime;
    job->verb = command->verb;
    job->log = take_ptr(log);
    job->pid_file = xstrdup(command->pid_file);
    job->pid = pid;
    job->done = done;
    job->user = user;
    job->watch = reaper_watch_started(runtime->reaper, pid, job_exited, job);
    if (loop_after(runtime->loop, RUNTIME_DEADLINE_MS, job_late, job, &job->deadline, err) < 0) {
        runtime_job_free(job);
        return -1;
    }
    *ret = job;
    return 0;
}

int runtime_create(struct runtime *runtime, const struct runtime_process *process,
                   runtime_done_fn *done, void *user, struct runtime_job **ret, struct error *err)
{
    struct command command = {
        .verb = "create",
        .arguments = {"--bundle", process->bundle, "--pid-file", process->pid_file,
                      process->container_id, NULL},
        .pid_file = process->pid_file,
        .fds = {process->fds[0], process->fds[1], process->fds[2]},
    };

    if (process->console_socket) {
        command.arguments[4] = "--console-socket";
        command.arguments[5] = process->console_socket;
        command.arguments[6] = process->container_id;
    }
    return run(runtime, &command, done, user, ret, err);
}

int runtime_verb(struct runtime *runtime, enum runtime_verb verb, const char *container_id,
                 runtime_done_fn *done, void *user, struct runtime_job **ret, struct error *err)
{
    static const char *const verbs[] = {
        [RUNTIME_START] = "start",
        [RUNTIME_DELETE] = "delete",
        [RUNTIME_PAUSE] = "pause",
        [RUNTIME_RESUME] = "resume",
    };
    struct command command = {
        .verb = verbs[verb],
        .arguments = {container_id, NULL},
        .fds = {-1, -1, -1},
    };

    if (verb == RUNTIME_DELETE) {
        command.arguments[0] = "--force";
        command.arguments[1] = container_id;
    }
    return run(runtime, &command, done, user, ret, err);
}

int runtime_update(struct runtime *runtime, const struct runtime_update *update,
                   runtime_done_fn *done, void *user, struct runtime_job **ret, struct error *err)
{
    struct command command = {
        .verb = "update",
        .arguments = {"--resources", update->resources, update->container_id, NULL},
        .fds = {-1, -1, -1},
    };

    return run(runtime, &command, done, user, ret, err);
}

void runtime_job_free(struct runtime_job *job)
{
    if (!job)
        return;
    kill_job(job);
    reaper_unwatch(job->watch);
    if (job->deadline)
        source_free(job->deadline);
    (void) unlink(job->log);
    if (job->pid_file)
        (void) unlink(job->pid_file);
    reaper_release(job->runtime->reaper);
    free(job->log);
    free(job->pid_file);
    free(job);
}
