/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Moves bytes between a TLS connection and the inner end of a socket pair, without blocking and
 * with back-pressure both ways. Run on the loop (control) or by a thread of its own (bulk). */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct loop;
struct pump_runner;
struct tls;

enum { PUMP_BUFFER = 16 * 1024, PUMP_LINGER_MS = 2000 };

struct pump_options {
    struct tls *tls;      /* borrowed; nobody else touches it until the runner is freed */
    int socket;           /* under it; borrowed */
    int plain;            /* borrowed; non-blocking */
    uint64_t records_max; /* then `due`; twice as many end it */
};

enum pump_stage { PUMP_RUN, PUMP_CLOSE, PUMP_LINGER };

struct pump_half {
    uint8_t data[PUMP_BUFFER];
    size_t offset, length;
};

struct pump {
    struct pump_options options;
    enum pump_stage stage;
    bool plain_ended;  /* nothing more to read from it */
    bool plain_broken; /* nobody reads it any more */
    bool tls_ended;
    uint64_t linger_until;
    struct pump_half up;   /* plain -> TLS */
    struct pump_half down; /* TLS -> plain */
};

enum pump_result { PUMP_WAIT, PUMP_AGAIN, PUMP_DONE, PUMP_FAILED };

struct pump_wants { /* LOOP_READ, LOOP_WRITE */
    uint32_t socket, plain;
    uint64_t timeout_ms; /* 0: none */
};

/* As much as is possible now, within bounds. PUMP_AGAIN: there is more to do at once. */
enum pump_result pump_step(struct pump *pump, struct pump_wants *wants, struct error *err);
bool pump_due(const struct pump *pump);

struct pump_events {
    void (*ended)(void *user, const struct error *err); /* NULL: in order. Once; may free it */
    void (*due)(void *user);                            /* once */
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
