/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What of the node is to be shared, as it is there: in the mount namespace that the caller is in.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"

struct error;
struct export;

struct source {
    int fd; /* O_PATH */
    bool is_directory;
    uint64_t device;
    uint64_t inode;
    uint8_t mounts[SHA256_SIZE]; /* of the list of mounts at and below it */
};

/* A directory or a regular file, and not of a view of the node's kernel. */
int source_open(const char *path, struct source *ret, struct error *err);
void source_close(struct source *source);
/* To compare it with another one later. proc: O_PATH of /proc. */
int source_identify(struct source *source, int proc, struct error *err);
/* Would one who has the one see the same as by the other? */
bool source_is_same(const struct source *a, const struct source *b);
/* A detached copy of the tree of mounts there. It is to be attached: before that it would not see a
 * mount that the node makes later, slave or not. */
int source_clone(const struct source *source, const struct export *export, int *ret,
                 struct error *err);
