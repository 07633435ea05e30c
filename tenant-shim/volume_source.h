/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which kind of volume a path of this node is, by kubelet's and containerd's layout. */
#include "base/scoped.h"

struct error;

enum volume_kind {
    VOLUME_EMPTY, /* an emptyDir: becomes a directory of the guest */
    VOLUME_LIVE,  /* configMap and its kin: copied, and again when kubelet changes it */
    VOLUME_ONCE,  /* a part of such a one (subPath): copied, as kubelet never refreshes it */
    VOLUME_IMAGE, /* what an image declares: the guest has it in the container's root */
    VOLUME_SHARE, /* anything else: served live, if that is possible (share_rules.h) */
};

/* Borrowed. What is not known is NULL or "". */
struct volume_node {
    const char *kubelet_root;
    const char *pod_uid; /* without it no path of kubelet's is the pod's */
    const char *container_id;
    const char *sandbox_dir, *shm_source; /* containerd's directories of the pod */
    const char *mountinfo;                /* NULL: the kernel's */
};

struct volume_source {
    enum volume_kind kind;
    char *directory; /* the volume's own; of ONCE and SHARE the path that was asked for */
    char *path;      /* in it; "" */
};

/* A path that is none, or one that does not say where it leads, is an error. */
int volume_source_find(const struct volume_node *node, const char *path, struct volume_source *ret,
                       struct error *err) must_check;
void volume_source_clear(struct volume_source *source);
