/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Images in OCI image layouts (directories with oci-layout and blobs/sha256/...). Nothing is used
 * whose bytes do not have the digest by which it was named. */
#include "oci/image.h"
#include "oci/image_process.h"

struct error;

enum { LAYOUT_DIRECTORIES_MAX = 64 };

struct layouts {
    const char *directories[LAYOUT_DIRECTORIES_MAX]; /* borrowed */
    size_t count;
};

struct layout_image {
    char config_digest[REFERENCE_DIGEST_TEXT];
    struct image_manifest manifest;
    struct image_config config;
    struct image_process process;
};

/* A directory that is no layout is an error. */
int layouts_add(struct layouts *layouts, const char *directory, struct error *err)
    __attribute__((warn_unused_result));
/* "name@sha256:...": of an index, whose manifest for linux/amd64 it is then, or of a manifest. */
int layout_find(const struct layouts *layouts, const char *reference, struct layout_image *ret,
                struct error *err) __attribute__((warn_unused_result));
void layout_image_clear(struct layout_image *image);
/* Reads layers, from the highest down to the one that has the file. NULL: the image has none. The
 * caller frees. */
int layout_read_passwd(const struct layouts *layouts, const struct layout_image *image, char **ret,
                       struct error *err) __attribute__((warn_unused_result));
