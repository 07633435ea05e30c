/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One task behind one shim, ours or runc's: the same client speaks to both. Every call blocks,
 * turning the loop; what fails ends the program with a sentence. */
#include <stdint.h>

struct loop;
struct ttrpc_client;

struct target {
    struct loop *loop;
    struct ttrpc_client *client;
    const char *service; /* "containerd.task.v3.Task" */
    const char *task;
    unsigned serial; /* of execs */
};

void target_open(struct target *target, const char *socket);
void target_close(struct target *target);

void target_connect(struct target *target);
void target_state(struct target *target);
void target_stats(struct target *target);
void target_kill(struct target *target, uint32_t signal);

/* Registers; paths NULL: none. The id lives until the next. */
const char *target_exec(struct target *target, const char *process, const char *stdout_path,
                        const char *stderr_path);
void target_start(struct target *target, const char *exec_id);
/* The exit status. */
uint32_t target_wait(struct target *target, const char *exec_id);
/* Does not block: target_turn() until *done. */
void target_wait_begin(struct target *target, const char *exec_id, int *done);
void target_turn(struct target *target, uint64_t ms);
void target_delete(struct target *target, const char *exec_id);

void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
