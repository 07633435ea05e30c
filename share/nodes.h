/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The files and directories that the guest's kernel knows. An id is an index and a generation, so
 * that one that is forged, or too old, finds nothing. The same inode by two mounts is two nodes:
 * one of the mounts may be read-only.
 *
 * A node is held by an O_PATH descriptor, or parked (parking.h): what was used longest ago when
 * more are held than the watermark, and what lies on a mount that the node may want to unmount,
 * once it is not used for a second; umount(8) there would say that it is busy. Nothing of that is
 * seen by the guest. Where the file system does not allow it, the guest is asked to forget. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct statx;
struct error;

enum {
    NODES_MAX = 262144,     /* 23 MiB; with names and handles, if a guest wants it so, 100 */
    NODES_CROWDED = 65536,  /* beyond it the guest is asked to forget files */
    NODES_HELD_MAX = 32768, /* where nothing can be parked, and the guest does not forget */
    NODES_WATERMARK = 4096,
    NODES_IDLE_MS = 1000,
};
#define NODES_ROOT 1ull /* FUSE_ROOT_ID */

enum node_list {
    NODE_UNLISTED,
    NODE_STAYS,  /* held, on the mount of its share */
    NODE_PASSES, /* held, on a mount below that: one that may go */
    NODE_PARKED, /* no directory */
    NODE_LISTS,
};

struct parking;

struct node {
    int fd;      /* -1: it is parked */
    mode_t type; /* S_IFMT */
    uint32_t generation;
    uint32_t next; /* of its bucket, or of the free ones; index + 1 */
    uint64_t lookups;
    uint64_t device;
    uint64_t inode;
    uint64_t mount;
    uint64_t anchor; /* the node where its mount begins; it may be that itself */
    struct parking *parking;
    /* By what it was looked up last; the guest may have renamed it since. */
    uint64_t parent;
    char *name; /* NULL for a directory in which no mount begins */
    bool passes;
    uint8_t list; /* the neighbours in it, by when they were used, as index + 1: */
    uint32_t older;
    uint32_t newer;
    uint32_t used_ms;
};

struct nodes;

/* What was found, and where. */
struct node_found {
    int fd;
    const struct statx *stat;
    uint64_t parent;
    const char *name;
};

/* Takes the root, which is never forgotten. */
int nodes_new(int root, struct nodes **ret, struct error *err);
void nodes_free(struct nodes *nodes);

/* NULL if there is none. Its descriptor is what nodes_fd() says. */
const struct node *nodes_find(const struct nodes *nodes, uint64_t id);
/* Borrowed until nodes_excess() or nodes_idle() is called. Or a negative errno: -ESTALE. */
int nodes_fd(struct nodes *nodes, uint64_t id);
/* The node of what was found, with one look-up more. The descriptor is taken in any case. 0, or a
 * negative errno. */
int nodes_hold(struct nodes *nodes, const struct node_found *found, uint64_t *ret_id);
/* The same for what is known and not parked already, without a descriptor; else -ENOENT. */
int nodes_hold_known(struct nodes *nodes, const struct node_found *found, uint64_t *ret_id);
/* More than there are is as many as there are: the guest harms itself only. */
void nodes_forget(struct nodes *nodes, uint64_t id, uint64_t lookups);
/* One step towards the watermark. If the guest has to help, the node that it is to forget; once,
 * until it is looked up again. Never a directory: processes of the guest may be in it, and
 * something may be mounted on it there. */
const struct node *nodes_excess(struct nodes *nodes);
/* All that passes and was not used for NODES_IDLE_MS. Again until it is NULL. */
const struct node *nodes_idle(struct nodes *nodes);
int nodes_idle_in(const struct nodes *nodes); /* milliseconds; -1: never */
uint32_t nodes_count(const struct nodes *nodes);
uint32_t nodes_held(const struct nodes *nodes);

/* All that is asked of a file at once. 0, or a negative errno. */
int nodes_stat(int fd, struct statx *ret);
int nodes_stat_in(int directory, const char *name, struct statx *ret);
