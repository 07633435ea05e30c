/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which paths of this node are never shared, by their names. What is there (a socket, a device, a
 * view of the kernel behind a link) is looked at by who opens it: cleave-share. */
#include <stdbool.h>
#include "base/scoped.h"

struct error;
struct volume_node;

int share_rules_check(const struct volume_node *node, const char *path,
                      struct error *err) must_check;
/* containerd's mount of an image that is a volume: of its own state all that is shared, and only
 * read-only. */
bool share_rules_is_image(const char *path);
