/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* From an OCI Process to the block that cleave-exec reads. */
#include <stddef.h>

#include "console.h"

struct error;
struct js;

struct exec_block_options {
    const struct js *process;  /* confined */
    const struct js *defaults; /* exec_block_defaults() of the container's spec */
    const char *filter_path;   /* where the runtime left the container's seccomp program */
    unsigned cgroup_version;
    size_t cgroup_count;
    struct console_size size; /* 0: what the process says */
};

/* What an exec takes from its container: the filter's flags, the personality, and the environment
 * and capabilities if it has none of its own. The caller frees. */
struct js *exec_block_defaults(const struct js *spec);
/* A memory file. What is wrong with the process is INVALID_ARGUMENT. */
int exec_block_make(const struct exec_block_options *options, int *ret_fd, struct error *err)
    __attribute__((warn_unused_result));
