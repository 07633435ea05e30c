/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What programs do with files. Each case runs in a directory of its own; what every call said is
 * written down, so that two places can be compared. */
#include <stdbool.h>
#include <stddef.h>

struct share_case {
    const char *name;
    void (*run)(void);
    bool different; /* a share is meant to say something else than a local directory */
};

extern const struct share_case share_matrix[];
extern const size_t share_matrix_length;

char *share_case_run(const struct share_case *one, const char *place);

int share_put(const char *name, const char *text); /* 0, or -1 and errno */
long share_first_bytes(const char *name);          /* as a number, or a negative errno */
