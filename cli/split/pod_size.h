/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a pod's containers may use together, as Kubernetes counts it for its scheduler: the sum of
 * the app containers and sidecars, or what the largest init container needs beside the sidecars
 * that run by then.
 *
 * One thing is counted otherwise, because a machine has a size and no more than that: a container
 * that requests and names no limit counts as if the request were its limit. */
#include <stdint.h>

struct error;
struct js;

enum pod_resource { POD_CPU /* thousandths */, POD_MEMORY /* bytes */, POD_RESOURCES };

struct pod_size {
    int64_t limits[POD_RESOURCES]; /* 0: no container says anything */
    int64_t requests[POD_RESOURCES];
};

int pod_size_read(const struct js *pod, struct pod_size *ret, struct error *err)
    __attribute__((warn_unused_result));
/* An object {"limits": {"cpu": "1500m", ...}, "requests": ...}, of what is not 0. */
struct js *pod_size_print(const struct pod_size *size);
