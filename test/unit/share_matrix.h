/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What programs do with files. Each case runs in a directory of its own; what every call said is
 * written down, so that two places can be compared. */
#include <stddef.h>

struct share_case {
    const char *name;
    void (*run)(void);
};

/* The same everywhere. */
extern const struct share_case share_matrix[], share_edges[];
extern const size_t share_matrix_length, share_edges_length;

struct share_difference {
    struct share_case one;
    const char *row;     /* of the table in docs/volumes.md */
    const long *answers; /* of the share */
    size_t count;
};

extern const struct share_difference share_differences[];
extern const size_t share_differences_length;

char *share_case_run(const struct share_case *one, const char *place);
