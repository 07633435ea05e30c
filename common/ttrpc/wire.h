/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A message written by hand into memory of the caller's, for the few that are asked for all the
 * time: a packer that is driven by descriptors costs as much as all the rest of such a call.
 * Protobuf's rule for what is absent holds: an empty text and a zero are not written. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
    uint8_t *at;
    const uint8_t *end;
    bool full; /* it did not fit; nothing more is written */
};

void wire_init(struct wire *wire, uint8_t *buffer, size_t size);
/* Fields up to 15, so that a tag is one byte. */
void wire_number(struct wire *wire, unsigned field, uint64_t value);
void wire_text(struct wire *wire, unsigned field, const char *text); /* NULL: as "" */
void wire_bytes(struct wire *wire, unsigned field, const void *bytes, size_t length);
