/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What containerd is told about tasks, in the order in which it happens. */
#include "shim/publisher.h"
#include "shim/task_table.h"

void events_create(struct publisher *publisher, const struct task_entry *task);
void events_start(struct publisher *publisher, const struct task_entry *entry); /* or an exec's */
void events_exit(struct publisher *publisher, const struct task_entry *entry);
void events_delete(struct publisher *publisher, const struct task_entry *task);
void events_exec_added(struct publisher *publisher, const struct task_entry *exec);
void events_oom(struct publisher *publisher, const struct task_entry *task);
void events_paused(struct publisher *publisher, const struct task_entry *task);
void events_resumed(struct publisher *publisher, const struct task_entry *task);
