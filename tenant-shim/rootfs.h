/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Brings the layers of a container's image into the guest: what containerd on this node has made
 * the container of is looked up, read out of its content store, checked by digest, and sent, blob
 * by blob, as far as the guest does not have it. Goes on where it stopped when connections break.
 *
 * Where the content is gone, or there is no content store, the files of the root as this node shows
 * them become one layer, which no digest of the image vouches for. */
#include "base/scoped.h"
#include "codec_agent.h"

struct content;
struct loop;
struct rootfs;

struct rootfs_options {
    struct loop *loop;
    struct link *link;
    struct content *content; /* NULL: none */
    const char *tree;        /* what the root is on this node (tree.h), or NULL */
    const char *container_id;
    bool pad;
    bool needs_digests; /* a layer that is made of a tree will not do: the pod is sealed */
};

/* Once: the layers, lowest first, are in the guest; or err. Never from inside; may free. */
typedef void rootfs_done_fn(void *user, const struct agent_layer *layers, size_t count,
                            const struct error *err);

int rootfs_prepare(const struct rootfs_options *options, rootfs_done_fn *done, void *user,
                   struct rootfs **ret, struct error *err) must_check;
void rootfs_free(struct rootfs *rootfs); /* cancels; what the guest has stays there */
SCOPED_PTR(struct rootfs, rootfs_free)
