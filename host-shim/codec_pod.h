/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A PodSandboxConfig as struct pod_input. Unknown fields are skipped. */
#include <stddef.h>
#include <stdint.h>
#include "pod.h"
#include "shim/pod_message.h"

struct error;

struct codec_pod; /* owns what the input borrows */

int codec_pod_decode(const uint8_t *data, size_t length, struct codec_pod **ret, struct error *err)
    __attribute__((warn_unused_result));
void codec_pod_free(struct codec_pod *pod);
static inline void codec_pod_freep(struct codec_pod **p)
{
    if (*p)
        codec_pod_free(*p);
}
/* netns is left NULL. */
void codec_pod_input(const struct codec_pod *pod, struct pod_input *ret);
