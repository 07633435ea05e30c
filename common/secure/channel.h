/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The attested channel. A `struct channel` is one connection between a tenant and a guest: first
 * TLS, then the appraisal (control) or the proof of belonging (bulk), then a plaintext descriptor
 * and nothing else. Before that no byte passes in either direction.
 *
 * Everything here runs on the loop's thread. Callbacks come from the loop, never from inside the
 * call that caused them, and may free the channel. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/evidence.h"
#include "secure/initdata.h"
#include "secure/transport.h"

struct channel;
struct channel_listener;
struct error;
struct key;
struct loop;
struct maker;
struct shuttle;

enum channel_class { CHANNEL_CONTROL = 1, CHANNEL_BULK, CHANNEL_FRAMES, CHANNEL_SHARE };

enum {
    CHANNEL_PORT = 7433,
    CHANNEL_DEADLINE_MS = 10 * 1000, /* from connect (dial-out: from waiting) to ACCEPT */
    CHANNEL_HANDSHAKES_MAX = 2,      /* in flight, in a guest */
    CHANNEL_JOINED_MAX = 8,          /* connections that belong to one control */
    CHANNEL_RETIRE_MS = 60 * 1000,
    CHANNEL_RECORDS_MAX = 1 << 24, /* in one direction; twice as many end the connection */
    CHANNEL_AGE_MS = 24 * 60 * 60 * 1000,
};

/* ---- any channel ----------------------------------------------------------------------------- */

/* Ends the connection if it lives, and what joined it; no callback comes after this. */
void channel_free(struct channel *channel);
static inline void channel_freep(struct channel **p)
{
    if (*p)
        channel_free(*p);
}

/* The plaintext end: a connected, non-blocking stream socket. Once; the caller owns it. Closing it
 * ends the channel after what was written has been sent. */
int channel_take_fd(struct channel *channel, int *ret_fd, struct error *err)
    __attribute__((warn_unused_result));

/* Instead, of the class share: a thread of the channel's drives it, until it says that it is over,
 * the channel has ended or is freed. Borrowed until then. */
int channel_carry(struct channel *channel, struct shuttle *shuttle, struct error *err)
    __attribute__((warn_unused_result));

/* After the channel was open and ended: err NULL if in order (either side closed). Once. */
typedef void channel_end_fn(void *user, struct channel *channel, const struct error *err);
void channel_on_end(struct channel *channel, channel_end_fn *fn, void *user);

/* Once, when 2^24 records went one way or 24 h passed: open a new one, then retire this. */
typedef void channel_due_fn(void *user, struct channel *channel);
void channel_on_replacement_due(struct channel *channel, channel_due_fn *fn, void *user);
/* A replacement has taken over: ends by itself when its plaintext end is closed, or after
 * CHANNEL_RETIRE_MS. The guest does it to an older control when the same key opens a newer one. */
void channel_retire(struct channel *channel);

struct channel_facts {
    enum channel_class class;
    enum peer_role role;  /* of the tenant's key in initdata */
    const char *evidence; /* name of the type; of the control's, if joined */
    const char *anchor;   /* whose word it is: "hardware", "host-vtpm", "none" */
    bool insecure;        /* it proves nothing */
    uint16_t tls_version;
    uint16_t appraisals; /* number of the last one */
    /* What it proved; of a joined connection: its control. */
    uint8_t measurement[EVIDENCE_MEASUREMENT_SIZE], chip[EVIDENCE_CHIP_MAX];
    size_t measurement_size, chip_size;
    uint8_t guest_spki[32];
    uint8_t tenant_spki[32];
    uint8_t instance[32];
    uint64_t opened_ms; /* clock_monotonic_ms */
};
struct channel_facts channel_facts(const struct channel *channel);
const uint8_t *channel_instance(const struct channel *channel); /* 32 bytes */
const char *channel_class_name(enum channel_class class);
/* May it join a control? */
bool channel_class_joins(enum channel_class class);
/* After JOINED come bytes of its own and no gRPC, for which a break is better than a wait. */
bool channel_class_is_raw(enum channel_class class);
/* The control that this one joined; NULL for a control, and after that control has ended. */
struct channel *channel_control(const struct channel *channel);

/* ---- tenant: dials --------------------------------------------------------------------------- */

/* Brings the policy up to date (time, reference values). -1: nothing is appraised by it now. */
typedef int channel_policy_fn(void *user, struct evidence_policy *policy, struct error *err);

struct channel_dial_options {
    struct endpoint endpoint;
    const struct key *key;           /* borrowed; outlives the channel and what joins it */
    const struct initdata *initdata; /* borrowed, likewise; its limits name the evidence type */
    struct evidence_policy policy;   /* what it points to is borrowed, likewise */
    channel_policy_fn *refresh;      /* before each appraisal; NULL: the policy stays as it is */
    void *refresh_user;
    const uint8_t *instance; /* 32 bytes: the boot that it must be; NULL: any. Copied */
    uint64_t deadline_ms;    /* 0: CHANNEL_DEADLINE_MS */
    uint64_t records_max;    /* 0: CHANNEL_RECORDS_MAX */
    uint64_t age_ms;         /* 0: CHANNEL_AGE_MS */
    uint64_t retire_ms;      /* 0: CHANNEL_RETIRE_MS */
};

/* Once: open (err NULL) or failed; err names the check. After a failure only channel_free() is left
 * to do. */
typedef void channel_open_fn(void *user, struct channel *channel, const struct error *err);

/* Control: connects, shakes hands, appraises. By dial-out, where strangers may dial in too, each
 * offer is tried until one passes or the deadline does. channel_free() before `opened` cancels. An
 * insecure evidence type that the policy does not name is refused here, before a byte is sent. */
int channel_dial(struct loop *loop, const struct channel_dial_options *options,
                 channel_open_fn *opened, void *user, struct channel **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Another connection that joins an open control, to the same endpoint with the same keys. One of
 * the classes frames and share ends when its peer is not heard of for 3 s. */
int channel_join(struct channel *control, enum channel_class class, channel_open_fn *opened,
                 void *user, struct channel **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Before it is open: there is a connection (by dial-out one need not be asked for), so that waiting
 * is worth while. */
bool channel_is_reached(const struct channel *channel);
/* A later appraisal of an open control. nonce: 32 fresh random bytes; number: larger than any
 * before (1 was the first). On failure the caller ends the channel. *ret_failed: the
 * check of the evidence that failed; APPRAISAL_OK with a failure: it could not be judged. */
struct appraise_answer {
    const uint8_t *nonce; /* 32 bytes, as sent */
    uint32_t number;
    const uint8_t *body; /* of an EVIDENCE frame */
    size_t length;
};
int channel_appraise_verify(struct channel *control, const struct appraise_answer *answer,
                            enum appraisal_check *ret_failed, struct error *err)
    __attribute__((warn_unused_result));

/* ---- guest: accepts -------------------------------------------------------------------------- */

/* Makes evidence that takes no time. */
typedef int channel_produce_fn(void *user, const struct evidence_request *request,
                               struct evidence_output *output, struct error *err);

struct channel_listener_options {
    int fd; /* listening TCP socket, in `outer`; taken, also on failure. -1: it only gets */
    const struct key *key;           /* made at boot; borrowed, outlives the listener */
    const struct initdata *initdata; /* borrowed, likewise */
    const uint8_t *instance;         /* 32 bytes, made at boot; copied */
    const struct maker *maker;   /* of what takes time; borrowed, likewise. NULL: nothing does */
    channel_produce_fn *produce; /* without a maker; NULL: the type's own */
    void *produce_user;
    uint64_t deadline_ms; /* 0: CHANNEL_DEADLINE_MS */
};

struct channel_listener_events {
    /* An open channel; the receiver owns it, takes its descriptor and sets its callbacks. */
    void (*opened)(void *user, struct channel *channel);
    /* A peer was refused; err says why. For the log; may be NULL. */
    void (*refused)(void *user, const struct error *err);
};

/* Reserves the memory for its handshakes now. */
int channel_listen(struct loop *loop, const struct channel_listener_options *options,
                   const struct channel_listener_events *events, void *user,
                   struct channel_listener **ret, struct error *err)
    __attribute__((warn_unused_result));
/* Stops listening and ends what is not open yet. Open channels belong to their receivers, who free
 * them first. */
void channel_listener_free(struct channel_listener *listener);
static inline void channel_listener_freep(struct channel_listener **p)
{
    if (*p)
        channel_listener_free(*p);
}
/* A connected, non-blocking socket that came about otherwise (dial-out), taken as if it had been
 * accepted just now. */
void channel_listener_take(struct channel_listener *listener, int fd);
/* For Appraise: fresh evidence on an open control, one at a time. Numbers only grow. made runs
 * once, unless it is cancelled or the channel ends: err NULL, and the body of an EVIDENCE frame for
 * the length of the call; or why there is none. */
struct appraise_question {
    const uint8_t *nonce; /* 32 bytes */
    uint32_t number;
};
typedef void channel_evidence_fn(void *user, const uint8_t *body, size_t length,
                                 const struct error *err);
int channel_evidence(struct channel *control, const struct appraise_question *question,
                     channel_evidence_fn *made, void *user, struct error *err)
    __attribute__((warn_unused_result));
void channel_evidence_cancel(struct channel *control);
