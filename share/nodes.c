/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "base/scoped.h"

enum { BUCKETS = 8192 };

/* Two megabytes, of which the kernel gives only what is touched. */
struct nodes {
    struct node node[NODES_MAX];
    uint32_t bucket[BUCKETS];
    uint32_t used; /* below it: nodes in use and free ones */
    uint32_t free;
    uint32_t count;
    uint32_t oldest; /* of those that can be asked back; index + 1 */
    uint32_t newest;
};

static uint64_t device_of(const struct statx *stat)
{
    return makedev(stat->stx_dev_major, stat->stx_dev_minor);
}

static uint32_t bucket_of(uint64_t device, uint64_t inode, uint64_t mount)
{
    uint64_t hash = (inode ^ device << 32 ^ mount << 17) * 0x9e3779b97f4a7c15ull;

    return hash >> 32 & (BUCKETS - 1);
}

static uint32_t place_of(const struct nodes *nodes, const struct node *node)
{
    return (uint32_t) (node - nodes->node + 1);
}

static uint64_t id_of(const struct nodes *nodes, const struct node *node)
{
    return (uint64_t) node->generation << 32 | place_of(nodes, node);
}

int nodes_stat(int fd, struct statx *ret)
{
    struct statx stat = {0};

    if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
              STATX_BASIC_STATS | STATX_MNT_ID, &stat) < 0)
        return -errno;
    if (!(stat.stx_mask & STATX_MNT_ID))
        return -EOPNOTSUPP;
    *ret = stat;
    return 0;
}

static void unlist(struct nodes *nodes, struct node *node)
{
    if (!node->listed)
        return;
    *(node->older ? &nodes->node[node->older - 1].newer : &nodes->oldest) = node->newer;
    *(node->newer ? &nodes->node[node->newer - 1].older : &nodes->newest) = node->older;
    node->listed = false;
}

static void list_newest(struct nodes *nodes, struct node *node)
{
    unlist(nodes, node);
    node->older = nodes->newest;
    node->newer = 0;
    *(node->older ? &nodes->node[node->older - 1].newer : &nodes->oldest) = place_of(nodes, node);
    nodes->newest = place_of(nodes, node);
    node->listed = true;
}

static void note_place(struct nodes *nodes, struct node *node, const struct node_found *found)
{
    if (S_ISDIR(node->type))
        return;
    if (!node->name || strcmp(node->name, found->name) != 0) {
        free(node->name);
        node->name = xstrdup(found->name);
    }
    node->parent = found->parent;
    list_newest(nodes, node);
}

static void fill(struct node *node, int fd, const struct statx *stat)
{
    node->fd = fd;
    node->type = stat->stx_mode & S_IFMT;
    node->device = device_of(stat);
    node->inode = stat->stx_ino;
    node->mount = stat->stx_mnt_id;
    node->lookups = 1;
}

int nodes_new(int root, struct nodes **ret, struct error *err)
{
    struct nodes *nodes;
    struct statx stat = {0};
    int failed = nodes_stat(root, &stat);

    if (failed < 0) {
        (void) close(root);
        return error_errno(err, -failed, "look at the root of the share");
    }
    nodes = xnew(struct nodes);
    fill(&nodes->node[0], root, &stat);
    nodes->used = nodes->count = 1;
    *ret = nodes;
    return 0;
}

void nodes_free(struct nodes *nodes)
{
    if (!nodes)
        return;
    for (uint32_t i = 0; i < nodes->used; i++) {
        if (nodes->node[i].lookups > 0)
            (void) close(nodes->node[i].fd);
        free(nodes->node[i].name);
    }
    free(nodes);
}

const struct node *nodes_find(const struct nodes *nodes, uint64_t id)
{
    uint32_t index = (uint32_t) id - 1;

    if ((uint32_t) id == 0 || index >= nodes->used || nodes->node[index].lookups == 0 ||
        nodes->node[index].generation != id >> 32)
        return NULL;
    return &nodes->node[index];
}

/* Not the root: it is in no bucket, because nothing looks it up. */
static struct node *find_same(struct nodes *nodes, const struct statx *stat)
{
    uint64_t device = device_of(stat);
    uint32_t at = nodes->bucket[bucket_of(device, stat->stx_ino, stat->stx_mnt_id)];

    for (; at; at = nodes->node[at - 1].next) {
        struct node *node = &nodes->node[at - 1];

        if (node->inode == stat->stx_ino && node->device == device &&
            node->mount == stat->stx_mnt_id)
            return node;
    }
    return NULL;
}

/* One that was never used, or one of the free ones under its next generation. */
static struct node *take_free(struct nodes *nodes)
{
    struct node *node;

    if (nodes->free) {
        node = &nodes->node[nodes->free - 1];
        nodes->free = node->next;
    } else if (nodes->used < NODES_MAX) {
        node = &nodes->node[nodes->used++];
    } else {
        return NULL;
    }
    if (++node->generation == 0)
        node->generation = 1;
    return node;
}

static void chain(struct nodes *nodes, struct node *node)
{
    uint32_t *bucket = &nodes->bucket[bucket_of(node->device, node->inode, node->mount)];

    node->next = *bucket;
    *bucket = place_of(nodes, node);
    nodes->count++;
}

int nodes_hold(struct nodes *nodes, const struct node_found *found, uint64_t *ret_id)
{
    struct node *node = find_same(nodes, found->stat);

    if (node) {
        (void) close(found->fd);
        node->lookups++;
    } else {
        node = take_free(nodes);
        if (!node) {
            (void) close(found->fd);
            return -ENFILE;
        }
        fill(node, found->fd, found->stat);
        chain(nodes, node);
    }
    note_place(nodes, node, found);
    *ret_id = id_of(nodes, node);
    return 0;
}

const struct node *nodes_excess(struct nodes *nodes)
{
    struct node *node;

    if (nodes->count <= NODES_WATERMARK || !nodes->oldest)
        return NULL;
    node = &nodes->node[nodes->oldest - 1];
    unlist(nodes, node);
    return node;
}

static void unchain(struct nodes *nodes, const struct node *node)
{
    uint32_t self = place_of(nodes, node);
    uint32_t *at = &nodes->bucket[bucket_of(node->device, node->inode, node->mount)];

    while (*at != self)
        at = &nodes->node[*at - 1].next;
    *at = node->next;
}

void nodes_forget(struct nodes *nodes, uint64_t id, uint64_t lookups)
{
    const struct node *found = nodes_find(nodes, id);
    struct node *node;

    if (!found || id == NODES_ROOT)
        return;
    node = &nodes->node[found - nodes->node];
    if (lookups < node->lookups) {
        node->lookups -= lookups;
        return;
    }
    unchain(nodes, node);
    unlist(nodes, node);
    free(node->name);
    node->name = NULL;
    (void) close(node->fd);
    node->lookups = 0;
    node->next = nodes->free;
    nodes->free = place_of(nodes, node);
    nodes->count--;
}

uint32_t nodes_count(const struct nodes *nodes)
{
    return nodes->count;
}
