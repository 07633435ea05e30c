/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The pod's volumes as the manifest has them, by their names. */

#include <stdbool.h>

struct error;
struct js;

int volumes_describe(const struct js *list, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Whatever its mounts say: copies, images, and what is mounted so on the node. */
bool volumes_is_read_only(const struct js *list, const char *name);
