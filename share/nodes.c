/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/error.h"
#include "base/scoped.h"
#include "beneath.h"
#include "parking.h"

/* Mounts below mounts; what is remembered of them might go round in a circle by now. */
enum { BUCKETS = 32768, DEPTH_MAX = 64 };

struct nodes {
    struct node node[NODES_MAX];
    uint32_t bucket[BUCKETS];
    uint32_t used; /* below it: nodes in use and free ones */
    uint32_t free;
    uint32_t count;
    uint32_t held;
    uint32_t depth;
    struct {
        uint32_t oldest; /* index + 1 */
        uint32_t newest;
    } list[NODE_LISTS];
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

static int look(int fd, const char *name, int flags, struct statx *ret)
{
    struct statx stat = {0};

    if (statx(fd, name, flags | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
              STATX_BASIC_STATS | STATX_MNT_ID, &stat) < 0)
        return -errno;
    if (!(stat.stx_mask & STATX_MNT_ID))
        return -EOPNOTSUPP;
    *ret = stat;
    return 0;
}

static uint32_t now_ms(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint32_t) now.tv_sec * 1000u + (uint32_t) (now.tv_nsec / 1000000);
}

/* ---- by when they were used ------------------------------------------------------------------ */

static void unlist(struct nodes *nodes, struct node *node)
{
    uint8_t list = node->list;

    if (list == NODE_UNLISTED)
        return;
    *(node->older ? &nodes->node[node->older - 1].newer : &nodes->list[list].oldest) = node->newer;
    *(node->newer ? &nodes->node[node->newer - 1].older : &nodes->list[list].newest) = node->older;
    node->list = NODE_UNLISTED;
}

static void list_newest(struct nodes *nodes, struct node *node, enum node_list list)
{
    uint32_t self = place_of(nodes, node);

    unlist(nodes, node);
    node->older = nodes->list[list].newest;
    node->newer = 0;
    *(node->older ? &nodes->node[node->older - 1].newer : &nodes->list[list].oldest) = self;
    nodes->list[list].newest = self;
    node->list = (uint8_t) list;
    if (list == NODE_PASSES)
        node->used_ms = now_ms();
}

static struct node *oldest(struct nodes *nodes, enum node_list list)
{
    uint32_t place = nodes->list[list].oldest;

    return place ? &nodes->node[place - 1] : NULL;
}

static struct node *find(struct nodes *nodes, uint64_t id)
{
    const struct node *node = nodes_find(nodes, id);

    return node ? &nodes->node[node - nodes->node] : NULL;
}

static void touch_one(struct nodes *nodes, struct node *node)
{
    if (node && node->list != NODE_UNLISTED && node->fd >= 0)
        list_newest(nodes, node, node->list);
}

/* Where a mount begins is used whenever something in it is: it is parked last. */
static void touch(struct nodes *nodes, struct node *node)
{
    touch_one(nodes, node);
    if (node->passes && node->anchor != id_of(nodes, node))
        touch_one(nodes, find(nodes, node->anchor));
}

/* What can be parked, or asked back: not where a share begins, by which the others are opened. */
static void list_held(struct nodes *nodes, struct node *node)
{
    if (node->anchor == id_of(nodes, node) && !node->passes)
        return;
    list_newest(nodes, node, node->passes ? NODE_PASSES : NODE_STAYS);
    touch(nodes, node);
}

/* ---- parking --------------------------------------------------------------------------------- */

/* Does not use the anchor, in the sense of touch(): it is the next one, perhaps. */
static int park(struct nodes *nodes, struct node *node)
{
    const struct node *anchor = nodes_find(nodes, node->anchor);
    int mount = S_ISDIR(node->type) ? node->fd : anchor ? anchor->fd : -1;
    int failed = mount < 0 ? -ESTALE : parking_new(node->fd, mount, &node->parking);

    unlist(nodes, node);
    if (failed < 0)
        return failed;
    (void) close(node->fd);
    node->fd = -1;
    nodes->held--;
    if (!S_ISDIR(node->type))
        list_newest(nodes, node, NODE_PARKED);
    return 0;
}

/* A mount may have gone, and another one come that has its number. */
static bool is_same(const struct node *node, int fd)
{
    struct statx stat;

    return nodes_stat(fd, &stat) == 0 && stat.stx_ino == node->inode &&
           device_of(&stat) == node->device && stat.stx_mnt_id == node->mount &&
           (stat.stx_mode & S_IFMT) == node->type && parking_is_of(node->parking, fd);
}

static void resume(struct nodes *nodes, struct node *node, int fd)
{
    parking_free(node->parking);
    node->parking = NULL;
    node->fd = fd;
    nodes->held++;
    list_held(nodes, node);
}

static int unpark(struct nodes *nodes, struct node *node)
{
    bool begins = node->anchor == id_of(nodes, node);
    int from, fd;

    if (nodes->depth == DEPTH_MAX)
        return -ESTALE;
    nodes->depth++;
    fd = from = nodes_fd(nodes, begins ? node->parent : node->anchor);
    nodes->depth--;
    if (from >= 0)
        fd = begins ? beneath_open(from, node->name, O_PATH, 0) : parking_open(node->parking, from);
    if (fd < 0)
        return -ESTALE;
    if (!is_same(node, fd)) {
        (void) close(fd);
        return -ESTALE;
    }
    resume(nodes, node, fd);
    return 0;
}

/* ---- the table ------------------------------------------------------------------------------- */

static void note_place(struct nodes *nodes, struct node *node, const struct node_found *found)
{
    if (S_ISDIR(node->type) && node->anchor != id_of(nodes, node))
        return;
    if (!node->name || strcmp(node->name, found->name) != 0) {
        free(node->name);
        node->name = xstrdup(found->name);
    }
    node->parent = found->parent;
}

static void note_mount(struct nodes *nodes, struct node *node, uint64_t parent_id)
{
    const struct node *parent = nodes_find(nodes, parent_id);

    node->anchor = id_of(nodes, node);
    node->passes = parent && parent_id != NODES_ROOT;
    if (parent && parent->mount == node->mount) {
        node->anchor = parent->anchor;
        node->passes = parent->passes;
    }
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
    /* Most of it is never touched, and so is no memory. */
    nodes = mmap(NULL, sizeof(*nodes), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (nodes == MAP_FAILED) {
        (void) close(root);
        return error_errno(err, errno, "make the table of files");
    }
    fill(&nodes->node[0], root, &stat);
    nodes->node[0].anchor = NODES_ROOT;
    nodes->used = nodes->count = nodes->held = 1;
    *ret = nodes;
    return 0;
}

void nodes_free(struct nodes *nodes)
{
    if (!nodes)
        return;
    for (uint32_t i = 0; i < nodes->used; i++) {
        if (nodes->node[i].lookups > 0 && nodes->node[i].fd >= 0)
            (void) close(nodes->node[i].fd);
        parking_free(nodes->node[i].parking);
        free(nodes->node[i].name);
    }
    (void) munmap(nodes, sizeof(*nodes));
}

const struct node *nodes_find(const struct nodes *nodes, uint64_t id)
{
    uint32_t index = (uint32_t) id - 1;

    if ((uint32_t) id == 0 || index >= nodes->used || nodes->node[index].lookups == 0 ||
        nodes->node[index].generation != id >> 32)
        return NULL;
    return &nodes->node[index];
}

int nodes_fd(struct nodes *nodes, uint64_t id)
{
    struct node *node = find(nodes, id);
    int failed = 0;

    if (!node)
        return -ESTALE;
    if (node->fd < 0)
        failed = unpark(nodes, node);
    if (failed < 0)
        return failed;
    touch(nodes, node);
    return node->fd;
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

static void unchain(struct nodes *nodes, const struct node *node)
{
    uint32_t self = place_of(nodes, node);
    uint32_t *at = &nodes->bucket[bucket_of(node->device, node->inode, node->mount)];

    while (*at && *at != self)
        at = &nodes->node[*at - 1].next;
    if (*at)
        *at = node->next;
}

/* The node that is known, or NULL. What was parked is looked at closely: if it is another file by
 * now its node leads nowhere any more. */
static struct node *find_known(struct nodes *nodes, const struct node_found *found)
{
    struct node *node = find_same(nodes, found->stat);

    if (!node || node->fd >= 0)
        return node;
    if (parking_is_of(node->parking, found->fd))
        return node;
    unchain(nodes, node);
    return NULL;
}

static void hold_again(struct nodes *nodes, struct node *node, int fd)
{
    node->lookups++;
    if (node->fd < 0) {
        resume(nodes, node, fd);
        return;
    }
    if (fd >= 0)
        (void) close(fd);
    list_held(nodes, node);
}

static struct node *hold_new(struct nodes *nodes, const struct node_found *found)
{
    struct node *node = nodes->held < NODES_HELD_MAX ? take_free(nodes) : NULL;

    if (!node)
        return NULL;
    fill(node, found->fd, found->stat);
    chain(nodes, node);
    nodes->held++;
    note_mount(nodes, node, found->parent);
    list_held(nodes, node);
    return node;
}

int nodes_hold(struct nodes *nodes, const struct node_found *found, uint64_t *ret_id)
{
    struct node *node = find_known(nodes, found);

    if (node) {
        hold_again(nodes, node, found->fd);
    } else {
        node = hold_new(nodes, found);
        if (!node) {
            (void) close(found->fd);
            return -ENFILE;
        }
    }
    note_place(nodes, node, found);
    *ret_id = id_of(nodes, node);
    return 0;
}

int nodes_hold_known(struct nodes *nodes, const struct node_found *found, uint64_t *ret_id)
{
    struct node *node = find_same(nodes, found->stat);

    if (!node || node->fd < 0)
        return -ENOENT;
    hold_again(nodes, node, -1);
    note_place(nodes, node, found);
    *ret_id = id_of(nodes, node);
    return 0;
}

void nodes_forget(struct nodes *nodes, uint64_t id, uint64_t lookups)
{
    struct node *node = find(nodes, id);

    if (!node || id == NODES_ROOT)
        return;
    if (lookups < node->lookups) {
        node->lookups -= lookups;
        return;
    }
    unchain(nodes, node);
    unlist(nodes, node);
    free(node->name);
    parking_free(node->parking);
    if (node->fd >= 0) {
        (void) close(node->fd);
        nodes->held--;
    }
    *node = (struct node){.generation = node->generation, .next = nodes->free};
    nodes->free = place_of(nodes, node);
    nodes->count--;
}

static const struct node *park_or_ask(struct nodes *nodes, struct node *node)
{
    return park(nodes, node) < 0 && !S_ISDIR(node->type) ? node : NULL;
}

const struct node *nodes_excess(struct nodes *nodes)
{
    struct node *node = oldest(nodes, NODE_STAYS);

    if (!node)
        node = oldest(nodes, NODE_PASSES);
    if (node && nodes->held > NODES_WATERMARK)
        return park_or_ask(nodes, node);
    node = oldest(nodes, NODE_PARKED);
    if (!node || nodes->count <= NODES_CROWDED)
        return NULL;
    unlist(nodes, node);
    return node;
}

const struct node *nodes_idle(struct nodes *nodes)
{
    const struct node *asked = NULL;

    while (!asked && nodes_idle_in(nodes) == 0)
        asked = park_or_ask(nodes, oldest(nodes, NODE_PASSES));
    return asked;
}

int nodes_idle_in(const struct nodes *nodes)
{
    uint32_t place = nodes->list[NODE_PASSES].oldest;
    uint32_t idle = place ? now_ms() - nodes->node[place - 1].used_ms : 0;

    if (!place)
        return -1;
    return idle >= NODES_IDLE_MS ? 0 : (int) (NODES_IDLE_MS - idle);
}

uint32_t nodes_count(const struct nodes *nodes)
{
    return nodes->count;
}

uint32_t nodes_held(const struct nodes *nodes)
{
    return nodes->held;
}

int nodes_stat(int fd, struct statx *ret)
{
    return look(fd, "", AT_EMPTY_PATH, ret);
}

int nodes_stat_in(int directory, const char *name, struct statx *ret)
{
    return look(directory, name, 0, ret);
}
