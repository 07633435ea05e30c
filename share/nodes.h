/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The files and directories that the guest's kernel knows, each held by an O_PATH descriptor: as
 * long as it is known its inode cannot become another file. An id is an index and a generation, so
 * that one that is forged, or too old, finds nothing. The same inode by two mounts is two nodes:
 * one of the mounts may be read-only. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct statx;
struct error;

enum { NODES_MAX = 32768, NODES_WATERMARK = 4096 };
#define NODES_ROOT 1ull /* FUSE_ROOT_ID */

struct node {
    int fd;
    mode_t type; /* S_IFMT */
    uint32_t generation;
    uint32_t next; /* of its bucket, or of the free ones; index + 1 */
    uint64_t lookups;
    uint64_t device;
    uint64_t inode;
    uint64_t mount;
    /* By what it was looked up last; the guest may have renamed it since. */
    uint64_t parent;
    char *name;
    bool listed; /* among those that can be asked back, of which these are neighbours, index + 1 */
    uint32_t older;
    uint32_t newer;
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

/* Borrowed until it is forgotten; NULL if there is none. */
const struct node *nodes_find(const struct nodes *nodes, uint64_t id);
/* The node of what was found, with one look-up more. The descriptor is taken in any case. 0, or a
 * negative errno. */
int nodes_hold(struct nodes *nodes, const struct node_found *found, uint64_t *ret_id);
/* Beyond the watermark: the next one to be asked back, once until it is looked up again; else NULL.
 * Never a directory: processes of the guest may be in it, and containers have it as a mount. */
const struct node *nodes_excess(struct nodes *nodes);
/* More than there are is as many as there are: the guest harms itself only. */
void nodes_forget(struct nodes *nodes, uint64_t id, uint64_t lookups);
uint32_t nodes_count(const struct nodes *nodes);

/* All that is asked of a file at once. 0, or a negative errno. */
int nodes_stat(int fd, struct statx *ret);
