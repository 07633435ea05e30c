/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A short-lived program under a deadline: input on its stdin, its stdout as the answer. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct loop;
struct child;

struct child_options {
    const char *const *argv;        /* argv[0] is a path or found in PATH */
    const char *const *environment; /* NULL: inherited */
    const void *input;
    size_t input_length;
    size_t output_limit;  /* more than this on stdout ends the child; 0: 64 KiB */
    uint64_t deadline_ms; /* from now; then SIGKILL to its process group. 0 is a bug */
};

struct child_result {
    bool timed_out;
    bool overflowed;
    int wait_status;    /* as waitpid gives it */
    const char *output; /* NUL-terminated; valid during the callback */
    size_t output_length;
    const char *diagnostics; /* the last 4 KiB of stderr, NUL-terminated */
};

typedef void child_done_fn(void *user, const struct child_result *result);

/* done runs once, on the loop, after the child has been reaped. */
int child_start(struct loop *loop, const struct child_options *options, child_done_fn *done,
                void *user, struct child **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Kills the process group; done then runs as for any other end. Never waits. */
void child_kill(struct child *child);
/* Kills the process group if it still runs, reaps it, done is not called. */
void child_free(struct child *child);
static inline void child_freep(struct child **p)
{
    if (*p)
        child_free(*p);
}
/* For a program that reaps every process itself (PID 1, by waitid(P_ALL)): hands over the wait
 * status of pid, on the loop's thread. False if it is no child of this module. */
bool child_adopt_exit(pid_t pid, int wait_status);
/* "exit code 3: <last line of diagnostics>", for messages. */
void child_explain(const struct child_result *result, char *to, size_t size);
