/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One byte stream with absolute offsets that outlives connections: the receiving end of an output,
 * the sending end of an input. Pure: no descriptors, no messages. At most WINDOW_SIZE bytes are
 * ever beyond what the receiver has for good. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/scoped.h"

struct digest;
struct error;

enum { WINDOW_SIZE = 256 * 1024 };

struct receive_window {
    uint8_t *ring;     /* WINDOW_SIZE, made with the first byte */
    uint64_t consumed; /* given away for good */
    uint64_t received; /* consumed <= received <= consumed + WINDOW_SIZE */
    uint64_t total;    /* if final */
    bool final;
    uint8_t expected[32]; /* SHA-256 of all bytes, as the sender says */
    struct digest *digest;
};

void receive_window_init(struct receive_window *window);
void receive_window_fini(struct receive_window *window);
/* Bytes that are there already are skipped (a resend after a reconnect); a gap is DATA_LOSS; more
 * than the credit, or bytes after the end, is the guest breaking the protocol: INVALID_ARGUMENT. */
int receive_window_put(struct receive_window *window, uint64_t offset, const uint8_t *data,
                       size_t length, struct error *err) must_check;
/* The same end twice is no error. */
int receive_window_end(struct receive_window *window, uint64_t total, const uint8_t sha256[32],
                       struct error *err) must_check;
/* The next contiguous bytes to give away; NULL if none. */
const uint8_t *receive_window_peek(const struct receive_window *window, size_t *ret_length);
void receive_window_advance(struct receive_window *window, size_t length);
/* All bytes have been given away. */
bool receive_window_complete(const struct receive_window *window);
/* Complete, and the bytes are those that the sender hashed; else DATA_LOSS. */
int receive_window_verify(const struct receive_window *window, struct error *err) must_check;

struct send_window {
    uint8_t *ring;
    uint64_t acknowledged; /* the receiver has these for good */
    uint64_t sent;         /* on this connection */
    uint64_t filled;       /* taken in */
    bool known;            /* the receiver has stated where it is, on this connection */
    bool ended;            /* nothing comes behind `filled` */
    bool end_sent;         /* on this connection */
    struct digest *digest;
};

void send_window_init(struct send_window *window);
void send_window_fini(struct send_window *window);
/* Where to put bytes, and how many; NULL: full or ended. */
uint8_t *send_window_space(struct send_window *window, size_t *ret_length);
void send_window_fill(struct send_window *window, size_t length);
void send_window_finish(struct send_window *window); /* no more bytes */
/* A new connection: nothing may be sent until the receiver has stated where it is. */
void send_window_restart(struct send_window *window);
/* The receiver's statement; one outside of what was sent is INVALID_ARGUMENT. */
int send_window_consumed(struct send_window *window, uint64_t offset, struct error *err) must_check;
/* What to send next (at most max bytes, contiguous); NULL if nothing. */
const uint8_t *send_window_next(const struct send_window *window, size_t max, size_t *ret_length);
void send_window_sent(struct send_window *window, size_t length);
/* The end is due: everything was sent, the end not yet. */
bool send_window_end_due(const struct send_window *window);
void send_window_hash(const struct send_window *window, uint8_t ret[32]);
