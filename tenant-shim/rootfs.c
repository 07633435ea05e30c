/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "content.h"
#include "io/loop.h"
#include "link.h"
#include "oci/image.h"
#include "push.h"
#include "tree.h"

#define TREE_MEDIA_TYPE "application/vnd.oci.image.layer.v1.tar"

enum { RETRY_MS = 300, FRUITLESS_MAX = 20 };

/* What the document that is being read will be taken for. */
enum reading { READING_TARGET, READING_MANIFEST, READING_CONFIG };

struct rootfs {
    struct rootfs_options options;
    bool from_tree;    /* the layer is made of options.tree */
    struct tree *tree; /* that is being measured */
    struct digest *digest_of_tree;
    uint64_t tree_size;
    rootfs_done_fn *done;
    void *user;
    enum reading reading;
    char digest[REFERENCE_DIGEST_TEXT];
    struct content_request *request;
    char *text;
    size_t length;
    struct image_manifest manifest;
    struct image_config config;
    struct agent_layer *layers;
    const char **digests;
    struct link_listener listener;
    bool listening;
    struct rpc_channel *bulk; /* borrowed from the link */
    struct link_call *ask;
    struct push *push;
    size_t layer; /* that was sent last, and what the guest had of it */
    uint64_t received;
    unsigned fruitless; /* attempts since the guest had more */
    uint8_t trailer[IMAGE_TRAILER];
    size_t trailer_length;
    struct source *next; /* the next step, outside of whatever decided it */
    void (*step)(struct rootfs *rootfs);
    struct error why;
};

static void do_next(struct rootfs *rootfs, uint64_t delay_ms, void (*step)(struct rootfs *))
{
    rootfs->step = step;
    source_rearm(rootfs->next, delay_ms);
}

static void on_next(void *user)
{
    struct rootfs *rootfs = user;

    rootfs->step(rootfs);
}

static void tell_failure(struct rootfs *rootfs)
{
    rootfs->done(rootfs->user, NULL, 0, &rootfs->why);
}

static void fail(struct rootfs *rootfs, const struct error *err)
{
    rootfs->why = *err;
    error_wrap(&rootfs->why, "image of '%s'", rootfs->options.container_id);
    do_next(rootfs, 0, tell_failure);
}

static void tell_success(struct rootfs *rootfs)
{
    rootfs->done(rootfs->user, rootfs->layers, rootfs->manifest.layer_count, NULL);
}

/* ---- the blobs --------------------------------------------------------------------------------
 */

static void ask_states(struct rootfs *rootfs);
static void begin_tree(struct rootfs *rootfs);

/* A cut connection is no failure: the link comes back, or the caller's deadline ends it. */
static bool can_go_on(enum status status)
{
    return status == STATUS_UNAVAILABLE || status == STATUS_CANCELLED || status == STATUS_ABORTED ||
           status == STATUS_OUT_OF_RANGE;
}

/* containerd may throw away the layers that it has unpacked, and nothing else: then they still are
 * in the files of the root. An image that it does not know, a manifest or a configuration that is
 * not there, and what a guest may say are errors. */
static bool can_fall_back(const struct rootfs *rootfs)
{
    return rootfs->options.tree && rootfs->push && push_content_is_gone(rootfs->push);
}

static void on_pushed(void *user, const struct error *err)
{
    struct rootfs *rootfs = user;

    if (err && can_fall_back(rootfs)) {
        log_warn("image of '%s': %s", rootfs->options.container_id, err->message);
        do_next(rootfs, 0, begin_tree);
    } else if (err && (!can_go_on(err->status) || ++rootfs->fruitless > FRUITLESS_MAX)) {
        fail(rootfs, err);
    } else {
        do_next(rootfs, err ? RETRY_MS : 0, ask_states);
    }
}

static void push_layer(struct rootfs *rootfs)
{
    size_t i = rootfs->layer;
    const struct image_layer *layer = &rootfs->manifest.layers[i];
    struct push_options options = {
        .content = rootfs->options.content,
        .tree = rootfs->from_tree ? rootfs->options.tree : NULL,
        .loop = rootfs->options.loop,
        .bulk = rootfs->bulk,
        .blob = {.digest = layer->blob.digest,
                 .media_type = layer->blob.media_type,
                 .diff_id = rootfs->config.diff_ids[i],
                 .size = layer->blob.size,
                 .offset = rootfs->received,
                 .unpacked_size = image_unpacked_size(layer, rootfs->trailer)},
        .pad = rootfs->options.pad,
    };
    struct error err;

    log_debug("layer %zu of %zu: %s from byte %llu, unpacked %llu", i + 1,
              rootfs->manifest.layer_count, layer->blob.digest,
              (unsigned long long) rootfs->received,
              (unsigned long long) options.blob.unpacked_size);
    if (push_new(&options, on_pushed, rootfs, &rootfs->push, &err) < 0)
        on_pushed(rootfs, &err);
}

static void on_trailer_data(void *user, const uint8_t *data, size_t length)
{
    struct rootfs *rootfs = user;

    if (length > IMAGE_TRAILER - rootfs->trailer_length)
        length = IMAGE_TRAILER - rootfs->trailer_length;
    memcpy(rootfs->trailer + rootfs->trailer_length, data, length);
    rootfs->trailer_length += length;
}

static void on_trailer_end(void *user)
{
    do_next(user, 0, push_layer);
}

/* Only a hint is missing; what is wrong shows when the layer is read. */
static void on_trailer_failed(void *user, const struct error *err)
{
    do_next(user, 0, push_layer);
}

static void read_trailer(struct rootfs *rootfs)
{
    static const struct content_events events = {
        .data = on_trailer_data,
        .ended = on_trailer_end,
        .failed = on_trailer_failed,
    };
    const struct image_descriptor *blob = &rootfs->manifest.layers[rootfs->layer].blob;
    struct error ignored;

    content_request_free(take_ptr(rootfs->request));
    memset(rootfs->trailer, 0, sizeof(rootfs->trailer));
    rootfs->trailer_length = 0;
    if (blob->size < IMAGE_TRAILER ||
        content_read(rootfs->options.content, blob->digest, blob->size - IMAGE_TRAILER, &events,
                     rootfs, &rootfs->request, &ignored) < 0)
        do_next(rootfs, 0, push_layer);
}

static void next_layer(struct rootfs *rootfs, size_t i, uint64_t received)
{
    if (i != rootfs->layer || received > rootfs->received)
        rootfs->fruitless = 0;
    if (i != rootfs->layer)
        memset(rootfs->trailer, 0, sizeof(rootfs->trailer));
    rootfs->layer = i;
    rootfs->received = received;
    if (rootfs->manifest.layers[i].compression == IMAGE_GZIP && received == 0)
        read_trailer(rootfs);
    else
        push_layer(rootfs);
}

static void on_states(void *user, const struct push_state *states, size_t count,
                      const struct error *err)
{
    struct rootfs *rootfs = user;
    struct error error;

    rootfs->ask = NULL;
    if (!err && count != rootfs->manifest.layer_count) {
        error_set(&error, STATUS_INTERNAL, "guest: blobs: %zu answers to %zu questions", count,
                  rootfs->manifest.layer_count);
        err = &error;
    }
    if (err) {
        fail(rootfs, err);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (states[i].complete)
            continue;
        if (rootfs->bulk)
            next_layer(rootfs, i, states[i].received);
        return;
    }
    do_next(rootfs, 0, tell_success);
}

static void ask_states(struct rootfs *rootfs)
{
    push_free(take_ptr(rootfs->push));
    content_request_free(take_ptr(rootfs->request));
    link_cancel(take_ptr(rootfs->ask));
    if (rootfs->bulk)
        rootfs->ask = push_ask(rootfs->options.link, rootfs->digests, rootfs->manifest.layer_count,
                               on_states, rootfs);
}

static void on_link_changed(struct link_listener *listener, struct rpc_channel *control,
                            struct rpc_channel *bulk)
{
    struct rootfs *rootfs = container_of(listener, struct rootfs, listener);

    rootfs->bulk = bulk;
    push_free(take_ptr(rootfs->push));
    content_request_free(take_ptr(rootfs->request));
    link_cancel(take_ptr(rootfs->ask)); /* its time would run on without a link */
    do_next(rootfs, bulk ? 0 : LOOP_NEVER, ask_states);
}

static void begin_push(struct rootfs *rootfs)
{
    size_t count = rootfs->manifest.layer_count;

    tree_free(take_ptr(rootfs->tree));
    rootfs->layers = xnew_array(struct agent_layer, count + 1);
    rootfs->digests = xnew_array(const char *, count + 1);
    for (size_t i = 0; i < count; i++) {
        rootfs->digests[i] = rootfs->manifest.layers[i].blob.digest;
        rootfs->layers[i] = (struct agent_layer){.digest = rootfs->digests[i],
                                                 .diff_id = rootfs->config.diff_ids[i]};
    }
    if (count == 0) {
        do_next(rootfs, 0, tell_success);
        return;
    }
    rootfs->listening = true;
    link_listen(rootfs->options.link, &rootfs->listener);
}

/* ---- the documents ----------------------------------------------------------------------------
 */

static void read_document(struct rootfs *rootfs);

static int read_next(struct rootfs *rootfs, const char *digest, enum reading reading,
                     struct error *err)
{
    if (!reference_is_digest(digest))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%.100s' is no SHA-256 digest", digest);
    memmove(rootfs->digest, digest, REFERENCE_DIGEST_TEXT);
    rootfs->reading = reading;
    do_next(rootfs, 0, read_document);
    return 0;
}

static int take_document(struct rootfs *rootfs, struct error *err)
{
    struct image_descriptor picked;
    enum image_kind kind;

    if (rootfs->reading == READING_CONFIG) {
        if (image_parse_config(rootfs->text, rootfs->length, &rootfs->config, err) < 0 ||
            image_match(&rootfs->manifest, &rootfs->config, err) < 0)
            return -1;
        do_next(rootfs, 0, begin_push);
        return 0;
    }
    if (image_kind(rootfs->text, rootfs->length, &kind, err) < 0)
        return -1;
    if (kind == IMAGE_INDEX && rootfs->reading == READING_TARGET) {
        if (image_pick_platform(rootfs->text, rootfs->length, &picked, err) < 0)
            return -1;
        return read_next(rootfs, picked.digest, READING_MANIFEST, err);
    }
    if (image_parse_manifest(rootfs->text, rootfs->length, &rootfs->manifest, err) < 0)
        return -1;
    return read_next(rootfs, rootfs->manifest.config.digest, READING_CONFIG, err);
}

static int check_digest(const struct rootfs *rootfs, struct error *err)
{
    uint8_t expected[REFERENCE_DIGEST_SIZE], actual[SHA256_SIZE];

    if (reference_parse_digest(rootfs->digest, expected, err) < 0)
        return -1;
    digest_sha256(rootfs->text, rootfs->length, actual);
    if (memcmp(expected, actual, sizeof(actual)) != 0)
        return error_set(err, STATUS_DATA_LOSS, "containerd gave other bytes for %s",
                         rootfs->digest);
    return 0;
}

static void on_document_data(void *user, const uint8_t *data, size_t length)
{
    struct rootfs *rootfs = user;

    if (rootfs->length + length > IMAGE_DOCUMENT_MAX) {
        rootfs->length = IMAGE_DOCUMENT_MAX + 1; /* reported at the end */
        return;
    }
    rootfs->text = xrealloc(rootfs->text, rootfs->length + length + 1);
    memcpy(rootfs->text + rootfs->length, data, length);
    rootfs->length += length;
    rootfs->text[rootfs->length] = '\0';
}

static void on_document_end(void *user)
{
    struct rootfs *rootfs = user;
    struct error err;

    if (rootfs->length > IMAGE_DOCUMENT_MAX || rootfs->length == 0) {
        error_set(&err, STATUS_INVALID_ARGUMENT, "%s is empty or too large", rootfs->digest);
        fail(rootfs, &err);
    } else if (check_digest(rootfs, &err) < 0 || take_document(rootfs, &err) < 0) {
        fail(rootfs, &err);
    }
}

static void on_content_failed(void *user, const struct error *err)
{
    fail(user, err);
}

static void on_found(void *user, const char *digest)
{
    struct rootfs *rootfs = user;
    struct error err;

    if (read_next(rootfs, digest, READING_TARGET, &err) < 0)
        fail(rootfs, &err);
}

static const struct content_events content_events = {
    .found = on_found,
    .data = on_document_data,
    .ended = on_document_end,
    .failed = on_content_failed,
};

static void read_document(struct rootfs *rootfs)
{
    struct error err;

    content_request_free(take_ptr(rootfs->request));
    free(take_ptr(rootfs->text));
    rootfs->length = 0;
    if (content_read(rootfs->options.content, rootfs->digest, 0, &content_events, rootfs,
                     &rootfs->request, &err) < 0)
        fail(rootfs, &err);
}

/* ---- the files themselves ---------------------------------------------------------------------
 */

static void on_tree_data(void *user, const uint8_t *data, size_t length)
{
    struct rootfs *rootfs = user;

    digest_update(rootfs->digest_of_tree, data, length);
    rootfs->tree_size += length;
}

/* A tar that is not compressed: the blob's digest is the layer's, too. */
static void on_tree_end(void *user)
{
    struct rootfs *rootfs = user;
    struct image_layer *layer = xnew(struct image_layer);
    uint8_t digest[SHA256_SIZE];

    digest_value(rootfs->digest_of_tree, digest);
    reference_format_digest(digest, layer->blob.digest);
    snprintf(layer->blob.media_type, sizeof(layer->blob.media_type), "%s", TREE_MEDIA_TYPE);
    layer->blob.size = rootfs->tree_size;
    rootfs->manifest.layers = layer;
    rootfs->manifest.layer_count = 1;
    rootfs->config.diff_ids = xmemdup(layer->blob.digest, REFERENCE_DIGEST_TEXT);
    rootfs->config.diff_id_count = 1;
    log_warn("image of '%s': unverified, made of the files on this node: %s, %llu bytes",
             rootfs->options.container_id, layer->blob.digest,
             (unsigned long long) layer->blob.size);
    do_next(rootfs, 0, begin_push);
}

static void on_tree_failed(void *user, const struct error *err)
{
    fail(user, err);
}

static void begin_tree(struct rootfs *rootfs)
{
    static const struct content_events events = {
        .data = on_tree_data,
        .ended = on_tree_end,
        .failed = on_tree_failed,
    };
    struct error err;

    if (rootfs->options.needs_digests) {
        error_set(&err, STATUS_FAILED_PRECONDITION,
                  "the pod is sealed, and this node has the image's files, but not the layers "
                  "whose digests are in the manifest: so it is with CRI-O, and where containerd "
                  "has discard_unpacked_layers = true");
        fail(rootfs, &err);
        return;
    }
    push_free(take_ptr(rootfs->push));
    content_request_free(take_ptr(rootfs->request));
    if (rootfs->listening)
        link_leave(rootfs->options.link, &rootfs->listener);
    rootfs->listening = false;
    link_cancel(take_ptr(rootfs->ask));
    image_clear_manifest(&rootfs->manifest);
    image_clear_config(&rootfs->config);
    free(take_ptr(rootfs->layers));
    free(take_ptr(rootfs->digests));
    rootfs->layer = 0;
    rootfs->received = 0;
    rootfs->from_tree = true;
    rootfs->digest_of_tree = digest_new(DIGEST_SHA256);
    if (tree_read(rootfs->options.loop, rootfs->options.tree, 0, &events, rootfs, &rootfs->tree,
                  &err) < 0)
        fail(rootfs, &err);
}

static int begin(struct rootfs *rootfs, struct error *err)
{
    const struct rootfs_options *options = &rootfs->options;

    if (options->content)
        return content_image_of(options->content, options->container_id, &content_events, rootfs,
                                &rootfs->request, err);
    if (!options->tree)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "there is neither an image nor a root on this node");
    do_next(rootfs, 0, begin_tree);
    return 0;
}

int rootfs_prepare(const struct rootfs_options *options, rootfs_done_fn *done, void *user,
                   struct rootfs **ret, struct error *err)
{
    scoped(rootfs_freep) struct rootfs *rootfs = xnew(struct rootfs);

    rootfs->options = *options;
    rootfs->options.container_id = xstrdup(options->container_id);
    rootfs->options.tree = xstrdup(options->tree);
    rootfs->done = done;
    rootfs->user = user;
    rootfs->listener.changed = on_link_changed;
    if (loop_after(options->loop, LOOP_NEVER, on_next, rootfs, &rootfs->next, err) < 0 ||
        begin(rootfs, err) < 0)
        return -1;
    *ret = take_ptr(rootfs);
    return 0;
}

void rootfs_free(struct rootfs *rootfs)
{
    if (!rootfs)
        return;
    if (rootfs->listening)
        link_leave(rootfs->options.link, &rootfs->listener);
    link_cancel(rootfs->ask);
    push_free(rootfs->push);
    content_request_free(rootfs->request);
    source_free(rootfs->next);
    image_clear_manifest(&rootfs->manifest);
    image_clear_config(&rootfs->config);
    free(rootfs->layers);
    free(rootfs->digests);
    free(rootfs->text);
    tree_free(rootfs->tree);
    digest_free(rootfs->digest_of_tree);
    free((char *) rootfs->options.container_id);
    free((char *) rootfs->options.tree);
    free(rootfs);
}
