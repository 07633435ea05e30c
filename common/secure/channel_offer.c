/* SPDX-License-Identifier: Apache-2.0 */
/* A channel by dial-out: it begins without a socket and takes what is offered, one after the other,
 * until one is the guest or the deadline passes. Each gets a TLS ClientHello, our certificate and
 * at most a nonce, as any peer does before it is appraised. */
#include "io/loop.h"
#include "secure/channel_private.h"

enum { EVIDENCE_PATIENCE = 4 }; /* times that for a handshake: firmware makes reports slowly */

bool channel_is_offered(const struct channel *channel)
{
    return channel->dial.endpoint.offers != NULL;
}

static void on_taken(void *user, const struct offer *offer);

static void await(struct channel *channel)
{
    channel->waiter.taken = on_taken;
    channel->waiter.user = channel;
    offers_wait(channel->dial.endpoint.offers, &channel->waiter);
}

static void give_up(struct channel *channel, const struct error *err, enum offer_fate fate)
{
    struct error error = *err; /* may be the channel's own */

    source_freep(&channel->patience);
    channel->patience = NULL;
    channel_forget_socket(channel);
    channel->offer_error = error;
    channel->stage = STAGE_CONNECT;
    channel->rejected = false;
    if (channel->class == CHANNEL_CONTROL)
        channel->number = 0;
    offers_judge(channel->dial.endpoint.offers, &channel->origin, fate);
    await(channel);
}

static void on_impatient(void *user)
{
    struct channel *channel = user;
    struct error err;

    error_set(&err, STATUS_DEADLINE_EXCEEDED, "who dialled in was too slow");
    give_up(channel, &err, OFFER_SLOW);
}

static void on_taken(void *user, const struct offer *offer)
{
    struct channel *channel = user;
    const struct offers *offers = channel->dial.endpoint.offers;
    struct error err;

    channel->socket = offer->fd;
    channel->origin = offer->origin;
    channel->stage = STAGE_HANDSHAKE;
    if (channel_begin_socket(channel, &err) < 0 ||
        loop_after(channel->loop, offers_patience_ms(offers, &channel->origin), on_impatient,
                   channel, &channel->patience, &err) < 0)
        channel_end(channel, &err);
}

void channel_offer_wait(struct channel *channel)
{
    await(channel);
}

void channel_offer_shaken(struct channel *channel)
{
    source_rearm(channel->patience,
                 EVIDENCE_PATIENCE *
                     offers_patience_ms(channel->dial.endpoint.offers, &channel->origin));
}

void channel_offer_failed(struct channel *channel, const struct error *err)
{
    give_up(channel, err, OFFER_BROKE);
}

void channel_offer_proved(struct channel *channel)
{
    source_freep(&channel->patience);
    channel->patience = NULL;
    offers_judge(channel->dial.endpoint.offers, &channel->origin, OFFER_PROVED);
}

void channel_offer_release(struct channel *channel)
{
    source_freep(&channel->patience);
    channel->patience = NULL;
    if (channel_is_offered(channel))
        offers_leave(channel->dial.endpoint.offers, &channel->waiter);
}

void channel_offer_late(struct channel *channel, struct error *err)
{
    const struct endpoint *endpoint = &channel->dial.endpoint;

    if (!channel->waiter.waits)
        offers_judge(endpoint->offers, &channel->origin, OFFER_SLOW);
    if (channel->offer_error.message[0])
        error_set(err, STATUS_DEADLINE_EXCEEDED, "nobody who dialled %s port %u is the guest: %s",
                  endpoint->address, endpoint->port, channel->offer_error.message);
    else if (channel->waiter.waits)
        error_set(err, STATUS_DEADLINE_EXCEEDED,
                  "no guest has dialled %s port %u: is it reachable from the host's pods?",
                  endpoint->address, endpoint->port);
}
