/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Anchors: the placeholder containers that a kubelet demands of a pod. They have no process: they
 * run while the machine runs. Their output is one static line. */
#include <stdint.h>
#include "shim/task_table.h"

struct error;
struct loop;

enum { ANCHORS_MAX = 16 };

#define ANCHOR_LINE                                                                                \
    "This container is an anchor: the pod's workload runs in a confidential machine. Its logs "    \
    "are "                                                                                         \
    "on the tenant node (kubectl cleave logs).\n"

enum anchor_signal { ANCHOR_IGNORE, ANCHOR_POWER, ANCHOR_DESTROY };

struct anchors {
    struct loop *loop;
    struct task_table table;
};

struct anchor_options {
    const char *id;
    const char *bundle;
    const char *stdin_path, *stdout_path, *stderr_path;
    bool terminal;
};

int anchor_create(struct anchors *anchors, const struct anchor_options *options,
                  struct task_entry **ret, struct error *err) __attribute__((warn_unused_result));
int anchor_start(struct anchors *anchors, struct task_entry *anchor, struct error *err)
    __attribute__((warn_unused_result));
void anchor_delete(struct anchors *anchors, struct task_entry *anchor);
/* Every anchor that is not stopped yet ends with the machine. */
void anchors_exited(struct anchors *anchors, uint32_t exit_status, int64_t exited_at_ns);
void anchors_clear(struct anchors *anchors);
/* What a signal means: 9 destroys, what would end an ordinary process presses the power button,
 * what such a process would ignore (and 0) does nothing. */
enum anchor_signal anchor_signal(uint32_t signal);
