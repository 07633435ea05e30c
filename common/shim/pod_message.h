/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The PodSandboxConfig that CreateSandbox brings, unpacked within bounds: on both nodes it is
 * written by whoever may create pods. */
#include <stddef.h>
#include <stdint.h>

struct error;

enum { POD_MESSAGE_MAX = 1024 * 1024, POD_MESSAGE_ANNOTATIONS_MAX = 1024 };

#define POD_MESSAGE_TYPE "runtime.v1.PodSandboxConfig"

struct Cri__PodSandboxConfig; /* cri.pb-c.h */

/* RESOURCE_EXHAUSTED for what is, or would become, too large; INVALID_ARGUMENT. Unknown fields are
 * skipped. */
int pod_message_unpack(const uint8_t *data, size_t length, struct Cri__PodSandboxConfig **ret,
                       struct error *err) __attribute__((warn_unused_result));
void pod_message_free(struct Cri__PodSandboxConfig *config);
static inline void pod_message_freep(struct Cri__PodSandboxConfig **p)
{
    if (*p)
        pod_message_free(*p);
}
