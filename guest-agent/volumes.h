/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The pod's volumes: directories of the guest that its containers share, by name. Empty ones are
 * file systems of their own, or directories of the scratch disk; the content of copied ones is
 * replaced as a whole, under readers who see the old or the new one and never a mixture. What a
 * container can write to is never followed or trusted.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct volumes;

enum {
    VOLUMES_MAX = 256,
    VOLUMES_BYTES_MAX = 4 * 1024 * 1024, /* of the content of one */
    VOLUMES_ENTRIES_MAX = 4096,          /* likewise */
    VOLUMES_PATH_MAX = 1024,
};

enum volumes_type { VOLUMES_DIRECTORY, VOLUMES_FILE, VOLUMES_LINK };

struct volumes_entry { /* VolumeEntry */
    const char *path;
    enum volumes_type type;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    const void *data; /* content, or the target with its NUL */
    size_t length;
};

struct volumes_put { /* PutVolumeRequest */
    const char *name;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    uint64_t size; /* empty ones: of memory; 0: wherever there is room */
    uint64_t serial;
    bool first, last;
    const struct volumes_entry *entries;
    size_t count;
};

struct volumes *volumes_new(const char *directory); /* which exists */
void volumes_free(struct volumes *volumes);
static inline void volumes_freep(struct volumes **p)
{
    if (*p)
        volumes_free(*p);
}
/* From here on empty ones for which nobody asked for memory are in this directory. */
void volumes_use_disk(struct volumes *volumes, const char *directory);
/* Room is what memory there is for all: it bounds a new one that is not on the disk. */
int volumes_put_empty(struct volumes *volumes, const struct volumes_put *put, uint64_t room,
                      struct error *err) __attribute__((warn_unused_result));
int volumes_put_copied(struct volumes *volumes, const struct volumes_put *put, uint64_t room,
                       struct error *err) __attribute__((warn_unused_result));

struct volumes_about {
    bool is_copied; /* else it is an empty one */
    bool is_in_memory;
};
/* false: there is none of that name. */
bool volumes_look(const struct volumes *volumes, const char *name, struct volumes_about *ret);
/* An empty one in memory, in which nothing is yet, holds at most so many bytes from here on; one on
 * the disk has no limit of its own. */
int volumes_limit(struct volumes *volumes, const char *name, uint64_t size, struct error *err)
    __attribute__((warn_unused_result));

enum volumes_access { VOLUMES_READ_ONLY, VOLUMES_WRITABLE };
/* What lies at path in it, O_PATH. In an empty volume missing directories are made. */
int volumes_open(struct volumes *volumes, const char *name, const char *path, int *ret,
                 enum volumes_access *ret_access, struct error *err)
    __attribute__((warn_unused_result));
