/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* OCI images and Docker's schema 2: index, manifest, config. Bytes in, facts out; the caller has
 * checked the digest of the bytes. Anything unknown is refused, never guessed. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oci/reference.h"

enum { IMAGE_DOCUMENT_MAX = 4 * 1024 * 1024, IMAGE_LAYERS_MAX = 256, IMAGE_MEDIA_TYPE_MAX = 128 };

enum image_kind { IMAGE_INDEX, IMAGE_MANIFEST };

enum image_compression { IMAGE_PLAIN, IMAGE_GZIP, IMAGE_ZSTD };

struct image_descriptor {
    char media_type[IMAGE_MEDIA_TYPE_MAX];
    char digest[REFERENCE_DIGEST_TEXT];
    uint64_t size;
};

struct image_layer {
    struct image_descriptor blob;
    enum image_compression compression;
};

struct image_manifest {
    struct image_descriptor config;
    struct image_layer *layers; /* the lowest first */
    size_t layer_count;
};

struct image_config {
    char (*diff_ids)[REFERENCE_DIGEST_TEXT]; /* of the uncompressed layers, the lowest first */
    size_t diff_id_count;
};

/* Which of the two the document is: by its mediaType, or by its members where it has none. */
int image_kind(const char *text, size_t length, enum image_kind *ret, struct error *err)
    __attribute__((warn_unused_result));
/* The manifest for linux/amd64 (first match; attestation manifests are skipped), else the first
 * that says no platform: its config does, and is judged then. */
int image_pick_platform(const char *text, size_t length, struct image_descriptor *ret,
                        struct error *err) __attribute__((warn_unused_result));
int image_parse_manifest(const char *text, size_t length, struct image_manifest *ret,
                         struct error *err) __attribute__((warn_unused_result));
enum { IMAGE_TRAILER = 4 }; /* bytes at the end of a blob */
/* A hint: what the layer takes when unpacked, 0 if nobody can say. A gzip file ends with its
 * length, modulo 4 GiB and of its last part only: what cannot be true is 0. */
uint64_t image_unpacked_size(const struct image_layer *layer, const uint8_t trailer[IMAGE_TRAILER]);
void image_clear_manifest(struct image_manifest *manifest);
/* Refuses another platform than linux/amd64. */
int image_parse_config(const char *text, size_t length, struct image_config *ret, struct error *err)
    __attribute__((warn_unused_result));
void image_clear_config(struct image_config *config);
/* One diff_id for each layer, or it is an error. */
int image_match(const struct image_manifest *manifest, const struct image_config *config,
                struct error *err) __attribute__((warn_unused_result));
