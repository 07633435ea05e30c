/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A mount of a container whose source is served live from this node. */
#include <stdbool.h>
#include "base/scoped.h"

struct error;
struct guest_spec;
struct js;

struct share_mount {
    const char *destination;
    const char *source;
    const struct js *options; /* the spec's own */
};

/* Notes the share in result; `out`, the guest's mount, is completed when the share has its name. */
int share_mount_add(const struct share_mount *mount, struct guest_spec *result, struct js *out,
                    struct error *err) must_check;
/* Read-only is made on this node, where mounts below stay as they are; in the guest it would cover
 * those too. */
bool share_mount_keeps(const char *option);
/* All have their names: the guest's mounts get their sources. */
void share_mount_complete(struct guest_spec *result);
