/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Moves bytes between a TLS connection and its plain end, without blocking and with back-pressure
 * both ways. Run on the loop (control) or by a thread of its own. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct loop;
struct pump_runner;
struct tls;

enum { PUMP_LINGER_MS = 2000 };

enum pump_plain_output {
    PUMP_PLAIN_BYTES,
    PUMP_PLAIN_NOTHING, /* now */
    PUMP_PLAIN_ENDED,   /* in order: nothing follows, and no call but those that take */
    PUMP_PLAIN_OVER,    /* its owner knows: the pump stops where it is */
};

/* What the plain end is waited for. */
struct pump_plain_wants {
    uint32_t events;      /* LOOP_READ, LOOP_WRITE on its descriptor; 0: it is not polled */
    uint64_t patience_ms; /* then `rest`; 0: never. A pump on the loop has no patience */
};

/* The plain end. Called by whoever runs the pump, which nobody else may do meanwhile. */
struct pump_plain_ops {
    /* What goes to the peer next. Only after all of it was sent is it asked for more. */
    enum pump_plain_output (*output)(void *user, const uint8_t **ret, size_t *ret_length);
    void (*sent)(void *user, size_t length);
    /* Where to put what comes from the peer; NULL: it cannot take more now, or still has some of
     * what came to hand on. Then how much came; -1: over, as above. */
    uint8_t *(*space)(void *user, size_t *ret_length);
    int (*received)(void *user, size_t length);
    struct pump_plain_wants (*wants)(void *user);
    void (*rest)(void *user); /* nothing has happened for so long */
};

struct pump_plain {
    const struct pump_plain_ops *ops;
    void *user;
    int fd; /* that is polled for it; does not block. Borrowed */
};

struct pump_options {
    struct tls *tls; /* borrowed; nobody else touches it until the runner is freed */
    int socket;      /* under it; borrowed */
    struct pump_plain plain;
    uint64_t records_max; /* then `due`; twice as many end it */
};

enum pump_stage { PUMP_RUN, PUMP_CLOSE, PUMP_LINGER };

struct pump {
    struct pump_options options;
    enum pump_stage stage;
    bool plain_ended; /* nothing more to read from it */
    bool tls_ended;
    uint64_t linger_until;
    const uint8_t *up; /* of the plain end's, on its way to TLS */
    size_t up_length;
};

/* LEFT: the plain end is over. */
enum pump_result { PUMP_WAIT, PUMP_AGAIN, PUMP_DONE, PUMP_LEFT, PUMP_FAILED };

struct pump_wants { /* LOOP_READ, LOOP_WRITE */
    uint32_t socket, plain;
    uint64_t timeout_ms; /* 0: none */
};

/* As much as is possible now, within bounds. PUMP_AGAIN: there is more to do at once. */
enum pump_result pump_step(struct pump *pump, struct pump_wants *wants, struct error *err);
bool pump_due(const struct pump *pump);
/* Nothing has happened for wants.timeout_ms. */
void pump_rest(struct pump *pump);

struct pump_events {
    /* NULL: in order. Once; may free it. Not if the plain end is over. */
    void (*ended)(void *user, const struct error *err);
    void (*due)(void *user); /* once */
};

/* Events come on the loop. */
int pump_run_on_loop(struct loop *loop, const struct pump_options *options,
                     const struct pump_events *events, void *user, struct pump_runner **ret,
                     struct error *err) __attribute__((warn_unused_result));
int pump_run_in_thread(struct loop *loop, const struct pump_options *options,
                       const struct pump_events *events, void *user, struct pump_runner **ret,
                       struct error *err) __attribute__((warn_unused_result));
/* Stops at once (a thread has ended when this returns); no event comes after this. */
void pump_runner_free(struct pump_runner *runner);
