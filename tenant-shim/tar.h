/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Writes a tar archive (ustar, with pax records where that is not enough) to a descriptor. The same
 * entries give the same bytes: nothing of the clock, of user names or of the writer goes in. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/scoped.h"

struct error;
struct tar;

enum tar_kind { TAR_FILE, TAR_HARDLINK, TAR_SYMLINK, TAR_DIRECTORY, TAR_FIFO };

enum { TAR_RECORDS_MAX = 1024 * 1024 }; /* bytes of one entry's pax records */

struct tar_xattr {
    const char *name;
    const void *value;
    size_t length;
};

struct tar_entry {
    enum tar_kind kind;
    const char *path; /* of a directory: with a slash at its end */
    const char *target;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    int64_t modified;
    uint32_t modified_ns;
    uint64_t size; /* of TAR_FILE: as many bytes follow by tar_data() */
    const struct tar_xattr *xattrs;
    size_t xattr_count;
};

struct tar *tar_new(int fd);
void tar_free(struct tar *tar);
SCOPED_PTR(struct tar, tar_free)

int tar_entry(struct tar *tar, const struct tar_entry *entry, struct error *err) must_check;
/* More than the entry's size is a bug; so is less, before the next entry. */
int tar_data(struct tar *tar, const void *data, size_t length, struct error *err) must_check;
int tar_finish(struct tar *tar, struct error *err) must_check;
