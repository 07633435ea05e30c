/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What Create says about where the container's root stands on this node. */
#include "base/scoped.h"

struct bundle;
struct error;
struct Task__CreateTaskRequest;

/* For tree_read(): the mounts that containerd leaves to the shim, or the directory of the spec,
 * which CRI-O has mounted already. NULL: nothing is said. The caller frees. */
int codec_rootfs(const struct Task__CreateTaskRequest *request, const struct bundle *bundle,
                 char **ret, struct error *err) must_check;
