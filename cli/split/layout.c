/* SPDX-License-Identifier: Apache-2.0 */
#include "layout.h"

#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "layer_file.h"

enum { MARK_SIZE_MAX = 4096 };

struct blob {
    char *text;
    size_t length;
};

static void clear_blob(struct blob *blob)
{
    free(blob->text);
}

int layouts_add(struct layouts *layouts, const char *directory, struct error *err)
{
    scoped(freep) char *path = xformat("%s/oci-layout", directory), *text = NULL;
    scoped(js_freep) struct js *mark = NULL;
    size_t length;

    if (layouts->count == LAYOUT_DIRECTORIES_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d layouts",
                         LAYOUT_DIRECTORIES_MAX);
    if (file_read(path, MARK_SIZE_MAX, &text, &length, err) < 0 ||
        js_parse(text, length, &mark, err) < 0)
        return error_wrap(err, "'%s' is no OCI image layout", directory);
    if (!text_equal(js_get_string(mark, "imageLayoutVersion"), "1.0.0"))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "'%s' is an OCI image layout of another version than 1.0.0", directory);
    layouts->directories[layouts->count++] = directory;
    return 0;
}

/* What is in the way of a blob: which of the layouts has it and what it was. */
static int check(const struct blob *blob, const char *digest, const char *path, struct error *err)
{
    uint8_t value[SHA256_SIZE];
    char text[REFERENCE_DIGEST_TEXT];

    digest_sha256(blob->text, blob->length, value);
    reference_format_digest(value, text);
    if (text_equal(text, digest))
        return 0;
    return error_set(err, STATUS_DATA_LOSS, "'%s' has the digest %s: the layout is damaged", path,
                     text);
}

/* NULL and an error: no layout has it. The caller frees. */
static char *find_path(const struct layouts *layouts, const char *digest, struct error *err)
{
    for (size_t i = 0; i < layouts->count; i++) {
        scoped(freep) char *path = xformat("%s/blobs/sha256/%s", layouts->directories[i],
                                           reference_digits(digest));

        if (file_exists(path))
            return take_ptr(path);
    }
    (void) error_set(
        err, STATUS_NOT_FOUND,
        "%s is in no layout (`skopeo copy --all docker://IMAGE oci:DIR`, or `ctr image "
        "export` and tar, makes one; then --layout DIR)",
        digest);
    return NULL;
}

static int read_blob(const struct layouts *layouts, const char *digest, struct blob *ret,
                     struct error *err)
{
    scoped(freep) char *path = find_path(layouts, digest, err);
    scoped(clear_blob) struct blob blob = {0};

    if (!path || file_read(path, IMAGE_DOCUMENT_MAX, &blob.text, &blob.length, err) < 0 ||
        check(&blob, digest, path, err) < 0)
        return -1;
    *ret = blob;
    blob.text = NULL;
    return 0;
}

static int read_described(const struct layouts *layouts, const struct image_descriptor *descriptor,
                          struct blob *ret, struct error *err)
{
    scoped(clear_blob) struct blob blob = {0};

    if (read_blob(layouts, descriptor->digest, &blob, err) < 0)
        return -1;
    if (blob.length != descriptor->size)
        return error_set(err, STATUS_DATA_LOSS, "%s has %zu bytes", descriptor->digest,
                         blob.length);
    *ret = blob;
    blob.text = NULL;
    return 0;
}

static int find_manifest(const struct layouts *layouts, const char *digest,
                         struct image_manifest *ret, struct error *err)
{
    scoped(clear_blob) struct blob blob = {0}, picked = {0};
    struct image_descriptor descriptor;
    enum image_kind kind;

    if (read_blob(layouts, digest, &blob, err) < 0 ||
        image_kind(blob.text, blob.length, &kind, err) < 0)
        return -1;
    if (kind == IMAGE_MANIFEST)
        return image_parse_manifest(blob.text, blob.length, ret, err);
    if (image_pick_platform(blob.text, blob.length, &descriptor, err) < 0 ||
        read_described(layouts, &descriptor, &picked, err) < 0)
        return -1;
    return image_parse_manifest(picked.text, picked.length, ret, err);
}

static int find_image(const struct layouts *layouts, const char *digest, struct layout_image *ret,
                      struct error *err)
{
    scoped(layout_image_clear) struct layout_image image = {0};
    scoped(clear_blob) struct blob blob = {0};

    if (find_manifest(layouts, digest, &image.manifest, err) < 0 ||
        read_described(layouts, &image.manifest.config, &blob, err) < 0 ||
        image_parse_config(blob.text, blob.length, &image.config, err) < 0 ||
        image_match(&image.manifest, &image.config, err) < 0 ||
        image_process_parse(blob.text, blob.length, &image.process, err) < 0)
        return -1;
    memcpy(image.config_digest, image.manifest.config.digest, sizeof(image.config_digest));
    *ret = image;
    image.manifest.layers = NULL;
    image.config.diff_ids = NULL;
    image.process.root = NULL;
    return 0;
}

int layout_find(const struct layouts *layouts, const char *reference, struct layout_image *ret,
                struct error *err)
{
    const char *at = strrchr(reference, '@');

    if (!at || at == reference)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the image '%.128s' is not pinned: a tag can come to mean another image; "
                         "write NAME@sha256:... (`skopeo inspect --format '{{.Digest}}' "
                         "docker://NAME:TAG` says it)",
                         reference);
    if (!reference_is_digest(at + 1))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the image '%.256s': what is behind the '@' is no digest (sha256: and 64 "
                         "lower-case hexadecimal digits)",
                         reference);
    if (find_image(layouts, at + 1, ret, err) < 0)
        return error_wrap(err, "the image '%.128s'", reference);
    return 0;
}

void layout_image_clear(struct layout_image *image)
{
    image_clear_manifest(&image->manifest);
    image_clear_config(&image->config);
    image_process_clear(&image->process);
}

static int read_layer(const struct layouts *layouts, const struct layout_image *image, size_t index,
                      struct layer_file *ret, struct error *err)
{
    const struct image_layer *layer = &image->manifest.layers[index];
    scoped(freep) char *path = NULL;

    if (layer->compression == IMAGE_ZSTD)
        return error_set(err, STATUS_UNIMPLEMENTED, "its layers are compressed with zstd");
    path = find_path(layouts, layer->blob.digest, err);
    if (!path || layer_file_find(path, image->config.diff_ids[index], "passwd", ret, err) < 0)
        return -1;
    if (ret->state == LAYER_FILE_LINK)
        return error_set(err, STATUS_FAILED_PRECONDITION, "it is a link");
    return 0;
}

int layout_read_passwd(const struct layouts *layouts, const struct layout_image *image, char **ret,
                       struct error *err)
{
    struct layer_file file = {.state = LAYER_FILE_ABSENT};

    for (size_t i = image->manifest.layer_count; i > 0 && file.state == LAYER_FILE_ABSENT; i--) {
        if (read_layer(layouts, image, i - 1, &file, err) < 0)
            return error_wrap(err, "the image's /etc/passwd");
    }
    *ret = file.text;
    return 0;
}
