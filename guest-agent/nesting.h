/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What is mounted in what, in a container's root with its links. */

struct error;
struct js;

/* For a container of a sealed pod, before anything is mounted in its root. The runtime follows
 * links on its way to a destination: in a live share they are the tenant's node's, which could so
 * lead a mount over any directory. The manifest has no such mount by its paths; by a link of the
 * image
 * (/var/run) it may have one all the same. PERMISSION_DENIED names it. */
int nesting_check(const char *root, const struct js *mounts, struct error *err)
    __attribute__((warn_unused_result));
