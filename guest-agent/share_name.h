/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the tenant's node shares with the pod is found by names, each a directory or a file. */

struct error;

enum {
    SHARE_NAME_MAX = 63,
    SHARE_NAMES_MAX = 64, /* of one container */
};

struct share_name {
    char text[SHARE_NAME_MAX + 1];
    int fd; /* once it was opened: O_PATH, a directory or a regular file; else -1 */
};

/* Letters, digits, '-', '_' and '.', and nothing special about it. */
int share_name_set(struct share_name *name, const char *text, struct error *err)
    __attribute__((warn_unused_result));
