/* SPDX-License-Identifier: Apache-2.0 */
#include "pod_network.h"

#include "base/error.h"
#include "base/guest_disk.h"
#include "base/log.h"
#include "io/frames_relay.h"
#include "io/loopwire.h"
#include "io/netns.h"
#include "io/tap.h"
#include "io/uplink.h"
#include "joiner.h"
#include "secure/channel.h"

struct pod_network {
    struct loop *loop;
    int netns; /* until it is started */
    int taps[FRAMES_QUEUES];
    unsigned offloads; /* first what ours can, then what both can */
    uint8_t block[GUEST_DISK_BLOCK];
    struct joiner *joiner;   /* once started */
    struct channel *channel; /* NULL: frames wait */
    struct frames_relay *relay;
};

/* ---- devices --------------------------------------------------------------------------------- */

static int open_devices(struct pod_network *network, const char *netns, struct error *err)
{
    int *tap = &network->taps[FRAMES_NETWORK];
    struct guest_net net;

    if (netns_open(netns, &network->netns, err) < 0 || uplink_read(network->netns, &net, err) < 0 ||
        guest_net_write(&net, network->block, err) < 0 ||
        tap_open(network->netns, TAP_ETHERNET, UPLINK_TAP, tap, err) < 0)
        return -1;
    network->offloads = tap_offloads(*tap);
    return 0;
}

int pod_network_new(struct loop *loop, const char *netns, struct pod_network **ret,
                    struct error *err)
{
    scoped(pod_network_freep) struct pod_network *network = xnew(struct pod_network);

    network->loop = loop;
    network->netns = -1;
    for (size_t i = 0; i < ARRAY_LENGTH(network->taps); i++)
        network->taps[i] = -1;
    if (!netns)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "network = \"tenant\": the pod has no network namespace on this node");
    if (open_devices(network, netns, err) < 0)
        return error_wrap(err, "network = \"tenant\"");
    *ret = take_ptr(network);
    return 0;
}

static void disconnect(struct pod_network *network)
{
    frames_relay_free(take_ptr(network->relay));
    channel_free(take_ptr(network->channel));
}

void pod_network_free(struct pod_network *network)
{
    if (!network)
        return;
    joiner_free(network->joiner);
    disconnect(network);
    for (size_t i = 0; i < ARRAY_LENGTH(network->taps); i++)
        closep(&network->taps[i]);
    closep(&network->netns);
    free(network);
}

struct pod_network_facts pod_network_facts(const struct pod_network *network)
{
    return (struct pod_network_facts){
        .block = network->block, .length = sizeof(network->block), .offloads = network->offloads};
}

/* ---- the connection -------------------------------------------------------------------------- */

static void on_lost(struct pod_network *network, const struct error *err)
{
    log_warn("the pod's network has lost its connection%s%s", err ? ": " : "",
             err ? err->message : "");
    disconnect(network);
    joiner_lost(network->joiner);
}

static void on_channel_end(void *user, struct channel *channel, const struct error *err)
{
    (void) channel;
    on_lost(user, err);
}

static void on_relay_end(void *user, const struct error *err)
{
    on_lost(user, err);
}

static int adopt(void *user, struct channel *channel, struct error *err)
{
    struct pod_network *network = user;
    struct frames_relay_options options = {.offloads = network->offloads};

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

int pod_network_start(struct pod_network *network, struct link *link, unsigned offloads,
                      struct error *err)
{
    const struct joiner_options options = {.loop = network->loop,
                                           .link = link,
                                           .class = CHANNEL_FRAMES,
                                           .adopt = adopt,
                                           .user = network};

    network->offloads = frames_common(network->offloads, offloads);
    if (tap_set_offloads(network->taps[FRAMES_NETWORK], network->offloads, err) < 0 ||
        uplink_join(network->netns, err) < 0 ||
        loopwire_open(network->netns, LOOPWIRE_NODE, &network->taps[FRAMES_LOOPBACK], err) < 0)
        return error_wrap(err, "network = \"tenant\"");
    closep(&network->netns);
    network->netns = -1;
    return joiner_new(&options, &network->joiner, err);
}
