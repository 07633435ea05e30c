/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The files that this node has for a container's root, as one tar: for a node whose images are not
 * in a content store (CRI-O), or whose content store has thrown the layers away. Nothing vouches
 * for these bytes but this node: they are *unverified*, no digest of the image covers them.
 *
 * A short-lived process of this same program walks the tree and writes the tar, so that a slow disk
 * never holds up a call, and so that what must be mounted is mounted in a namespace that ends with
 * it. The same tree gives the same bytes: a transfer that broke off goes on in a second walk. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/scoped.h"

struct content_events;
struct error;
struct loop;
struct tree;

/* What mount(2) is asked for. */
struct tree_mount {
    const char *type, *source;
    char **options;
    size_t option_count;
};

enum { TREE_MOUNTS_MAX = 16, TREE_OPTIONS_MAX = 1024 };

/* Where a tree stands, as the text that tree_read() takes: a directory, or (mounts not NULL) what
 * becomes one when it is mounted, read-only. The caller frees. */
char *tree_of_directory(const char *path);
int tree_of_mounts(const struct tree_mount *mounts, size_t count, char **ret,
                   struct error *err) must_check;

/* From offset to the end: data..., then ended or failed, as content_read() does. */
int tree_read(struct loop *loop, const char *where, uint64_t offset,
              const struct content_events *events, void *user, struct tree **ret,
              struct error *err) must_check;
void tree_pause(struct tree *tree);
void tree_resume(struct tree *tree);
void tree_free(struct tree *tree);
SCOPED_PTR(struct tree, tree_free)

/* The walker itself: /proc/self/exe as "cleave-tree walk", `where` on stdin, the tar on stdout. */
bool tree_is_walker(int argc, char *argv[]);
int tree_main(void);
/* Writes the tar of a directory: what the walker does once all is mounted. */
int tree_write(int root, int to, struct error *err) must_check;
