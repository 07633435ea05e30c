/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which volume of the guest stands for which one of the manifest. The tenant's node has made the
 * former and names them; what it may choose is bounded by the kind of each, and an empty volume is
 * the same one for all containers and never two at once. */
#include <stdbool.h>

struct error;
struct manifest;
struct manifest_mount;
struct manifest_volume;
struct sealed_volumes;
struct volumes_about;

/* What the guest has under a name; false: nothing. */
typedef bool sealed_volumes_look_fn(void *user, const char *name, struct volumes_about *ret);

/* The manifest is borrowed. */
struct sealed_volumes *sealed_volumes_new(const struct manifest *manifest,
                                          sealed_volumes_look_fn *look, void *user);
void sealed_volumes_free(struct sealed_volumes *volumes);
static inline void sealed_volumes_freep(struct sealed_volumes **p)
{
    if (*p)
        sealed_volumes_free(*p);
}
/* The source of a mount of the manifest: what came, if it may be that; the first use binds an empty
 * volume, and a copied one that is mounted as a whole. (A part of a copied one comes as a volume of
 * its own, and what a share's name stands for is the node's to say.) The caller frees. NULL: err
 * says why not. */
char *sealed_volumes_source(struct sealed_volumes *volumes, const struct manifest_mount *mount,
                            const char *came, struct error *err);
/* The guest's name for it; NULL: it was not bound yet. */
const char *sealed_volumes_name(const struct sealed_volumes *volumes,
                                const struct manifest_volume *volume);
