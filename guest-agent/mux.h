/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* All byte streams of all processes over one connection. A stream is a lane; lanes with something
 * to send take turns, one piece each, so a flood delays the others by one piece per turn and not
 * more. Knows no wire format: the link does. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow.h"

struct error;
struct mux;

enum mux_kind { MUX_DATA, MUX_CONSUMED, MUX_FINAL, MUX_ERROR };

struct mux_frame {
    const char *container_id;
    const char *exec_id;
    unsigned fd;
    enum mux_kind kind;
    uint64_t offset; /* of DATA; consumed; total of FINAL */
    const uint8_t *data;
    size_t length;
    const uint8_t *digest; /* FINAL: 32 bytes */
    const char *text;      /* ERROR */
};

/* The connection. */
struct mux_link {
    bool (*writable)(void *user);
    void (*send)(void *user, const struct mux_frame *frame);
    void (*replaced)(void *user); /* by a newer one */
};

struct mux_lane_events {
    void (*on_room)(void *user);  /* output: bytes were consumed */
    void (*on_input)(void *user); /* input: bytes came, or the end is known */
};

struct mux_lane {
    struct mux *mux;
    struct mux_lane *next; /* of all lanes */
    struct mux_lane *next_ready;
    bool queued;
    const char *container_id; /* borrowed: they outlive the lane */
    const char *exec_id;
    unsigned fd; /* 0: in, 1 and 2: out */
    union {
        struct outflow out;
        struct inflow in;
    };
    const struct mux_lane_events *events;
    void *user;
};

struct mux *mux_new(void);
void mux_free(struct mux *mux); /* its lanes are gone */
/* The peer has all output there will be, and was told that it is all. */
bool mux_is_drained(const struct mux *mux);
/* fn runs whenever that may have become true by a frame. */
void mux_on_drained(struct mux *mux, void (*fn)(void *user), void *user);

/* Lane: storage of the caller's. Its id strings, fd, events and user are set before. */
void mux_add(struct mux *mux, struct mux_lane *lane);
void mux_remove(struct mux_lane *lane);
/* The lane may have something to send now. */
void mux_wake(struct mux_lane *lane);

/* A new connection takes over from an older one. */
void mux_attach(struct mux *mux, const struct mux_link *link, void *user);
/* The connection is gone; `user` as it was attached: if another took over meanwhile, nothing. */
void mux_detach(struct mux *mux, const void *user);
bool mux_is_attached(const struct mux *mux, const void *user);
void mux_writable(struct mux *mux);
/* What the tenant sent. A frame that breaks the rules is answered with an ERROR on its stream. */
void mux_receive(struct mux *mux, const struct mux_frame *frame);
