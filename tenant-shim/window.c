/* SPDX-License-Identifier: Apache-2.0 */
#include "window.h"

#include <inttypes.h>
#include <string.h>

#include "base/digest.h"
#include "base/error.h"

static size_t smaller(uint64_t a, uint64_t b)
{
    return (size_t) (a < b ? a : b);
}

/* From an offset to the ring's end. */
static size_t until_wrap(uint64_t offset)
{
    return WINDOW_SIZE - (size_t) (offset % WINDOW_SIZE);
}

static void need_ring(uint8_t **ring)
{
    if (!*ring)
        *ring = xalloc(WINDOW_SIZE);
}

void receive_window_init(struct receive_window *window)
{
    *window = (struct receive_window){.digest = digest_new(DIGEST_SHA256)};
}

void receive_window_fini(struct receive_window *window)
{
    free(window->ring);
    if (window->digest)
        digest_free(window->digest);
    *window = (struct receive_window){0};
}

int receive_window_put(struct receive_window *window, uint64_t offset, const uint8_t *data,
                       size_t length, struct error *err)
{
    if (offset > window->received)
        return error_set(err, STATUS_DATA_LOSS, "bytes %" PRIu64 " to %" PRIu64 " are missing",
                         window->received, offset);
    if (offset + length < offset || offset + length > window->consumed + WINDOW_SIZE)
        return error_set(err, STATUS_INVALID_ARGUMENT, "more bytes than the credit allows");
    if (window->final && offset + length > window->total)
        return error_set(err, STATUS_INVALID_ARGUMENT, "bytes after the end");
    if (offset + length <= window->received)
        return 0;
    data += window->received - offset;
    length -= (size_t) (window->received - offset);
    need_ring(&window->ring);
    while (length > 0) {
        size_t n = smaller(length, until_wrap(window->received));

        memcpy(window->ring + window->received % WINDOW_SIZE, data, n);
        window->received += n;
        data += n;
        length -= n;
    }
    return 0;
}

int receive_window_end(struct receive_window *window, uint64_t total, const uint8_t sha256[32],
                       struct error *err)
{
    if (window->final && (window->total != total || memcmp(window->expected, sha256, 32) != 0))
        return error_set(err, STATUS_INVALID_ARGUMENT, "two different ends");
    if (total < window->received)
        return error_set(err, STATUS_INVALID_ARGUMENT, "an end before bytes that were sent");
    if (total > window->received)
        return error_set(err, STATUS_DATA_LOSS, "bytes %" PRIu64 " to %" PRIu64 " are missing",
                         window->received, total);
    window->final = true;
    window->total = total;
    memcpy(window->expected, sha256, 32);
    return 0;
}

const uint8_t *receive_window_peek(const struct receive_window *window, size_t *ret_length)
{
    if (window->consumed == window->received)
        return NULL;
    *ret_length = smaller(window->received - window->consumed, until_wrap(window->consumed));
    return window->ring + window->consumed % WINDOW_SIZE;
}

void receive_window_advance(struct receive_window *window, size_t length)
{
    digest_update(window->digest, window->ring + window->consumed % WINDOW_SIZE, length);
    window->consumed += length;
}

bool receive_window_complete(const struct receive_window *window)
{
    return window->final && window->consumed == window->total;
}

int receive_window_verify(const struct receive_window *window, struct error *err)
{
    uint8_t actual[SHA256_SIZE];

    if (!receive_window_complete(window))
        return error_set(err, STATUS_DATA_LOSS, "cut off after %" PRIu64 " bytes",
                         window->consumed);
    digest_value(window->digest, actual);
    if (memcmp(actual, window->expected, sizeof(actual)) != 0)
        return error_set(err, STATUS_DATA_LOSS, "other bytes arrived than were sent");
    return 0;
}

void send_window_init(struct send_window *window)
{
    *window = (struct send_window){.digest = digest_new(DIGEST_SHA256)};
}

void send_window_fini(struct send_window *window)
{
    free(window->ring);
    if (window->digest)
        digest_free(window->digest);
    *window = (struct send_window){0};
}

uint8_t *send_window_space(struct send_window *window, size_t *ret_length)
{
    uint64_t room = window->acknowledged + WINDOW_SIZE - window->filled;

    if (room == 0 || window->ended)
        return NULL;
    need_ring(&window->ring);
    *ret_length = smaller(room, until_wrap(window->filled));
    return window->ring + window->filled % WINDOW_SIZE;
}

void send_window_fill(struct send_window *window, size_t length)
{
    digest_update(window->digest, window->ring + window->filled % WINDOW_SIZE, length);
    window->filled += length;
}

void send_window_finish(struct send_window *window)
{
    window->ended = true;
}

void send_window_restart(struct send_window *window)
{
    window->known = false;
    window->end_sent = false;
    window->sent = window->acknowledged;
}

int send_window_consumed(struct send_window *window, uint64_t offset, struct error *err)
{
    if (offset < window->acknowledged || offset > window->filled)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the guest states offset %" PRIu64 " of an input between %" PRIu64
                         " and %" PRIu64,
                         offset, window->acknowledged, window->filled);
    window->acknowledged = offset;
    if (!window->known || window->sent < offset)
        window->sent = offset;
    window->known = true;
    return 0;
}

const uint8_t *send_window_next(const struct send_window *window, size_t max, size_t *ret_length)
{
    if (!window->known || window->sent == window->filled)
        return NULL;
    *ret_length = smaller(max, smaller(window->filled - window->sent, until_wrap(window->sent)));
    return window->ring + window->sent % WINDOW_SIZE;
}

void send_window_sent(struct send_window *window, size_t length)
{
    window->sent += length;
}

bool send_window_end_due(const struct send_window *window)
{
    return window->known && window->ended && window->sent == window->filled && !window->end_sent;
}

void send_window_hash(const struct send_window *window, uint8_t ret[32])
{
    digest_value(window->digest, ret);
}
