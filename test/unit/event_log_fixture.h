/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Builds event logs. */
#include <stdint.h>
#include <string.h>

#include "base/digest.h"
#include "evidence/event_log.h"

enum { LOG_ROOM = 8192, LOG_EVENTS_MAX = 32 };

struct made_log {
    uint8_t data[LOG_ROOM];
    size_t size;
    size_t starts[LOG_EVENTS_MAX]; /* of each event; of the first one too */
    size_t events;
    int only_sha384; /* as a CCEL is; else SHA-1, SHA-256, SHA-384 */
};

struct made_event {
    uint32_t index, type;
    const void *data;
    size_t size;
    const void *hashed; /* what the digests are of; NULL: the data */
    size_t hashed_size;
};

static inline void put(struct made_log *log, const void *data, size_t size)
{
    if (size)
        memcpy(log->data + log->size, data, size);
    log->size += size;
}
static inline void put_le(struct made_log *log, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        log->data[log->size++] = (uint8_t) (value >> 8 * i);
}
static inline void put_spec_id(struct made_log *log)
{
    static const uint8_t zeros[20];
    size_t count = log->only_sha384 ? 1 : 3;

    log->starts[log->events++] = log->size;
    put_le(log, 0, 4);
    put_le(log, EVENT_NO_ACTION, 4);
    put(log, zeros, sizeof(zeros));
    put_le(log, 16 + 12 + 4 * count + 1, 4);
    put(log, "Spec ID Event03", 16);
    put_le(log, 0, 4);          /* platformClass */
    put_le(log, 0x02000200, 4); /* minor 0, major 2, errata 0, uintnSize 2 */
    put_le(log, count, 4);
    if (!log->only_sha384) {
        put_le(log, EVENT_SHA1 | 20 << 16, 4);
        put_le(log, EVENT_SHA256 | 32 << 16, 4);
    }
    put_le(log, EVENT_SHA384 | 48 << 16, 4);
    put_le(log, 0, 1); /* vendorInfoSize */
}
static inline void put_event(struct made_log *log, const struct made_event *event)
{
    static const uint8_t sha1[20] = "not used by anybody";
    const void *hashed = event->hashed ? event->hashed : event->data;
    size_t hashed_size = event->hashed ? event->hashed_size : event->size;
    uint8_t digest[SHA384_SIZE];

    log->starts[log->events++] = log->size;
    put_le(log, event->index, 4);
    put_le(log, event->type, 4);
    put_le(log, log->only_sha384 ? 1 : 3, 4);
    if (!log->only_sha384) {
        put_le(log, EVENT_SHA1, 2);
        put(log, sha1, sizeof(sha1));
        put_le(log, EVENT_SHA256, 2);
        digest_sha256(hashed, hashed_size, digest);
        put(log, digest, SHA256_SIZE);
    }
    put_le(log, EVENT_SHA384, 2);
    digest_sha384(hashed, hashed_size, digest);
    put(log, digest, SHA384_SIZE);
    put_le(log, event->size, 4);
    put(log, event->data, event->size);
}
