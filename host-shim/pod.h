/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the host half of a pod carries, checked: two annotations, perhaps a third, a size, a cgroup.
 * All of it may come from a hostile tenant: everything is bounded here, nothing names a path of the
 * machine's configuration, a URI, a device or a command. Other annotations are not read. */
#include <stddef.h>
#include <stdint.h>

#include "base/dial_out.h"

struct error;
struct host_conf;

#define POD_ANNOTATION_INITDATA "cleave.dev/initdata"
#define POD_ANNOTATION_ID       "cleave.dev/id"
#define POD_ANNOTATION_DIAL_OUT "cleave.dev/dial-out" /* may be absent: the guest listens */

enum {
    POD_INITDATA_MAX = 16 * 1024,
    POD_ID_LENGTH = 32, /* sandbox_id in hex */
    POD_CGROUP_MAX = 512,
};

#define POD_MEMORY_MIN (UINT64_C(128) << 20) /* below this no guest image boots */

/* Borrowed, as it stood in the PodSandboxConfig. A protobuf map may repeat a key. */
struct pod_annotation {
    const char *key;
    const char *value;
};

struct pod_resources { /* 0: not given */
    int64_t cpu_period;
    int64_t cpu_quota;
    int64_t memory;
};

struct pod_input {
    const struct pod_annotation *annotations;
    size_t annotation_count;
    /* The machine gets these and nothing more. The pod's overhead is what QEMU needs besides: it
     * is in the limits of the pod's cgroup already, and is not read. */
    struct pod_resources resources;
    const char *cgroup_parent; /* NULL or "": none */
    const char *netns;         /* from CreateSandbox, not from the tenant */
};

struct pod {
    uint8_t *initdata;
    size_t initdata_length;
    char id[POD_ID_LENGTH + 1];
    uint32_t vcpus;
    uint64_t memory;     /* whole MiB */
    char *cgroup_parent; /* absolute path below each controller, or NULL */
    char *netns;
    struct dial_out dial_out; /* family 0: none */
};

int pod_read(const struct pod_input *input, const struct host_conf *conf, struct pod *ret,
             struct error *err) __attribute__((warn_unused_result));
void pod_fini(struct pod *pod);
