/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Answers of the Task API out of an entry. */
#include "shim/task_table.h"

struct container_sample;
struct wire;

void codec_reply_create(struct call *call, const struct task_entry *entry);
void codec_reply_start(struct call *call, const struct task_entry *entry);
void codec_reply_delete(struct call *call, const struct task_entry *entry);
void codec_reply_wait(struct call *call, const struct task_entry *entry);
void codec_reply_state(struct call *call, const struct task_entry *entry);
/* The answer's bytes: a StateResponse. */
void codec_state(const struct task_entry *entry, struct wire *wire);
/* The task's own id first, then those of its execs that run. */
void codec_reply_pids(struct call *call, const struct task_entry *entry);
void codec_reply_stats(struct call *call, const struct container_sample *sample);
