/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Latencies of one block, and what becomes of them: a line of JSON. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct samples {
    uint64_t *ns;
    size_t count, room;
};

void samples_init(struct samples *samples, size_t room);
void samples_fini(struct samples *samples);
void samples_add(struct samples *samples, uint64_t ns);
/* Sorts. 0 if there are none. */
uint64_t samples_quantile(struct samples *samples, double quantile);
/* `"count":...,"p50_ns":...` without braces, to stdout. */
void samples_print(struct samples *samples);

/* CPU time of all threads of a process, by the scheduler's own account. */
uint64_t cpu_ns_of(pid_t pid);
