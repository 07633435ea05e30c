/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A file of /etc in an image's layer: a tar, plain or in gzip. What was read is used only when the
 * whole tar had the digest that the image's configuration says. */

struct error;

enum { LAYER_FILE_SIZE_MAX = 1024 * 1024 };

enum layer_file_state {
    LAYER_FILE_ABSENT, /* this layer says nothing of it */
    LAYER_FILE_THERE,
    LAYER_FILE_GONE, /* removed from what is beneath */
    LAYER_FILE_LINK, /* there, but no plain file */
};

struct layer_file {
    enum layer_file_state state;
    char *text; /* THERE; the caller frees */
};

/* name: in /etc, "passwd". */
int layer_file_find(const char *path, const char *diff_id, const char *name, struct layer_file *ret,
                    struct error *err) __attribute__((warn_unused_result));
