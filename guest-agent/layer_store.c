/* SPDX-License-Identifier: Apache-2.0 */
/* A blob is PARTIAL while bytes come in, UNPACKING from finish on, COMPLETE when its directory
 * stands. The loop owns every field but those under "worker", which belong to the job that runs;
 * jobs run in order, so a job that only waits for an earlier one is an empty job.
 *
 * A blob's bytes are in an unnamed file: nothing has to be cleaned up if the process dies. */
#include "layer_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/fd.h"
#include "layer_archive.h"
#include "layer_queue.h"
#include "layer_room.h"
#include "layer_tree.h"

enum { KEEP_MS = 30 * 1000, UNPACKED_GUESS = 3 };

#define SIZE_MAX_BLOB (1ull << 40)

enum blob_phase { BLOB_PARTIAL, BLOB_UNPACKING, BLOB_COMPLETE };

struct blob {
    struct layer_store *store;
    struct blob *next;
    unsigned refs; /* the list, each job, each upload */
    enum blob_phase phase;
    uint8_t digest[SHA256_SIZE], diff_id[SHA256_SIZE];
    uint64_t size, received;
    struct layer_upload *current; /* the upload that may write; NULL: none */
    char *path;                   /* of the directory */
    unsigned users;               /* containers */
    uint64_t asked_ms;            /* when somebody last wanted it, on the monotonic clock */
    /* worker: */
    enum layer_compression compression;
    int fd;
    struct digest *hash;
    uint64_t written;
    bool broken;
    struct error why;
    struct layer_tree tree; /* of it, the loop reads what is implied, when complete */
};

struct layer_store {
    struct layer_queue *queue;
    struct layer_room room;
    char *directory;
    uint64_t keep_ms;
    struct blob *blobs;
    size_t count;
    unsigned serial;
    void (*on_unpacked)(void *user);
    void *unpacked_user;
};

struct layer_upload {
    struct blob *blob;
    unsigned refs; /* the caller, each job */
    bool freed;
};

struct job {
    struct layer_job job;
    struct layer_upload *upload;
    layer_done_fn *done;
    void *user;
    uint8_t *data;
    size_t length;
    bool failed;
    bool broke; /* the blob is of no use any more */
    struct error err;
};

static int parse_digest(const char *text, uint8_t ret[SHA256_SIZE], struct error *err)
{
    if (!text || !text_starts(text, "sha256:") ||
        hex_decode(text + strlen("sha256:"), ret, SHA256_SIZE, err) < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%.80s' is no sha256 digest",
                         text ? text : "");
    return 0;
}

static void blob_unref(struct blob *blob)
{
    if (--blob->refs)
        return;
    closep(&blob->fd);
    if (blob->hash)
        digest_free(blob->hash);
    layer_tree_fini(&blob->tree);
    free(blob->path);
    free(blob);
}

static void upload_unref(struct layer_upload *upload)
{
    if (--upload->refs)
        return;
    blob_unref(upload->blob);
    free(upload);
}

static struct blob *blob_find(const struct layer_store *store, const uint8_t digest[SHA256_SIZE])
{
    for (struct blob *blob = store->blobs; blob; blob = blob->next)
        if (memcmp(blob->digest, digest, SHA256_SIZE) == 0)
            return blob;
    return NULL;
}

static void blob_forget(struct blob *blob)
{
    for (struct blob **p = &blob->store->blobs; *p; p = &(*p)->next)
        if (*p == blob) {
            *p = blob->next;
            blob->store->count--;
            blob_unref(blob);
            return;
        }
}

int layer_store_new(struct loop *loop, const struct layer_store_options *options,
                    struct layer_store **ret, struct error *err)
{
    scoped(layer_store_freep) struct layer_store *store = xnew(struct layer_store);

    store->directory = xstrdup(options->directory);
    store->room.limit = options->limit;
    store->keep_ms = options->keep_ms ? options->keep_ms : KEEP_MS;
    store->room.reserve = options->reserve ? options->reserve : 32ull << 20;
    if (layer_queue_new(loop, &store->queue, err) < 0)
        return -1;
    *ret = take_ptr(store);
    return 0;
}

void layer_store_free(struct layer_store *store)
{
    if (!store)
        return;
    layer_queue_free(store->queue);
    while (store->blobs)
        blob_forget(store->blobs);
    free(store->directory);
    free(store);
}

void layer_store_on_unpacked(struct layer_store *store, void (*fn)(void *user), void *user)
{
    store->on_unpacked = fn;
    store->unpacked_user = user;
}

void layer_store_use_disk(struct layer_store *store, const char *directory)
{
    free(store->directory);
    store->directory = xstrdup(directory);
    store->room.disk = store->directory;
}

static struct blob *blob_find_text(const struct layer_store *store, const char *digest)
{
    uint8_t wanted[SHA256_SIZE];
    struct error err;

    return parse_digest(digest, wanted, &err) < 0 ? NULL : blob_find(store, wanted);
}

struct layer_state layer_store_state(const struct layer_store *store, const char *digest)
{
    struct blob *blob = blob_find_text(store, digest);

    if (!blob)
        return (struct layer_state){0};
    blob->asked_ms = clock_monotonic_ms();
    return (struct layer_state){.complete = blob->phase == BLOB_COMPLETE,
                                .received = blob->received};
}

int layer_store_path(const struct layer_store *store, const char *digest, const char *diff_id,
                     const char **ret, struct error *err)
{
    const struct blob *blob = blob_find_text(store, digest);
    uint8_t wanted[SHA256_SIZE];

    if (!blob || blob->phase != BLOB_COMPLETE)
        return error_set(err, STATUS_FAILED_PRECONDITION, "layer '%.80s' is not here", digest);
    if (parse_digest(diff_id, wanted, err) < 0)
        return -1;
    if (memcmp(wanted, blob->diff_id, SHA256_SIZE) != 0)
        return error_set(err, STATUS_FAILED_PRECONDITION, "layer '%.80s' does not unpack to '%s'",
                         digest, diff_id);
    *ret = blob->path;
    return 0;
}

const char *const *layer_store_implied(const struct layer_store *store, const char *digest,
                                       size_t *ret_count)
{
    const struct blob *blob = blob_find_text(store, digest);
    bool complete = blob && blob->phase == BLOB_COMPLETE;

    *ret_count = complete ? blob->tree.implied_count : 0;
    return complete ? (const char *const *) blob->tree.implied : NULL;
}

void layer_store_hold(struct layer_store *store, const char *digest)
{
    struct blob *blob = blob_find_text(store, digest);

    if (blob)
        blob->users++;
}

void layer_store_release(struct layer_store *store, const char *digest)
{
    struct blob *blob = blob_find_text(store, digest);

    if (blob && blob->users > 0)
        blob->users--;
}

uint64_t layer_store_memory(const struct layer_store *store)
{
    return layer_room_memory(&store->room);
}

struct removal {
    struct layer_job job;
    char *path;
};

static void run_removal(struct layer_job *base)
{
    const struct removal *removal = container_of(base, struct removal, job);
    struct error err;

    if (file_remove_tree(removal->path, &err) < 0)
        log_debug("what a container left: %s", err.message);
}

static void removal_finished(struct layer_job *base)
{
    struct removal *removal = container_of(base, struct removal, job);

    free(removal->path);
    free(removal);
}

void layer_store_remove(struct layer_store *store, const char *path)
{
    struct removal *removal = xnew(struct removal);

    removal->job.run = run_removal;
    removal->job.done = removal_finished;
    removal->path = xstrdup(path);
    layer_queue_submit(store->queue, &removal->job);
}

/* Of a blob that no job is about, the worker's fields are ours. */
static bool is_idle(const struct blob *blob, uint64_t now)
{
    return blob->refs == 1 && blob->users == 0 && blob->phase != BLOB_UNPACKING &&
           now - blob->asked_ms >= blob->store->keep_ms;
}

static void blob_discard(struct blob *blob)
{
    struct error err;

    if (blob->phase == BLOB_COMPLETE && file_remove_tree(blob->path, &err) < 0)
        log_debug("a layer that nobody uses: %s", err.message);
    layer_room_give(&blob->store->room,
                    blob->phase == BLOB_COMPLETE ? blob->tree.taken : blob->written);
    blob_forget(blob);
}

/* As far as it can be made: the longest idle goes first. */
static void make_room(struct layer_store *store, uint64_t bytes, const struct blob *except)
{
    uint64_t now = clock_monotonic_ms();

    while (layer_room_left(&store->room) < bytes) {
        struct blob *oldest = NULL;

        for (struct blob *blob = store->blobs; blob; blob = blob->next) {
            if (blob != except && is_idle(blob, now) &&
                (!oldest || blob->asked_ms < oldest->asked_ms))
                oldest = blob;
        }
        if (!oldest)
            return;
        blob_discard(oldest);
    }
}

/* NULL: err says why not. */
static struct blob *blob_new(struct layer_store *store, const uint8_t digest[SHA256_SIZE],
                             struct error *err)
{
    int fd;

    if (store->count >= LAYER_BLOBS_MAX) {
        error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d layers", LAYER_BLOBS_MAX);
        return NULL;
    }
    fd = open(store->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_errno(err, errno, "make a file for a layer");
        return NULL;
    }

    struct blob *blob = xnew(struct blob);
    blob->store = store;
    blob->refs = 1;
    memcpy(blob->digest, digest, SHA256_SIZE);
    blob->fd = fd;
    blob->hash = digest_new(DIGEST_SHA256);
    blob->path = xformat("%s/%u", store->directory, store->serial++);
    blob->tree.room = &store->room;
    blob->next = store->blobs;
    store->blobs = blob;
    store->count++;
    return blob;
}

/* The peak of blob and unpacked layer together, since the blob goes as the layer comes. */
static int check_room(struct layer_store *store, const struct layer_begin *begin,
                      const struct blob *own, struct error *err)
{
    uint64_t blob = begin->size - begin->offset;
    uint64_t most = blob > begin->unpacked_size ? blob : begin->unpacked_size;

    make_room(store, begin->unpacked_size ? most : UNPACKED_GUESS * begin->size, own);

    if (layer_room_check(&store->room, most, err) < 0)
        return error_wrap(err, "layer '%s'", begin->digest);
    return 0;
}

static int blob_adopt(struct blob *blob, const struct layer_begin *begin,
                      const uint8_t diff_id[SHA256_SIZE], struct error *err)
{
    bool same = begin->size == blob->size && memcmp(diff_id, blob->diff_id, SHA256_SIZE) == 0;

    if (!same && (blob->phase != BLOB_PARTIAL || blob->received))
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "layer '%s' is here with another size or diff_id", begin->digest);
    if (blob->phase != BLOB_PARTIAL)
        return 0;
    blob->size = begin->size;
    memcpy(blob->diff_id, diff_id, SHA256_SIZE);
    if (begin->offset != blob->received)
        return error_set(err, STATUS_OUT_OF_RANGE, "layer '%s' goes on at byte %llu, not %llu",
                         begin->digest, (unsigned long long) blob->received,
                         (unsigned long long) begin->offset);
    return check_room(blob->store, begin, blob, err);
}

int layer_upload_begin(struct layer_store *store, const struct layer_begin *begin,
                       struct layer_upload **ret, struct error *err)
{
    uint8_t digest[SHA256_SIZE], diff_id[SHA256_SIZE];
    enum layer_compression compression;
    struct blob *blob;

    if (parse_digest(begin->digest, digest, err) < 0 ||
        parse_digest(begin->diff_id, diff_id, err) < 0)
        return -1;
    if (!layer_compression_of(begin->media_type, &compression))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%.128s' is no type of layer known here",
                         begin->media_type ? begin->media_type : "");
    if (!begin->size || begin->size > SIZE_MAX_BLOB || begin->offset > begin->size)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "layer '%s' has an impossible size or offset", begin->digest);
    blob = blob_find(store, digest);
    if (!blob) {
        /* Nothing is made for what cannot fit or does not start at its beginning. */
        if (begin->offset)
            return error_set(err, STATUS_OUT_OF_RANGE, "layer '%s' goes on at byte 0, not %llu",
                             begin->digest, (unsigned long long) begin->offset);
        blob = check_room(store, begin, NULL, err) < 0 ? NULL : blob_new(store, digest, err);
        if (!blob)
            return -1;
        blob->size = begin->size;
        memcpy(blob->diff_id, diff_id, SHA256_SIZE);
        blob->compression = compression;
    } else if (blob_adopt(blob, begin, diff_id, err) < 0) {
        return -1;
    }

    struct layer_upload *upload = xnew(struct layer_upload);
    upload->blob = blob;
    upload->refs = 1;
    blob->refs++;
    blob->asked_ms = clock_monotonic_ms();
    blob->current = upload;
    *ret = upload;
    return 0;
}

static void job_finished(struct layer_job *base)
{
    struct job *job = container_of(base, struct job, job);
    struct layer_upload *upload = job->upload;
    struct blob *blob = upload->blob;

    if (job->broke)
        blob_forget(blob);
    if (!upload->freed && job->done)
        job->done(job->user, job->failed ? &job->err : NULL);
    blob_unref(blob);
    upload_unref(upload);
    free(job->data);
    free(job);
}

/* The job failed with its err, and so will all that come after it. */
static void blob_break(struct blob *blob, struct job *job)
{
    job->failed = true;
    job->broke = true;
    blob->broken = true;
    blob->why = job->err;
    closep(&blob->fd);
    blob->fd = -1;
    layer_room_give(&blob->store->room, blob->written);
}

/* Refused before it was begun, or the blob broke in an earlier job. */
static bool job_is_over(struct job *job)
{
    const struct blob *blob = job->upload->blob;

    if (!job->failed && blob->broken) {
        job->failed = true;
        job->err = blob->why;
    }
    return job->failed;
}

static void run_nothing(struct layer_job *base)
{
    (void) job_is_over(container_of(base, struct job, job));
}

static int blob_write(struct blob *blob, const void *data, size_t length, struct error *err)
{
    if (layer_room_grow(&blob->store->room, blob->written, length, err) < 0)
        return -1;
    blob->written += length;
    if (fd_write_full(blob->fd, data, length, err) < 0)
        return error_wrap(err, "keep a layer");
    digest_update(blob->hash, data, length);
    return 0;
}

static void run_write(struct layer_job *base)
{
    struct job *job = container_of(base, struct job, job);
    struct blob *blob = job->upload->blob;

    if (job_is_over(job))
        return;
    if (blob_write(blob, job->data, job->length, &job->err) < 0)
        blob_break(blob, job);
}

static int check_digest(const uint8_t is[SHA256_SIZE], const uint8_t wanted[SHA256_SIZE],
                        const char *what, struct error *err)
{
    char text[2 * SHA256_SIZE + 1];

    if (memcmp(is, wanted, SHA256_SIZE) == 0)
        return 0;
    hex_encode(is, SHA256_SIZE, text);
    return error_set(err, STATUS_DATA_LOSS, "the %s is sha256:%s, which is not the one announced",
                     what, text);
}

static int blob_unpack_into(struct blob *blob, const char *directory, struct error *err)
{
    scoped(layer_archive_closep) struct layer_archive *archive = NULL;
    scoped(closep) int root = -1;
    uint8_t is[SHA256_SIZE];

    if (mkdir(directory, 0755) < 0)
        return error_errno(err, errno, "make '%s'", directory);
    root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return error_errno(err, errno, "open '%s'", directory);
    blob->tree.root = root;
    if (layer_archive_open(blob->fd, blob->compression, &archive, err) < 0 ||
        layer_tree_unpack(&blob->tree, archive, err) < 0 ||
        layer_archive_finish(archive, is, err) < 0)
        return -1;
    return check_digest(is, blob->diff_id, "uncompressed layer's digest", err);
}

static int blob_unpack(struct blob *blob, struct error *err)
{
    scoped(freep) char *temporary = xformat("%s.part", blob->path);
    uint8_t is[SHA256_SIZE];
    struct error ignored;

    digest_value(blob->hash, is);
    if (check_digest(is, blob->digest, "layer's digest", err) < 0)
        return -1;
    if (blob_unpack_into(blob, temporary, err) < 0 ||
        (rename(temporary, blob->path) < 0 && error_errno(err, errno, "keep a layer") < 0)) {
        if (file_remove_tree(temporary, &ignored) == 0)
            layer_room_give(&blob->store->room, blob->tree.taken);
        return -1;
    }
    return 0;
}

static void run_finish(struct layer_job *base)
{
    struct job *job = container_of(base, struct job, job);
    struct blob *blob = job->upload->blob;

    if (job_is_over(job))
        return;
    if (blob_unpack(blob, &job->err) < 0) {
        blob_break(blob, job);
        return;
    }
    closep(&blob->fd);
    blob->fd = -1;
    layer_room_give(&blob->store->room, blob->written);
}

static void finish_finished(struct layer_job *base)
{
    struct job *job = container_of(base, struct job, job);
    struct blob *blob = job->upload->blob;
    struct layer_store *store = blob->store;

    blob->asked_ms = clock_monotonic_ms();
    if (!job->failed)
        blob->phase = BLOB_COMPLETE;
    job_finished(base);
    if (store->on_unpacked)
        store->on_unpacked(store->unpacked_user);
}

static struct job *job_new(struct layer_upload *upload, layer_done_fn *done, void *user)
{
    struct job *job = xnew(struct job);
    struct blob *blob = upload->blob;

    job->job.run = run_nothing;
    job->job.done = job_finished;
    job->upload = upload;
    job->done = done;
    job->user = user;
    upload->refs++;
    blob->refs++;
    if (blob->phase == BLOB_PARTIAL && blob->current != upload) {
        error_set(&job->err, STATUS_ABORTED, "another transfer of this layer took over");
        job->failed = true;
    }
    return job;
}

void layer_upload_write(struct layer_upload *upload, const void *data, size_t length,
                        layer_done_fn *done, void *user)
{
    struct job *job = job_new(upload, done, user);
    struct blob *blob = upload->blob;

    if (!job->failed && blob->phase == BLOB_PARTIAL) {
        if (length > LAYER_WRITE_MAX || length > blob->size - blob->received) {
            error_set(&job->err, STATUS_INVALID_ARGUMENT, "more bytes than announced");
            job->failed = true;
        } else if (length) {
            job->data = xmemdup(data, length);
            job->length = length;
            job->job.run = run_write;
            blob->received += length;
        }
    }
    layer_queue_submit(blob->store->queue, &job->job);
}

void layer_upload_finish(struct layer_upload *upload, layer_done_fn *done, void *user)
{
    struct job *job = job_new(upload, done, user);
    struct blob *blob = upload->blob;

    if (!job->failed && blob->phase == BLOB_PARTIAL) {
        if (blob->received < blob->size) {
            error_set(&job->err, STATUS_OUT_OF_RANGE, "%llu of %llu bytes are missing",
                      (unsigned long long) (blob->size - blob->received),
                      (unsigned long long) blob->size);
            job->failed = true;
        } else {
            blob->phase = BLOB_UNPACKING;
            job->job.run = run_finish;
            job->job.done = finish_finished;
        }
    }
    layer_queue_submit(blob->store->queue, &job->job);
}

uint64_t layer_upload_received(const struct layer_upload *upload)
{
    return upload->blob->received;
}

void layer_upload_free(struct layer_upload *upload)
{
    if (!upload)
        return;
    if (upload->blob->current == upload)
        upload->blob->current = NULL;
    upload->freed = true;
    upload_unref(upload);
}
