/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A tenant and a guest in one process on one loop, over loopback TCP: the real channel on both
 * ends, and what each told. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "secure/channel.h"

struct key;
struct loop;

enum { PAIR_CHANNELS_MAX = 16, PAIR_TURNS_MAX = 4000, PAIR_DEADLINES = 4 };

/* A test in which a deadline passes has to get somewhere before it does. On a busy machine it may
 * not, and begins anew with the next of these. */
extern const uint64_t pair_deadlines_ms[PAIR_DEADLINES];

struct outcome { /* of one channel */
    struct channel *channel;
    bool opened, failed, ended, due;
    bool in_order;   /* ended without an error */
    uint64_t due_ms; /* when due was told, of the monotonic clock */
    struct error err;
};

struct pair {
    struct loop *loop;
    struct key *tenant_key, *guest_key, *other_key; /* other: named in initdata as observe */
    struct initdata *initdata;
    uint8_t instance[32];
    uint16_t port;
    bool dials; /* set before pair_listen(): the listener has no socket of its own */
    struct channel_listener *listener;
    struct outcome guest[PAIR_CHANNELS_MAX]; /* opened, in order */
    size_t guest_count;
    size_t refused_count;
    struct error refused; /* the last one */
    void (*serve)(
        struct outcome *guest); /* in the listener's callback, as an agent does; or NULL */
    const struct maker *maker;  /* these are set before pair_listen() */
    channel_produce_fn *produce;
    void *produce_user;
    uint64_t guest_deadline_ms;
    uint64_t records_max, age_ms, retire_ms; /* of what is dialled */
};

void pair_init(struct pair *pair); /* keys and initdata */
void pair_listen(struct pair *pair);
void pair_fini(struct pair *pair);
struct initdata *pair_make_initdata(const struct pair *pair, const char *evidence, uint64_t epoch);

extern const char *const pair_allow_sample[];
struct channel_dial_options pair_dial_options(const struct pair *pair);
/* Dials the listener and runs until the outcome is there. */
void pair_dial(struct pair *pair, const struct channel_dial_options *options, struct outcome *ret);
void pair_join(struct pair *pair, struct outcome *control, struct outcome *ret);
/* A good control connection, open on both ends; the guest's outcome is the newest. */
struct outcome *pair_open(struct pair *pair, struct outcome *tenant);
struct outcome *pair_join_open(struct pair *pair, struct outcome *control, struct outcome *tenant);
/* The same for a connection of another class. */
struct outcome *pair_join_class(struct pair *pair, struct outcome *control,
                                enum channel_class class, struct outcome *tenant);
void outcome_fini(struct outcome *outcome);
void outcome_watch(struct outcome *outcome); /* its end and its due */

/* Turns the loop until *flag or (a test fails by) too long. */
void pair_until(struct pair *pair, const bool *flag);
void pair_until_refused(struct pair *pair, size_t count);
void pair_turns(struct pair *pair, int turns);
int pair_connect(const struct pair *pair);  /* a plain non-blocking TCP socket to the listener */
int pair_socket_listen(uint16_t *ret_port); /* a listening socket on loopback */
