/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A guest with containers to exec in, for the tests of cleave-exec. */
#include "bed.h"

struct exec_bed {
    struct bed bed;
    pid_t agent;
    unsigned serial, steps;
};

struct exec_bed_process {
    const char *container, *id, *json;
    bool terminal;
};

/* Pid 1 of that guest, from outside. */
pid_t exec_bed_find_agent(const struct bed *bed);
void exec_bed_open(struct exec_bed *guest);
/* The program's exit code. */
int exec_bed_close(struct exec_bed *guest);
void exec_bed_step(struct exec_bed *guest, const char *name);
/* A container that sleeps; members: of the spec's `linux`. */
void exec_bed_create(struct exec_bed *guest, const char *id, const char *members);
/* Created and started. */
void exec_bed_run(struct exec_bed *guest, const char *id, const char *members);
/* It is killed and deleted. */
void exec_bed_remove(struct exec_bed *guest, const char *id);
void exec_bed_request(const struct exec_bed_process *process, Agent__ExecRequest *ret);
enum status exec_bed_exec(struct exec_bed *guest, const struct exec_bed_process *process,
                          char *sentence);
/* Its exit status, once it has one; then it is deleted. */
unsigned exec_bed_end(struct exec_bed *guest, const char *container, const char *id);
/* A path of the guest's, from outside; the caller frees. */
char *exec_bed_path(const struct exec_bed *guest, const char *path);
