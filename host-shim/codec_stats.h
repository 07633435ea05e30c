/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A machine's usage as the Any that this node's containerd understands. */
#include <stddef.h>
#include <stdint.h>

struct usage;

struct codec_stats {
    const char *type_url; /* static */
    uint8_t *value;       /* the caller frees */
    size_t length;
};

void codec_stats(const struct usage *usage, struct codec_stats *ret);
