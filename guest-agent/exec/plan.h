/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The block, taken apart: pointers into the mapping, which lasts until the exec. */
#include <linux/filter.h>
#include <stdbool.h>

#include "block.h"

struct plan {
    const struct block_header *header;
    size_t size; /* of the mapping, at whose start the header is */
    const struct block_rlimit *rlimits;
    const struct sock_filter *filter;
    const uint32_t *groups;
    char *cwd;
    char **arguments;   /* NULL-terminated */
    char **environment; /* NULL-terminated, with room for one more */
};

/* Maps the memory file and closes it. What is not a block ends this process. */
void plan_open(struct plan *plan, int fd);
/* For whoever does not exec. */
void plan_close(struct plan *plan);
/* NULL: not set. */
const char *plan_getenv(const struct plan *plan, const char *name);
