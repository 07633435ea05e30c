/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A random name of this node's own, kept for good: it stands in the metadata of its domains,
 * because one libvirt can serve several nodes, and sweeping must not touch a stranger's. */

struct error;

/* The caller frees. Made at the first call. */
int node_name(char **ret, struct error *err) __attribute__((warn_unused_result));
