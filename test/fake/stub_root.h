/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The file system that a stub guest sees: the image's tree, read-only as in a machine, and the
 * mounts that its kernel would make. */
#include <stddef.h>

struct error;

struct stub_root {
    const char *tree;
    const char *agent; /* shown at STUB_AGENT; NULL: the tree's own */
    const void *initdata;
    size_t initdata_length;
    const void *net;
    size_t net_length;
};

#define STUB_AGENT    "/usr/bin/cleave-agent"
#define STUB_INITDATA "/run/disk-initdata"
#define STUB_NET      "/run/disk-net"

/* In new mount, pid and cgroup namespaces and in the guest's network namespace. */
int stub_root_enter(const struct stub_root *root, struct error *err)
    __attribute__((warn_unused_result));
