/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The manifest of a guest whose initdata says sealed: as it comes in, part by part, and for good
 * once it was accepted. Nothing is parsed of what has not the digest that the initdata names. */
#include <stddef.h>
#include <stdint.h>

#include "sealed_volumes.h"

struct error;
struct manifest;
struct sealed;
struct sealed_slots;

enum { SEALED_DIGEST_SIZE = 48, SEALED_PART_MAX = 256 * 1024 };

struct sealed_part { /* SealPodRequest */
    uint64_t offset;
    uint64_t total;
    const void *data;
    size_t length;
};

/* look: what volumes the guest has. */
struct sealed *sealed_new(const uint8_t digest[SEALED_DIGEST_SIZE], sealed_volumes_look_fn *look,
                          void *user);
void sealed_free(struct sealed *sealed);
static inline void sealed_freep(struct sealed **p)
{
    if (*p)
        sealed_free(*p);
}
/* In order; from offset 0 it begins anew, as whoever has lost his connection may. With the last one
 * the whole is accepted, or it is an error and nothing of it remains. Afterwards the same parts do
 * nothing and others are refused. */
int sealed_put(struct sealed *sealed, const struct sealed_part *part, struct error *err)
    __attribute__((warn_unused_result));
/* NULL: it was not accepted yet. */
const struct manifest *sealed_manifest(const struct sealed *sealed);
/* Of a manifest that was accepted. */
struct sealed_slots *sealed_slots(const struct sealed *sealed);
struct sealed_volumes *sealed_volumes(const struct sealed *sealed);
