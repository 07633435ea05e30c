/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One byte stream of a process, as offsets and a bounded buffer; no descriptors. Offsets are
 * absolute. A byte stays in the buffer until its receiver has it for good (`consumed`), so a new
 * connection can go on where the old one was cut. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct digest;
struct error;

enum {
    FLOW_CREDIT = 256 * 1024, /* the buffer, and so the bytes in flight */
    FLOW_PIECE_MAX = 64 * 1024,
};

/* Output: the process writes, the tenant receives. consumed <= sent <= end <= consumed + CREDIT. */
struct outflow {
    uint8_t *ring; /* only while it is needed */
    uint64_t consumed;
    uint64_t sent;
    uint64_t end;
    bool finished;   /* no byte comes after end */
    bool attached;   /* a connection has stated `consumed` */
    bool final_sent; /* on this connection */
    bool over;       /* once: consumed to the end, and told that it is */
    struct digest *digest;
};

struct flow_piece {
    uint64_t offset;
    const uint8_t *data;
    size_t length;      /* 0: the final record */
    uint8_t digest[32]; /* of the final record */
};

void outflow_init(struct outflow *flow);
void outflow_fini(struct outflow *flow);
/* Room for bytes of the process, contiguous; length 0: full, let the writer block. */
uint8_t *outflow_reserve(struct outflow *flow, size_t *ret_length);
void outflow_commit(struct outflow *flow, size_t length);
void outflow_finish(struct outflow *flow);
/* The receiver's statement: the first on a connection says where to go on. */
int outflow_consume(struct outflow *flow, uint64_t consumed, struct error *err)
    __attribute__((warn_unused_result));
void outflow_detach(struct outflow *flow);
bool outflow_ready(const struct outflow *flow); /* there is something to send */
/* The receiver has every byte for good and was told that there are no more: it need not come back.
 */
bool outflow_is_over(const struct outflow *flow);
/* Takes the next piece; its data lives until the next call on this flow. */
struct flow_piece outflow_next(struct outflow *flow);

/* Input: the tenant sends, the process reads. */
struct inflow {
    uint8_t *ring;
    uint64_t consumed; /* the process's pipe has it */
    uint64_t received;
    uint64_t closes_at; /* UINT64_MAX: not known */
    uint64_t announced; /* the last `consumed` that was sent, on this connection */
    bool greeted;       /* it was sent at all on this connection */
    bool broken;        /* nobody reads any more: bytes are taken and dropped */
};

void inflow_init(struct inflow *flow);
void inflow_fini(struct inflow *flow);
/* Bytes that are there already are skipped. A gap, or more than the credit, is an error. */
int inflow_receive(struct inflow *flow, uint64_t offset, const struct flow_piece *piece,
                   struct error *err) __attribute__((warn_unused_result));
int inflow_close_at(struct inflow *flow, uint64_t offset, struct error *err)
    __attribute__((warn_unused_result));
/* What to write next, contiguous; length 0: nothing. */
const uint8_t *inflow_peek(const struct inflow *flow, size_t *ret_length);
void inflow_drop(struct inflow *flow, size_t length);
void inflow_break(struct inflow *flow);
bool inflow_at_end(const struct inflow *flow);
void inflow_detach(struct inflow *flow);
/* A statement of `consumed` is due: first on a connection, then in steps. */
bool inflow_ready(const struct inflow *flow);
uint64_t inflow_announce(struct inflow *flow);
