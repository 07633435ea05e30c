/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Reads a layer's tar out of a blob file; the one adapter of libarchive. The bytes behind the
 * reader are given back to the file system as it goes, so that blob and unpacked layer need not fit
 * into memory together. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/digest.h"

struct error;
struct layer_archive;

enum layer_compression { LAYER_PLAIN, LAYER_GZIP, LAYER_ZSTD };

enum layer_kind {
    LAYER_FILE,
    LAYER_DIRECTORY,
    LAYER_SYMLINK,
    LAYER_HARDLINK,
    LAYER_FIFO,
    LAYER_OTHER, /* devices, sockets */
};

enum {
    LAYER_PATH_MAX = 4096,
    LAYER_ENTRIES_MAX = 2 * 1000 * 1000,
    LAYER_XATTR_MAX = 64 * 1024, /* bytes of one value */
};

struct layer_entry {
    enum layer_kind kind;
    const char *path;   /* as in the tar: may be absolute, may hold ".." */
    const char *target; /* of a link */
    mode_t mode;        /* 07777 */
    uid_t uid;
    gid_t gid;
    int64_t modified; /* seconds */
    uint32_t modified_ns;
    uint64_t size; /* of a file, as claimed */
};

/* Which compression a media type stands for; false if it is no layer type. */
bool layer_compression_of(const char *media_type, enum layer_compression *ret);

/* fd stays the caller's and must outlive the archive. */
int layer_archive_open(int fd, enum layer_compression compression, struct layer_archive **ret,
                       struct error *err) __attribute__((warn_unused_result));
void layer_archive_close(struct layer_archive *archive);
static inline void layer_archive_closep(struct layer_archive **p)
{
    if (*p)
        layer_archive_close(*p);
}
/* 1: an entry, its text borrowed until the next call; 0: the end. */
int layer_archive_next(struct layer_archive *archive, struct layer_entry *ret, struct error *err)
    __attribute__((warn_unused_result));
/* 1: a piece of the entry's content, borrowed until the next call; 0: the end. */
int layer_archive_data(struct layer_archive *archive, const void **ret, size_t *ret_length,
                       off_t *ret_offset, struct error *err) __attribute__((warn_unused_result));
/* 1: an extended attribute of the entry; 0: no more. */
int layer_archive_xattr(struct layer_archive *archive, const char **ret_name,
                        const void **ret_value, size_t *ret_length);
/* After the end: reads what stands behind the tar's end and gives the SHA-256 over all of the
 * uncompressed bytes. */
int layer_archive_finish(struct layer_archive *archive, uint8_t ret[SHA256_SIZE], struct error *err)
    __attribute__((warn_unused_result));
