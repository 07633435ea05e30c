/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Image layers: blobs come in by digest, are hashed, unpacked once and shared read-only.
 *
 * All calls are made and all callbacks run on the loop; hashing, writing and unpacking happen on
 * one worker thread. A blob's bytes outlive the call that brought them: a transfer that broke off
 * goes on at `received`. A blob whose bytes were wrong, or that does not fit, is forgotten; so are,
 * when room is short, layers that no container uses and transfers that nobody goes on with, unless
 * somebody has asked for them just now. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct loop;
struct layer_store;
struct layer_upload;

enum {
    LAYER_WRITE_MAX = 256 * 1024, /* bytes of one write */
    LAYER_BLOBS_MAX = 1024,       /* that the store knows at a time */
};

struct layer_store_options {
    const char *directory; /* exists, ours alone */
    uint64_t reserve;      /* bytes of memory that stay free; 0: 32 MiB */
    uint64_t limit;        /* bytes that all layers may take; 0: what memory there is */
    uint64_t keep_ms;      /* how long what nobody uses is certainly kept; 0: 30 s */
};

struct layer_state {
    bool complete;     /* verified and unpacked */
    uint64_t received; /* bytes that need not be sent again */
};

struct layer_begin {
    const char *digest;  /* "sha256:<hex>", of the blob */
    const char *diff_id; /* "sha256:<hex>", of the uncompressed tar */
    const char *media_type;
    uint64_t size;          /* of the blob */
    uint64_t offset;        /* of the first byte that will come; must be layer_state.received */
    uint64_t unpacked_size; /* hint; 0 unknown */
};

/* err is NULL on success and valid during the callback only. */
typedef void layer_done_fn(void *user, const struct error *err);

int layer_store_new(struct loop *loop, const struct layer_store_options *options,
                    struct layer_store **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Ends the worker; uploads must have been freed. The layers stay on disk. */
void layer_store_free(struct layer_store *store);
static inline void layer_store_freep(struct layer_store **p)
{
    if (*p)
        layer_store_free(*p);
}
/* After each unpacking, also one that failed or whose upload was freed meanwhile. */
void layer_store_on_unpacked(struct layer_store *store, void (*fn)(void *user), void *user);
/* From here on they are in this directory of the scratch disk. Before there are any. */
void layer_store_use_disk(struct layer_store *store, const char *directory);
/* An unknown or unparsable digest is a blob of which nothing is there. */
struct layer_state layer_store_state(const struct layer_store *store, const char *digest);
/* The directory of a complete layer, borrowed; refuses one that is not there or has another
 * diff_id. */
int layer_store_path(const struct layer_store *store, const char *digest, const char *diff_id,
                     const char **ret, struct error *err) __attribute__((warn_unused_result));

/* What uses a complete layer, as a part of a container's root, keeps it here. */
void layer_store_hold(struct layer_store *store, const char *digest);
void layer_store_release(struct layer_store *store, const char *digest);
/* Bytes of memory that may be taken now, by whom else, too. */
uint64_t layer_store_memory(const struct layer_store *store);
/* Removes a tree that nobody uses, sooner or later, on the worker: it may be large. */
void layer_store_remove(struct layer_store *store, const char *path);

/* Directories of a complete layer that its tar did not describe: they must look as in the layer
 * below. Borrowed. */
const char *const *layer_store_implied(const struct layer_store *store, const char *digest,
                                       size_t *ret_count);

/* Refuses unknown media types, sizes that cannot fit ("needs N MiB, has M MiB", RESOURCE_EXHAUSTED)
 * and an offset that is not `received` (OUT_OF_RANGE, names it). A newer upload of the same blob
 * takes over: calls of the older one fail with ABORTED. Of a blob that is complete, or being
 * unpacked, any offset is accepted and bytes are ignored. */
int layer_upload_begin(struct layer_store *store, const struct layer_begin *begin,
                       struct layer_upload **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Copies the bytes. done runs when they are written: have at most a few in flight. Not called for
 * an upload that was freed meanwhile. */
void layer_upload_write(struct layer_upload *upload, const void *data, size_t length,
                        layer_done_fn *done, void *user);
/* After the last byte: checks the digest, unpacks, checks the diff_id. */
void layer_upload_finish(struct layer_upload *upload, layer_done_fn *done, void *user);
uint64_t layer_upload_received(const struct layer_upload *upload);
/* At any time; what was received stays. */
void layer_upload_free(struct layer_upload *upload);
