/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The containers of a pod and their execs: what containerd asks for, carried out in the guest. What
 * is legal when stands in shim/task_table; this acts. An exit code comes from the guest or from the
 * end of the pod, never from a lost channel; but what is killed while the guest is out of reach and
 * frozen has ended. */
#include "base/scoped.h"
#include "codec_agent.h"
#include "shim/task_table.h"

struct bundle;
struct content;
struct error;
struct leftovers;
struct loop;
struct pod;
struct publisher;
struct task;

/* All of a pod's. Its entries' `user` is a struct task, but for the one of pause: NULL. */
struct tasks {
    struct loop *loop;
    struct task_table table;
    struct pod *pod; /* NULL until it is running */
    struct leftovers *leftovers;
    struct content *content;
    struct publisher *publisher;
    bool oom_files; /* nobody hears events: CRI-O looks for a file */
    const char *sandbox_id;
    /* An entry has stopped: answer who waits for it. */
    void (*exited)(void *user, struct task_entry *entry);
    void *user;
};

/* Whom to answer: once, with err NULL if it was done. The entry lives during the callback. */
struct task_answer {
    void (*done)(struct call *call, struct task_entry *entry, const struct error *err);
    struct call *call;
};

struct task_io {
    const char *stdin_path, *stdout_path, *stderr_path;
    bool terminal;
    const char *tree; /* of Create: where the root is on this node (tree.h), or NULL */
};

/* Frees every task, answering what is under way; the table is empty then (but for pause). */
void tasks_clear(struct tasks *tasks);
/* A record of the guest: applied and published; acknowledged when the output is here too. */
void tasks_exited(struct tasks *tasks, const struct exit_record *record);
void tasks_oom(struct tasks *tasks, const char *container_id);
/* The guest begins to tell anew what was not acknowledged. */
void tasks_retold(struct tasks *tasks);
/* Nothing runs, and what has ended is here with all of its output. */
bool tasks_are_quiet(const struct tasks *tasks);
/* The pod is no more. What the guest gave no record of gets 255: nobody knows. */
void tasks_all_dead(struct tasks *tasks);

/* From the image to a created process in the guest. On failure (answered) nothing stays. */
void task_create(struct tasks *tasks, const char *id, const struct bundle *bundle,
                 const struct task_io *io, struct task_answer answer);
/* Registers only. spec: OCI Process, JSON. */
int task_exec(struct task *task, const char *exec_id, const struct task_io *io, const char *spec,
              size_t spec_length, struct error *err) must_check;
void task_start(struct task *task, struct task_answer answer);
void task_kill(struct task *task, uint32_t signal, enum agent_kill_scope scope,
               struct task_answer answer);
/* The entry goes after the answer. In TASK_CREATING it is the cancel. */
void task_delete(struct task *task, struct task_answer answer);
void task_resize(struct task *task, uint32_t width, uint32_t height, struct task_answer answer);
void task_close_stdin(struct task *task);
void task_update(struct task *task, const char *resources, size_t length,
                 struct task_answer answer);
void task_pause(struct task *task, struct task_answer answer);
void task_resume(struct task *task, struct task_answer answer);
/* The sample may be a moment old; then task_sample() has it. */
void task_stats(struct task *task, struct task_answer answer);
const struct container_sample *task_sample(const struct task *task);
