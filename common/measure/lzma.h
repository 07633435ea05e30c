/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* LZMA in its oldest container (properties, size, data), which is what firmware uses; the one
 * adapter of liblzma. */
#include <stddef.h>
#include <stdint.h>

struct error;

/* Refuses more than `limit` bytes, by what the header says, before allocating. The caller frees. */
int lzma_unpack(const uint8_t *packed, size_t size, size_t limit, uint8_t **ret, size_t *ret_size,
                struct error *err) __attribute__((warn_unused_result));
