/* SPDX-License-Identifier: Apache-2.0 */
#include "pod_network.h"

#include "base/error.h"
#include "base/guest_disk.h"
#include "base/log.h"
#include "base/scoped.h"
#include "io/loopwire.h"
#include "io/tap.h"
#include "io/uplink.h"
#include "network.h"
#include "secure/channel.h"

struct pod_network {
    struct loop *loop;
    int taps[FRAMES_QUEUES];
    unsigned offloads;
    enum frames_mode mode;
    struct channel *channel; /* NULL: frames wait */
    struct frames_relay *relay;
};

static void disconnect(struct pod_network *network)
{
    frames_relay_free(take_ptr(network->relay));
    channel_free(take_ptr(network->channel));
}

void pod_network_free(struct pod_network *network)
{
    if (!network)
        return;
    disconnect(network);
    for (size_t i = 0; i < ARRAY_LENGTH(network->taps); i++)
        closep(&network->taps[i]);
    free(network);
}

unsigned pod_network_offloads(const struct pod_network *network)
{
    return network->offloads;
}

static int make_devices(struct pod_network *network, const struct pod_network_options *options,
                        struct error *err)
{
    struct guest_net net;
    int *eth = &network->taps[FRAMES_NETWORK];

    if (guest_net_parse(options->block, options->length, &net, err) < 0 ||
        tap_open(options->netns, TAP_ETHERNET, UPLINK_NAME, eth, err) < 0)
        return -1;
    network->offloads = frames_common(options->offloads, tap_offloads(*eth));
    if (tap_set_offloads(*eth, network->offloads, err) < 0 ||
        network_give(options->netns, UPLINK_NAME, &net, err) < 0)
        return -1;
    return loopwire_open(options->netns, LOOPWIRE_GUEST, &network->taps[FRAMES_LOOPBACK], err);
}

int pod_network_new(struct loop *loop, const struct pod_network_options *options,
                    struct pod_network **ret, struct error *err)
{
    scoped(pod_network_freep) struct pod_network *network = xnew(struct pod_network);

    network->loop = loop;
    for (size_t i = 0; i < ARRAY_LENGTH(network->taps); i++)
        network->taps[i] = -1;
    if (make_devices(network, options, err) < 0)
        return error_wrap(err, "the pod's network");
    *ret = take_ptr(network);
    return 0;
}

/* ---- the connection -------------------------------------------------------------------------- */

static void on_channel_end(void *user, struct channel *channel, const struct error *err)
{
    (void) channel;
    log_info("the pod's network is not connected%s%s", err ? ": " : "", err ? err->message : "");
    disconnect(user);
}

static void on_relay_end(void *user, const struct error *err)
{
    on_channel_end(user, NULL, err);
}

int pod_network_carry(struct pod_network *network, struct channel *channel, struct error *err)
{
    struct frames_relay_options options = {.offloads = network->offloads, .mode = network->mode};

    disconnect(network);
    network->channel = channel;
    for (size_t i = 0; i < ARRAY_LENGTH(network->taps); i++)
        options.taps[i] = network->taps[i];
    if (channel_take_fd(channel, &options.stream, err) < 0 ||
        frames_relay_new(network->loop, &options, on_relay_end, network, &network->relay, err) <
            0) {
        disconnect(network);
        return -1;
    }
    channel_on_end(channel, on_channel_end, network);
    log_info("the pod's network is connected");
    return 0;
}

void pod_network_set_mode(struct pod_network *network, enum frames_mode mode)
{
    if (!network)
        return;
    network->mode = mode;
    if (network->relay)
        frames_relay_set_mode(network->relay, mode);
}
