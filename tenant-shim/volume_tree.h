/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The content of a volume of this node, in memory: small files that somebody may have called
 * secret, so it is wiped when it goes, and no word of it is in an error. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/scoped.h"

struct error;

enum {
    VOLUME_TREE_BYTES_MAX = 4 * 1024 * 1024,
    VOLUME_TREE_FILE_MAX = 1024 * 1024, /* Kubernetes allows no larger one */
    VOLUME_TREE_FILES_MAX = 4096,
};

enum volume_type { VOLUME_DIRECTORY, VOLUME_FILE, VOLUME_LINK };

struct volume_file {
    char *path; /* "": the directory that all is in */
    enum volume_type type;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    char *data; /* content, or a link's target */
    size_t length;
};

struct volume_tree {
    char *version; /* of a live volume: where its "..data" points to; else "" */
    mode_t mode;   /* of the volume's directory, with the two below */
    uid_t uid;
    gid_t gid;
    struct volume_file *files; /* parents first */
    size_t count, bytes;
};

/* What "..data" points to, all of one version. */
int volume_tree_read_live(const char *directory, struct volume_tree **ret,
                          struct error *err) must_check;
/* A directory, or a file, which becomes the one member "file". */
int volume_tree_read_once(const char *path, struct volume_tree **ret, struct error *err) must_check;
void volume_tree_free(struct volume_tree *tree);
SCOPED_PTR(struct volume_tree, volume_tree_free)
/* Where "..data" of a live volume points to now; NULL if nowhere. The caller frees. */
char *volume_tree_version(const char *directory);
