/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"

#define OCI    "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."

enum { DEFLATE_RATIO_MAX = 1032 };

static const char os[] = "linux", architecture[] = "amd64";

static const char *const index_types[] = {OCI "index.v1+json",
                                          DOCKER "distribution.manifest.list.v2+json", NULL};
static const char *const manifest_types[] = {OCI "manifest.v1+json",
                                             DOCKER "distribution.manifest.v2+json", NULL};
static const char *const config_types[] = {OCI "config.v1+json", DOCKER "container.image.v1+json",
                                           NULL};

static const struct {
    const char *media_type;
    enum image_compression compression;
} layer_types[] = {
    {OCI "layer.v1.tar", IMAGE_PLAIN},
    {OCI "layer.v1.tar+gzip", IMAGE_GZIP},
    {OCI "layer.v1.tar+zstd", IMAGE_ZSTD},
    {DOCKER "image.rootfs.diff.tar", IMAGE_PLAIN},
    {DOCKER "image.rootfs.diff.tar.gzip", IMAGE_GZIP},
    {DOCKER "image.rootfs.diff.tar.zstd", IMAGE_ZSTD},
};

static bool one_of(const char *const *types, const char *type)
{
    for (; *types; types++)
        if (text_equal(*types, type))
            return true;
    return false;
}

static int parse_document(const char *text, size_t length, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *root = NULL;

    if (length > IMAGE_DOCUMENT_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "document of %zu bytes, limit %d", length,
                         IMAGE_DOCUMENT_MAX);
    if (js_parse(text, length, &root, err) < 0)
        return -1;
    if (js_type(root) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "not an object");
    *ret = take_ptr(root);
    return 0;
}

static int parse_descriptor(const struct js *node, struct image_descriptor *ret, struct error *err)
{
    struct image_descriptor descriptor;
    const char *media_type, *digest;
    int64_t size;

    if (js_need_string(node, "mediaType", &media_type, err) < 0 ||
        js_need_string(node, "digest", &digest, err) < 0 ||
        js_need_integer(node, "size", 0, INT64_MAX, &size, err) < 0 ||
        text_format(descriptor.media_type, sizeof descriptor.media_type, err, "%s", media_type) < 0)
        return -1;
    if (!reference_is_digest(digest))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%.80s' is not a digest", digest);
    memcpy(descriptor.digest, digest, sizeof descriptor.digest);
    descriptor.size = (uint64_t) size;
    *ret = descriptor;
    return 0;
}

static int kind_of(const struct js *root, enum image_kind *ret, struct error *err)
{
    const char *type = js_get_string(root, "mediaType");
    bool manifests = js_type(js_get(root, "manifests")) == JS_ARRAY;
    bool layers = js_type(js_get(root, "layers")) == JS_ARRAY;

    /* A document that can be read as both is how two readers are made to disagree. */
    if (js_get_integer(root, "schemaVersion", 0) != 2 || manifests == layers ||
        (type && !one_of(manifests ? index_types : manifest_types, type)))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "neither an image index nor a manifest%s%.*s", type ? ": " : "",
                         IMAGE_MEDIA_TYPE_MAX, type ? type : "");
    *ret = manifests ? IMAGE_INDEX : IMAGE_MANIFEST;
    return 0;
}

static int parse_kind(const char *text, size_t length, enum image_kind kind, struct js **ret,
                      struct error *err)
{
    scoped(js_freep) struct js *root = NULL;
    enum image_kind found = IMAGE_INDEX;

    if (parse_document(text, length, &root, err) < 0 || kind_of(root, &found, err) < 0)
        return -1;
    if (found != kind)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the document is no image %s",
                         kind == IMAGE_INDEX ? "index" : "manifest");
    *ret = take_ptr(root);
    return 0;
}

int image_kind(const char *text, size_t length, enum image_kind *ret, struct error *err)
{
    scoped(js_freep) struct js *root = NULL;

    if (parse_document(text, length, &root, err) < 0)
        return -1;
    return kind_of(root, ret, err);
}

static bool is_our_platform(const struct js *platform)
{
    return text_equal(js_get_string(platform, "os"), os) &&
           text_equal(js_get_string(platform, "architecture"), architecture);
}

enum platform_match { PLATFORM_OURS, PLATFORM_UNSAID };

static const struct js *find_manifest(const struct js *manifests, enum platform_match match)
{
    for (size_t i = 0; i < js_length(manifests); i++) {
        const struct js *entry = js_at(manifests, i), *platform = js_get(entry, "platform");

        if (one_of(manifest_types, js_get_string(entry, "mediaType")) &&
            (match == PLATFORM_UNSAID ? !platform : is_our_platform(platform)))
            return entry;
    }
    return NULL;
}

int image_pick_platform(const char *text, size_t length, struct image_descriptor *ret,
                        struct error *err)
{
    scoped(js_freep) struct js *root = NULL;
    const struct js *manifests, *entry;

    if (parse_kind(text, length, IMAGE_INDEX, &root, err) < 0)
        return error_wrap(err, "image index");
    manifests = js_get(root, "manifests");
    entry = find_manifest(manifests, PLATFORM_OURS);
    if (!entry)
        entry = find_manifest(manifests, PLATFORM_UNSAID); /* the config will say */
    if (!entry)
        return error_set(err, STATUS_NOT_FOUND, "image index: no manifest for %s/%s", os,
                         architecture);
    if (parse_descriptor(entry, ret, err) < 0)
        return error_wrap(err, "image index: the manifest for %s/%s", os, architecture);
    return 0;
}

static int parse_layer(const struct js *node, struct image_layer *ret, struct error *err)
{
    if (parse_descriptor(node, &ret->blob, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LENGTH(layer_types); i++)
        if (text_equal(layer_types[i].media_type, ret->blob.media_type)) {
            ret->compression = layer_types[i].compression;
            return 0;
        }
    return error_set(err, STATUS_UNIMPLEMENTED, "layers of type '%s' are not supported",
                     ret->blob.media_type);
}

int image_parse_manifest(const char *text, size_t length, struct image_manifest *ret,
                         struct error *err)
{
    scoped(js_freep) struct js *root = NULL;
    scoped(image_clear_manifest) struct image_manifest manifest = {0};
    const struct js *layers;
    size_t count;

    if (parse_kind(text, length, IMAGE_MANIFEST, &root, err) < 0 ||
        parse_descriptor(js_get(root, "config"), &manifest.config, err) < 0)
        return error_wrap(err, "image manifest");
    if (!one_of(config_types, manifest.config.media_type))
        return error_set(err, STATUS_UNIMPLEMENTED, "'%s' is no container image",
                         manifest.config.media_type);
    layers = js_get(root, "layers");
    count = js_length(layers);
    if (count > IMAGE_LAYERS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "image of %zu layers, limit %d", count,
                         IMAGE_LAYERS_MAX);
    manifest.layers = xnew_array(struct image_layer, count);
    for (size_t i = 0; i < count; i++)
        if (parse_layer(js_at(layers, i), &manifest.layers[i], err) < 0)
            return error_wrap(err, "image manifest: layer %zu", i);
    manifest.layer_count = count;
    *ret = manifest;
    manifest.layers = NULL;
    return 0;
}

uint64_t image_unpacked_size(const struct image_layer *layer, const uint8_t trailer[IMAGE_TRAILER])
{
    uint64_t length = trailer[0] | (uint64_t) trailer[1] << 8 | (uint64_t) trailer[2] << 16 |
                      (uint64_t) trailer[3] << 24;

    if (layer->compression == IMAGE_PLAIN)
        return layer->blob.size;
    if (layer->compression != IMAGE_GZIP || length < layer->blob.size ||
        length / DEFLATE_RATIO_MAX > layer->blob.size)
        return 0;
    return length;
}

void image_clear_manifest(struct image_manifest *manifest)
{
    free(manifest->layers);
    *manifest = (struct image_manifest){0};
}

int image_parse_config(const char *text, size_t length, struct image_config *ret, struct error *err)
{
    scoped(js_freep) struct js *root = NULL;
    scoped(image_clear_config) struct image_config config = {0};
    const struct js *diff_ids;

    if (parse_document(text, length, &root, err) < 0)
        return error_wrap(err, "image config");
    if (!is_our_platform(root))
        return error_set(err, STATUS_FAILED_PRECONDITION, "the image is not for %s/%s", os,
                         architecture);
    diff_ids = js_path(root, "rootfs", "diff_ids");
    if (js_type(diff_ids) != JS_ARRAY)
        return error_set(err, STATUS_INVALID_ARGUMENT, "image config: no rootfs.diff_ids");
    if (js_length(diff_ids) > IMAGE_LAYERS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "image of %zu layers, limit %d",
                         js_length(diff_ids), IMAGE_LAYERS_MAX);
    config.diff_id_count = js_length(diff_ids);
    config.diff_ids = xalloc(config.diff_id_count * sizeof *config.diff_ids);
    for (size_t i = 0; i < config.diff_id_count; i++) {
        const char *digest = js_string(js_at(diff_ids, i));

        if (!reference_is_digest(digest))
            return error_set(err, STATUS_INVALID_ARGUMENT, "image config: diff_id %zu", i);
        memcpy(config.diff_ids[i], digest, REFERENCE_DIGEST_TEXT);
    }
    *ret = config;
    config.diff_ids = NULL;
    return 0;
}

void image_clear_config(struct image_config *config)
{
    free(config->diff_ids);
    *config = (struct image_config){0};
}

int image_match(const struct image_manifest *manifest, const struct image_config *config,
                struct error *err)
{
    if (manifest->layer_count != config->diff_id_count)
        return error_set(err, STATUS_INVALID_ARGUMENT, "image of %zu layers has %zu diff_ids",
                         manifest->layer_count, config->diff_id_count);
    return 0;
}
