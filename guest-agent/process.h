/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One process that the tenant asked for: a container's init or an exec. From when it is asked for
 * until it is deleted: its streams, its end, and who waits for that. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "console.h"
#include "events.h"
#include "reaper.h"

struct container;
struct error;
struct launch;
struct pod;
struct process;
struct process_waiter;
struct runtime_process;
struct streams;

enum process_state { PROCESS_STARTING, PROCESS_ALIVE, PROCESS_ENDED };

struct process_options {
    const char *container_id;
    const char *exec_id;      /* "": init */
    unsigned wanted;          /* enum streams_wanted */
    struct console_size size; /* of the terminal; 0: unknown */
};

/* What its owner, the container, does around the end: before the record is published it may add to
 * it; afterwards it draws its conclusions and may free the process. */
struct process_events {
    void (*ending)(struct process *process, struct exit_record *record);
    void (*ended)(struct process *process);
};

/* record NULL: it was never started, or is gone without an end that we saw. */
typedef void process_exit_fn(void *user, const struct exit_record *record);

struct process {
    struct pod *pod;
    struct container *container;
    struct process *next;
    const struct process_events *events;
    char *container_id;
    char *exec_id;
    enum process_state state;
    pid_t pid;
    int signal; /* that ended it, or 0 */
    struct streams *streams;
    struct console *console;
    struct reaper_watch *watch;
    struct exit_record record; /* when ended */
    struct process_waiter *waiters;
    bool held; /* an operation's answer must come before the end is told */
    bool exit_waits;
    struct reaper_exit exit;

    struct launch *launch; /* of an exec that is being started */
    void (*done)(void *user, struct process *process, const struct error *err);
    void *user;
};

int process_new(struct pod *pod, const struct process_options *options,
                const struct process_events *events, struct process **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Waiters that are left get NULL. */
void process_free(struct process *process);
/* Descriptors and console for the runtime; pid_file: a name to use, the caller frees it. */
void process_describe(const struct process *process, struct runtime_process *ret,
                      char **ret_pid_file);
/* The runtime has started it. */
void process_adopt(struct process *process, pid_t pid);
/* Between the two, the end is not told. */
void process_hold(struct process *process);
void process_release(struct process *process);
/* Its end has been seen, though it may not be told yet: its number may be another's by now. */
bool process_has_ended(const struct process *process);
int process_kill(struct process *process, int signum, struct error *err)
    __attribute__((warn_unused_result));
/* fn runs once: at once if it has ended, and then NULL is returned. */
struct process_waiter *process_wait(struct process *process, process_exit_fn *fn, void *user);
void process_unwait(struct process_waiter *waiter);
