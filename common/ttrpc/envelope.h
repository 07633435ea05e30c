/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The Request around a message: its fields point into the frame. Decoded by hand, because a generic
 * decoder would allocate one object per metadata entry, of which a frame can hold a million. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame;

struct envelope {
    const uint8_t *service, *method, *payload, *ns;
    size_t service_length, method_length, payload_length, ns_length;
    int64_t timeout_ns;
};

/* Into a zeroed one. False: it is not a Request. */
bool envelope_read(const struct frame *frame, struct envelope *ret);
