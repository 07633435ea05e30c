/* SPDX-License-Identifier: Apache-2.0 */
#include "pod_network.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/guest_disk.h"
#include "base/log.h"
#include "io/frames_relay.h"
#include "io/loop.h"
#include "io/loopwire.h"
#include "io/netns.h"
#include "io/tap.h"
#include "io/uplink.h"
#include "link.h"
#include "secure/channel.h"

enum { JOIN_EVERY_MS = 1000 };

struct pod_network {
    struct loop *loop;
    int netns; /* until it is started */
    int taps[FRAMES_QUEUES];
    unsigned offloads; /* first what ours can, then what both can */
    uint8_t block[GUEST_DISK_BLOCK];
    struct link *link; /* once started */
    struct link_listener listener;
    struct channel *channel; /* NULL: frames wait */
    struct frames_relay *relay;
    struct channel *joining;
    struct source *next; /* attempt to join */
    uint64_t attempted_ms;
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

static void on_next(void *user);

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
    if (loop_after(loop, LOOP_NEVER, on_next, network, &network->next, err) < 0 ||
        open_devices(network, netns, err) < 0)
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
    if (network->link)
        link_leave(network->link, &network->listener);
    channel_free(network->joining);
    disconnect(network);
    source_free(network->next);
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

/* Whatever has failed, attempts keep their distance. */
static void join_soon(struct pod_network *network)
{
    uint64_t since = clock_monotonic_ms() - network->attempted_ms;

    source_rearm(network->next, since < JOIN_EVERY_MS ? JOIN_EVERY_MS - since : 0);
}

static void on_lost(struct pod_network *network, const struct error *err)
{
    log_warn("the pod's network has lost its connection%s%s", err ? ": " : "",
             err ? err->message : "");
    disconnect(network);
    join_soon(network);
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

/* It has been used for long enough: another one first. */
static void on_due(void *user, struct channel *channel)
{
    (void) channel;
    join_soon(user);
}

static int adopt(struct pod_network *network, struct error *err)
{
    struct frames_relay_options options = {.offloads = network->offloads};

    disconnect(network);
    network->channel = take_ptr(network->joining);
    for (size_t i = 0; i < ARRAY_LENGTH(network->taps); i++)
        options.taps[i] = network->taps[i];
    if (channel_take_fd(network->channel, &options.stream, err) < 0 ||
        frames_relay_new(network->loop, &options, on_relay_end, network, &network->relay, err) < 0)
        return -1;
    channel_on_end(network->channel, on_channel_end, network);
    channel_on_replacement_due(network->channel, on_due, network);
    return 0;
}

static void on_joined(void *user, struct channel *channel, const struct error *err)
{
    struct pod_network *network = user;
    struct error fault;

    if (err) {
        log_debug("no frames connection: %s", err->message);
        network->joining = NULL;
        channel_free(channel);
        join_soon(network);
        return;
    }
    source_rearm(network->next, LOOP_NEVER);
    if (adopt(network, &fault) < 0)
        on_lost(network, &fault);
    else
        log_info("the pod's network is connected");
}

/* One that is still waiting for a first answer is given up: where packets were lost TCP waits ever
 * longer. One that has it goes on, however slow the guest is, and ends by itself. */
static void on_next(void *user)
{
    struct pod_network *network = user;
    struct channel *control = link_control(network->link);
    struct error err;

    network->attempted_ms = clock_monotonic_ms();
    if (network->joining && channel_is_reached(network->joining))
        return;
    channel_free(take_ptr(network->joining));
    if (!control) /* the listener hears of the next one */
        return;
    if (channel_join(control, CHANNEL_FRAMES, on_joined, network, &network->joining, &err) < 0)
        log_debug("no frames connection: %s", err.message);
    source_rearm(network->next, JOIN_EVERY_MS);
}

/* What joined an older control ends with it: it is replaced before that. */
static void on_link(struct link_listener *listener, struct rpc_channel *control,
                    struct rpc_channel *bulk)
{
    struct pod_network *network = container_of(listener, struct pod_network, listener);

    (void) bulk;
    channel_free(take_ptr(network->joining));
    if (control)
        source_rearm(network->next, 0);
}

int pod_network_start(struct pod_network *network, struct link *link, unsigned offloads,
                      struct error *err)
{
    network->offloads = frames_common(network->offloads, offloads);
    if (tap_set_offloads(network->taps[FRAMES_NETWORK], network->offloads, err) < 0 ||
        uplink_join(network->netns, err) < 0 ||
        loopwire_open(network->netns, LOOPWIRE_NODE, &network->taps[FRAMES_LOOPBACK], err) < 0)
        return error_wrap(err, "network = \"tenant\"");
    closep(&network->netns);
    network->netns = -1;
    network->link = link;
    network->listener.changed = on_link;
    link_listen(link, &network->listener);
    return 0;
}
