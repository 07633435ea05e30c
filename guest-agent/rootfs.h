/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A container's root: its layers below, and above what it writes: in a tmpfs of its own, or in a
 * directory of the scratch disk. */
#include <stddef.h>
#include <stdint.h>

struct error;
struct layer_store;

enum { ROOTFS_LAYERS_MAX = 100 };

struct rootfs_layer {
    const char *digest;
    const char *diff_id;
};

struct rootfs_options {
    const char *directory; /* of the container; exists. Gets "rootfs" (the root) and "scratch" */
    const struct rootfs_layer *layers; /* bottom first; at least one */
    size_t count;
    const char *disk; /* its directory there, which does not exist yet; NULL: there is no disk */
    uint64_t room;    /* without a disk: bytes of memory that the container may fill */
};

/* A root for which there is less room is refused. */
enum { ROOTFS_ROOM_MIN = 1024 * 1024 };

/* Mounts <directory>/rootfs. Read-only roots are crun's work (root.readonly). */
int rootfs_mount(const struct layer_store *store, const struct rootfs_options *options,
                 struct error *err) __attribute__((warn_unused_result));
/* Unmounts and removes, but for what lies on the disk; what is not there is no error. */
int rootfs_unmount(const char *directory, struct error *err) __attribute__((warn_unused_result));
