/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cleave-exec, as a short-lived program under a deadline: it starts a process in a container that
 * runs. The process is our child from the beginning and nobody else's. */
#include <stdint.h>
#include <sys/types.h>

struct error;
struct launch;
struct launcher;
struct loop;
struct reaper;

enum { LAUNCH_DEADLINE_MS = 30 * 1000 };

/* The program has to lie on a read-only mount: what a container finds as the helper's
 * /proc/<pid>/exe can then not even be opened for writing. (A sealed memory file can, and whoever
 * holds it so keeps it from being run.) */
int launcher_new(struct loop *loop, struct reaper *reaper, const char *program,
                 struct launcher **ret, struct error *err) __attribute__((warn_unused_result));
void launcher_free(struct launcher *launcher); /* its launches have been freed */

struct launch_options {
    pid_t init;         /* the container's; our child, and not reaped */
    int block;          /* of exec_block_make() */
    int fds[3];         /* of the new process; -1: /dev/null */
    const int *cgroups; /* of cgroup_version's open_exec */
    size_t cgroup_count;
};

struct launch_result {
    pid_t pid;
    int master; /* of its terminal, owned by the receiver; -1: none */
};

/* result NULL: it does not run, and err says why. Once. The launch is freed by its owner, in here
 * or later. */
typedef void launch_done_fn(void *user, const struct launch_result *result,
                            const struct error *err);

/* All descriptors are borrowed during the call. */
int launch_start(struct launcher *launcher, const struct launch_options *options,
                 launch_done_fn *done, void *user, struct launch **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Kills what has not become the program; done is not called any more. */
void launch_free(struct launch *launch);
