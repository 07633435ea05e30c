/* SPDX-License-Identifier: Apache-2.0 */
#include "layer_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"

/* Two readers in a row: `raw` takes off the compression and nothing else, so that the digest over
 * the uncompressed bytes is ours; `tar` reads what comes out of it. */
enum { BLOCK = 64 * 1024, PUNCH = 1024 * 1024 };

struct layer_archive {
    int fd;
    off_t position; /* of the next read from the blob */
    off_t punched;  /* bytes before this are given back */
    enum layer_compression compression;
    struct archive *raw;
    struct archive *tar;
    struct archive_entry *entry; /* borrowed from tar */
    struct digest *digest;
    uint64_t entries;
    uint8_t input[BLOCK];
    uint8_t output[BLOCK];
};

bool layer_compression_of(const char *media_type, enum layer_compression *ret)
{
    static const struct {
        const char *media_type;
        enum layer_compression compression;
    } types[] = {
        {"application/vnd.oci.image.layer.v1.tar", LAYER_PLAIN},
        {"application/vnd.oci.image.layer.v1.tar+gzip", LAYER_GZIP},
        {"application/vnd.oci.image.layer.v1.tar+zstd", LAYER_ZSTD},
        {"application/vnd.oci.image.layer.nondistributable.v1.tar", LAYER_PLAIN},
        {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", LAYER_GZIP},
        {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", LAYER_ZSTD},
        {"application/vnd.docker.image.rootfs.diff.tar", LAYER_PLAIN},
        {"application/vnd.docker.image.rootfs.diff.tar.gzip", LAYER_GZIP},
        {"application/vnd.docker.image.rootfs.diff.tar.zstd", LAYER_ZSTD},
        {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", LAYER_GZIP},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        if (text_equal(types[i].media_type, media_type)) {
            *ret = types[i].compression;
            return true;
        }
    return false;
}

static int archive_fail(struct archive *archive, struct error *err, const char *what)
{
    const char *text = archive_error_string(archive);

    return error_set(
        err, archive_errno(archive) == ENOMEM ? STATUS_RESOURCE_EXHAUSTED : STATUS_INVALID_ARGUMENT,
        "%s: %s", what, text ? text : "malformed");
}

static la_ssize_t blob_read(struct archive *raw, void *user, const void **ret)
{
    struct layer_archive *archive = user;
    ssize_t n;

    do
        n = pread(archive->fd, archive->input, sizeof(archive->input), archive->position);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        archive_set_error(raw, errno, "read the blob");
        return -1;
    }
    archive->position += n;
    if (archive->position - archive->punched >= PUNCH) {
        /* A file system without holes only costs memory. */
        (void) fallocate(archive->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, archive->punched,
                         archive->position - archive->punched);
        archive->punched = archive->position;
    }
    *ret = archive->input;
    return n;
}

/* A blob that is not compressed as its type says would go through as it is. */
static bool compression_matches(struct layer_archive *archive)
{
    static const int filters[] = {
        [LAYER_PLAIN] = ARCHIVE_FILTER_NONE,
        [LAYER_GZIP] = ARCHIVE_FILTER_GZIP,
        [LAYER_ZSTD] = ARCHIVE_FILTER_ZSTD,
    };

    return archive_filter_code(archive->raw, 0) == filters[archive->compression] &&
           archive_filter_count(archive->raw) <= 2;
}

static la_ssize_t uncompressed_read(struct archive *tar, void *user, const void **ret)
{
    struct layer_archive *archive = user;
    la_ssize_t n = archive_read_data(archive->raw, archive->output, sizeof(archive->output));

    if (n < 0) {
        const char *text = archive_error_string(archive->raw);

        archive_set_error(tar, archive_errno(archive->raw), "%s", text ? text : "malformed");
        return -1;
    }
    digest_update(archive->digest, archive->output, (size_t) n);
    *ret = archive->output;
    return n;
}

static int raw_open(struct layer_archive *archive, struct error *err)
{
    struct archive_entry *entry;

    archive->raw = archive_read_new();
    if (!archive->raw)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "no memory to read a layer");
    if (archive->compression == LAYER_GZIP)
        archive_read_support_filter_gzip(archive->raw);
    if (archive->compression == LAYER_ZSTD)
        archive_read_support_filter_zstd(archive->raw);
    archive_read_support_format_raw(archive->raw);
    if (archive_read_open(archive->raw, archive, NULL, blob_read, NULL) < ARCHIVE_WARN ||
        archive_read_next_header(archive->raw, &entry) < ARCHIVE_WARN)
        return archive_fail(archive->raw, err, "uncompress the layer");
    if (!compression_matches(archive))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the layer is not compressed as its media type says");
    return 0;
}

int layer_archive_open(int fd, enum layer_compression compression, struct layer_archive **ret,
                       struct error *err)
{
    scoped(layer_archive_closep) struct layer_archive *archive = xnew(struct layer_archive);

    archive->fd = fd;
    archive->compression = compression;
    archive->digest = digest_new(DIGEST_SHA256);
    if (raw_open(archive, err) < 0)
        return -1;
    archive->tar = archive_read_new();
    if (!archive->tar)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "no memory to read a layer");
    archive_read_support_format_tar(archive->tar);
    archive_read_support_format_empty(archive->tar);
    if (archive_read_open(archive->tar, archive, NULL, uncompressed_read, NULL) < ARCHIVE_WARN)
        return archive_fail(archive->tar, err, "read the layer");
    *ret = take_ptr(archive);
    return 0;
}

void layer_archive_close(struct layer_archive *archive)
{
    if (!archive)
        return;
    if (archive->tar)
        archive_read_free(archive->tar);
    if (archive->raw)
        archive_read_free(archive->raw);
    if (archive->digest)
        digest_free(archive->digest);
    free(archive);
}

static enum layer_kind kind_of(struct archive_entry *entry)
{
    if (archive_entry_hardlink(entry))
        return LAYER_HARDLINK;
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
        return LAYER_FILE;
    case AE_IFDIR:
        return LAYER_DIRECTORY;
    case AE_IFLNK:
        return LAYER_SYMLINK;
    case AE_IFIFO:
        return LAYER_FIFO;
    default:
        return LAYER_OTHER;
    }
}

/* The text as it stands in the tar: names are bytes, whatever the locale thinks of them. */
static int entry_text(struct layer_archive *archive, struct layer_entry *entry, struct error *err)
{
    entry->path = archive_entry_pathname(archive->entry);
    if (!entry->path || !*entry->path || strlen(entry->path) >= LAYER_PATH_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "entry %llu has no usable name",
                         (unsigned long long) archive->entries);
    if (entry->kind == LAYER_SYMLINK)
        entry->target = archive_entry_symlink(archive->entry);
    else if (entry->kind == LAYER_HARDLINK)
        entry->target = archive_entry_hardlink(archive->entry);
    else
        return 0;
    if (!entry->target || !*entry->target || strlen(entry->target) >= LAYER_PATH_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "link '%s' has no usable target",
                         entry->path);
    return 0;
}

int layer_archive_next(struct layer_archive *archive, struct layer_entry *ret, struct error *err)
{
    struct layer_entry entry = {0};
    int r = archive_read_next_header(archive->tar, &archive->entry);

    if (r == ARCHIVE_EOF)
        return 0;
    /* A warning is a name that the locale cannot express: its bytes are there all the same. */
    if (r < ARCHIVE_WARN)
        return archive_fail(archive->tar, err, "read the layer");
    if (++archive->entries > LAYER_ENTRIES_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the layer has more than %d entries",
                         LAYER_ENTRIES_MAX);
    entry.kind = kind_of(archive->entry);
    if (entry_text(archive, &entry, err) < 0)
        return -1;
    int64_t uid = archive_entry_uid(archive->entry);
    int64_t gid = archive_entry_gid(archive->entry);
    int64_t size = archive_entry_size(archive->entry);
    if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX || size < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "entry '%s' has an impossible owner or size",
                         entry.path);
    entry.mode = archive_entry_perm(archive->entry) & 07777;
    entry.uid = (uid_t) uid;
    entry.gid = (gid_t) gid;
    entry.size = entry.kind == LAYER_FILE ? (uint64_t) size : 0;
    entry.modified = archive_entry_mtime(archive->entry);
    entry.modified_ns = (uint32_t) archive_entry_mtime_nsec(archive->entry) % 1000000000u;
    archive_entry_xattr_reset(archive->entry);
    *ret = entry;
    return 1;
}

int layer_archive_data(struct layer_archive *archive, const void **ret, size_t *ret_length,
                       off_t *ret_offset, struct error *err)
{
    la_int64_t offset;
    int r = archive_read_data_block(archive->tar, ret, ret_length, &offset);

    if (r == ARCHIVE_EOF)
        return 0;
    if (r < ARCHIVE_WARN || offset < 0)
        return archive_fail(archive->tar, err, "read the layer");
    *ret_offset = (off_t) offset;
    return 1;
}

int layer_archive_xattr(struct layer_archive *archive, const char **ret_name,
                        const void **ret_value, size_t *ret_length)
{
    return archive_entry_xattr_next(archive->entry, ret_name, ret_value, ret_length) == ARCHIVE_OK;
}

int layer_archive_finish(struct layer_archive *archive, uint8_t ret[SHA256_SIZE], struct error *err)
{
    la_ssize_t n;

    for (;;) {
        n = archive_read_data(archive->raw, archive->output, sizeof(archive->output));
        if (n <= 0)
            break;
        digest_update(archive->digest, archive->output, (size_t) n);
    }
    if (n < 0)
        return archive_fail(archive->raw, err, "uncompress the layer");
    digest_value(archive->digest, ret);
    return 0;
}
