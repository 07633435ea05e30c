/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The host half of a split pod: a shell that the host's cluster turns into a machine. It says
 * where, how large and for how long, and nothing of what runs in it (docs/spec-split.md). */
#include <stddef.h>
#include <stdint.h>

struct error;
struct js;

#define HOST_HALF_CLASS     "cleave-host" /* deploy/runtimeclass.yaml */
#define HOST_HALF_NAMESPACE "cleave"
#define HOST_HALF_CONTAINER "anchor"
#define LINK_ANNOTATION     "cleave.dev/link" /* the same in both halves */

enum { LINK_SIZE = 32, HOST_HALF_LABELS_MAX = 16 };
#define HOST_HALF_GUEST_MEMORY (INT64_C(512) << 20)

struct host_half_options {
    char link[LINK_SIZE + 1];                 /* random, 32 hexadecimal digits */
    const char *anchor_image;                 /* never started, but containerd wants one */
    const char *labels[HOST_HALF_LABELS_MAX]; /* keys of the pod's labels that the host may see */
    size_t label_count;
    /* Bytes for the guest itself (kernel, agent, images), added to what its containers may use: as
     * default_memory in tenant.conf, which a provisioner adds. */
    int64_t guest_memory;
};

void host_half_new_link(char ret[LINK_SIZE + 1]);
/* Of a normalised pod (halves.h). */
int host_half_make(const struct js *pod, const struct host_half_options *options, struct js **ret,
                   struct error *err) __attribute__((warn_unused_result));
/* That this is what host_half_make() makes of this pod, with whatever options. */
int host_half_check(const struct js *half, const struct js *pod, struct error *err)
    __attribute__((warn_unused_result));
