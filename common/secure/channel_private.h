/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The insides of a channel, shared by channel*.c. A connection walks through the stages; what is
 * said in SEND and RECEIVE is the script of its side. */
#include "base/bytes.h"
#include "base/error.h"
#include "base/scoped.h"
#include "secure/appraisal.h"
#include "secure/channel.h"
#include "secure/hello.h"
#include "secure/offers.h"
#include "secure/tls.h"

struct making;
struct maker;
struct pump_runner;
struct pump_socket;
struct source;

enum channel_stage {
    STAGE_CONNECT,
    STAGE_HANDSHAKE,
    STAGE_SEND,
    STAGE_RECEIVE,
    STAGE_MAKE, /* guest: evidence; nothing is read or sent meanwhile */
    STAGE_OPEN,
    STAGE_ENDED,
};

/* A side's part in the talk. Each step that succeeds leaves the next stage in channel->stage; -1
 * ends the connection with err. */
struct channel_script {
    int (*greeted)(struct channel *channel, struct error *err); /* the handshake is done */
    int (*received)(struct channel *channel, const struct blob *body, struct error *err);
    int (*sent)(struct channel *channel, struct error *err);
    void (*opened)(struct channel *channel);
    void (*failed)(struct channel *channel, const struct error *err); /* may free the channel */
};

struct channel_input {
    uint8_t header[FRAME_HEADER_SIZE];
    size_t have; /* of header and body together */
    uint8_t type;
    uint32_t length;
    uint8_t *body; /* once the header is there and good */
};

struct channel {
    struct loop *loop;
    const struct channel_script *script;
    enum channel_stage stage;
    enum channel_class class;
    enum tls_side side;

    int socket;
    struct tls *tls;
    struct source *socket_source;
    struct source *deadline;
    struct source *ending; /* an end that was decided elsewhere comes in its own turn */
    struct error end_error;
    struct writer output;
    size_t output_done;
    struct channel_input input;

    const struct key *key;
    struct appraisal appraisal;
    uint8_t instance[32];
    uint8_t control_id[HELLO_CONTROL_ID_SIZE];
    uint8_t join_key[EXPORTER_SIZE]; /* of a control */
    enum peer_role role;
    uint16_t number; /* of the last appraisal */
    uint64_t opened_ms;

    struct channel *control; /* that this one joined */
    struct channel *joined[CHANNEL_JOINED_MAX];
    uint16_t serial; /* of the last JOIN */

    int plain_inner, plain_outer; /* of the class share once it was taken */
    struct pump_socket *plain_socket;
    struct pump_runner *runner;
    uint64_t records_max, age_ms, retire_ms;
    struct source *age, *retirement;
    bool due_told;
    channel_end_fn *end_fn;
    void *end_user;
    channel_due_fn *due_fn;
    void *due_user;

    /* Tenant. */
    struct channel_dial_options dial;
    bool instance_known;
    uint8_t expected_instance[32];
    struct evidence_verdict verdict; /* of the last appraisal that passed */
    struct hello hello;
    struct join join;
    channel_open_fn *open_fn;
    void *open_user;
    bool rejected; /* REJECT is on its way; end_error says why */
    tls_accept_peer_fn *accept_peer;
    struct offer_waiter waiter; /* dial-out: for an offer, while there is no socket */
    struct offer_origin origin; /* of the one that is being tried */
    struct source *patience;    /* with it */
    struct error offer_error;   /* why the last one was given up; "" if there was none */

    /* Guest. */
    struct channel_listener *listener;
    bool answered; /* evidence is on its way, or JOINED */
    struct making *making;
};

/* Makes a channel around a socket, which it takes. */
struct channel *channel_new(struct loop *loop, const struct channel_script *script, int socket,
                            enum tls_side side);
/* Makes its TLS, watches the socket and starts the deadline; from here the stages run. Without a
 * socket it waits for an offer. */
int channel_begin(struct channel *channel, tls_accept_peer_fn *accept_peer, uint64_t deadline_ms,
                  struct error *err) must_check;
/* TLS on the socket, which then is watched. */
int channel_begin_socket(struct channel *channel, struct error *err) must_check;
/* Gives up what was said on the socket, and the socket; what the channel is for stays. */
void channel_forget_socket(struct channel *channel);

/* What was written into channel->output goes out next. */
int channel_say(struct channel *channel, struct error *err) must_check;
/* The peer must not have said anything that was not its turn; nothing is consumed but the fault. */
int channel_expect_silence(struct channel *channel, struct error *err) must_check;

/* Ends it now: err NULL only for an open one. Calls back; the channel may be gone afterwards. */
void channel_end(struct channel *channel, const struct error *err);
/* The same in a later turn of the loop. */
void channel_end_later(struct channel *channel, const struct error *err);

int channel_add_joined(struct channel *control, struct channel *channel,
                       struct error *err) must_check;

/* Dial-out: in channel_offer.c. */
bool channel_is_offered(const struct channel *channel);
void channel_offer_wait(struct channel *channel);
/* It is a TLS peer at least: evidence may take longer. */
void channel_offer_shaken(struct channel *channel);
/* This one was not the guest, or it did not live: the next one is tried. */
void channel_offer_failed(struct channel *channel, const struct error *err);
/* This one was. */
void channel_offer_proved(struct channel *channel);
void channel_offer_release(struct channel *channel);
/* The deadline is here: what it met. */
void channel_offer_late(struct channel *channel, struct error *err);

/* Guest: in channel_listener.c. */
void channel_listener_forget(struct channel_listener *listener, struct channel *channel);

/* Guest: in channel_evidence.c. */
struct channel_evidence_options {
    const struct maker *maker; /* borrowed; NULL: made at once */
    channel_produce_fn *produce;
    void *produce_user;
    channel_evidence_fn *made; /* never from inside this call */
    void *user;
};
int channel_make_evidence(struct channel *channel, const struct hello *hello,
                          const struct channel_evidence_options *options,
                          struct error *err) must_check;
