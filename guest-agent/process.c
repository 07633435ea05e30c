/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include <errno.h>
#include <signal.h>

#include "base/error.h"
#include "base/scoped.h"
#include "launch.h"
#include "pod.h"
#include "runtime.h"
#include "streams.h"

struct process_waiter {
    struct process *process;
    struct process_waiter *next;
    process_exit_fn *fn;
    void *user;
};

static void tell(struct process *process, const struct exit_record *record)
{
    while (process->waiters) {
        struct process_waiter *waiter = process->waiters;
        process_exit_fn *fn = waiter->fn;
        void *user = waiter->user;

        process->waiters = waiter->next;
        free(waiter);
        fn(user, record);
    }
}

static void take_master(void *user, int master)
{
    struct process *process = user;

    streams_set_master(process->streams, master);
}

int process_new(struct pod *pod, const struct process_options *options,
                const struct process_events *events, struct process **ret, struct error *err)
{
    struct process *process = xnew(struct process);
    struct streams_options streams = {.wanted = options->wanted};
    scoped(freep) char *path = xformat("%s/tty.%u", pod->options->state_directory, pod->serial++);

    process->pod = pod;
    process->events = events;
    process->container_id = xstrdup(options->container_id);
    process->exec_id = xstrdup(options->exec_id);
    process->record.container_id = process->container_id;
    process->record.exec_id = process->exec_id;
    streams.container_id = process->container_id;
    streams.exec_id = process->exec_id;
    if (streams_new(pod->loop, pod->mux, &streams, &process->streams, err) < 0)
        goto fail;
    if (options->size.width > 0)
        streams_resize(process->streams, &options->size);
    /* An exec's terminal comes with its launch. */
    if ((options->wanted & STREAMS_TERMINAL) && !*options->exec_id &&
        console_open(pod->loop, path, take_master, process, &process->console, err) < 0)
        goto fail;
    *ret = process;
    return 0;

fail:
    process_free(process);
    return -1;
}

void process_free(struct process *process)
{
    if (!process)
        return;
    tell(process, NULL);
    launch_free(process->launch);
    reaper_unwatch(process->watch);
    console_close(process->console);
    streams_free(process->streams);
    free((void *) (uintptr_t) process->record.message);
    free(process->container_id);
    free(process->exec_id);
    free(process);
}

void process_describe(const struct process *process, struct runtime_process *ret,
                      char **ret_pid_file)
{
    *ret_pid_file = xformat("%s/pid.%u", process->pod->options->state_directory,
                            process->pod->serial++);
    *ret = (struct runtime_process){
        .container_id = process->container_id,
        .pid_file = *ret_pid_file,
        .console_socket = process->console ? console_path(process->console) : NULL,
    };
    streams_child_fds(process->streams, ret->fds);
}

static void end(struct process *process)
{
    struct exit_record *record = &process->record;

    streams_process_ended(process->streams);
    process->state = PROCESS_ENDED;
    process->signal = process->exit.signal;
    record->pid = process->pid;
    record->status = process->exit.status;
    record->at_ns = process->exit.at_ns;
    record->stdout_total = streams_total(process->streams, 1);
    record->stderr_total = streams_total(process->streams, 2);
    process->events->ending(process, record);
    events_add_exit(process->pod->events, record);
    tell(process, record);
    process->events->ended(process);
}

static void exited(void *user, const struct reaper_exit *exit)
{
    struct process *process = user;

    reaper_unwatch(take_ptr(process->watch));
    process->exit = *exit;
    if (process->held)
        process->exit_waits = true;
    else
        end(process);
}

void process_adopt(struct process *process, pid_t pid)
{
    if (process->console) {
        console_receive(process->console);
        console_close(take_ptr(process->console));
    }
    streams_started(process->streams);
    process->pid = pid;
    process->state = PROCESS_ALIVE;
    process->watch = reaper_watch(process->pod->reaper, pid, exited, process);
}

void process_hold(struct process *process)
{
    process->held = true;
}

void process_release(struct process *process)
{
    process->held = false;
    if (process->exit_waits) {
        process->exit_waits = false;
        end(process);
    }
}

bool process_has_ended(const struct process *process)
{
    return process->state == PROCESS_ENDED || process->exit_waits;
}

int process_kill(struct process *process, int signum, struct error *err)
{
    if (process->state == PROCESS_STARTING)
        return error_set(err, STATUS_FAILED_PRECONDITION, "the process has not been started yet");
    if (process_has_ended(process))
        return error_set(err, STATUS_NOT_FOUND, "process already finished");
    /* Its number cannot be another's: nobody but our reaper gives it back. */
    if (kill(process->pid, signum) < 0)
        return error_errno(err, errno, "signal %d", signum);
    return 0;
}

struct process_waiter *process_wait(struct process *process, process_exit_fn *fn, void *user)
{
    struct process_waiter *waiter;

    if (process->state == PROCESS_ENDED) {
        fn(user, &process->record);
        return NULL;
    }
    waiter = xnew(struct process_waiter);
    waiter->process = process;
    waiter->fn = fn;
    waiter->user = user;
    waiter->next = process->waiters;
    process->waiters = waiter;
    return waiter;
}

void process_unwait(struct process_waiter *waiter)
{
    struct process_waiter **link = &waiter->process->waiters;

    while (*link != waiter)
        link = &(*link)->next;
    *link = waiter->next;
    free(waiter);
}
