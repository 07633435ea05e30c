/* SPDX-License-Identifier: Apache-2.0 */
#include "frames_end.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/scoped.h"
#include "bed.h"
#include "io/frames_relay.h"
#include "io/netlink.h"
#include "io/netns.h"
#include "io/tap.h"
#include "io/uplink.h"
#include "secure/channel.h"

#define NODE_ADDRESS "10.98.0.1"
#define NODE_LINK    "pod0"

/* This thread is back in its own when it returns. */
static int make_netns(void)
{
    struct error err;
    int home, netns;

    if (netns_open("/proc/thread-self/ns/net", &home, &err) < 0 || unshare(CLONE_NEWNET) < 0 ||
        netns_open("/proc/thread-self/ns/net", &netns, &err) < 0 || setns(home, CLONE_NEWNET) < 0)
        bed_die("a network namespace: %m");
    closep(&home);
    return netns;
}

static int give_address(int netns, const char *name, const char *text, struct error *err)
{
    struct netlink_address address = {.family = AF_INET, .prefix = 24};
    scoped(netlink_closep) struct netlink *netlink = NULL;
    struct netlink_link link;

    inet_pton(AF_INET, text, address.address);
    if (netlink_open(netns, &netlink, err) < 0 || netlink_find(netlink, name, &link, err) < 0 ||
        netlink_set_up(netlink, link.index, err) < 0)
        return -1;
    return netlink_add_address(netlink, link.index, &address, err);
}

static int make_uplink(const struct frames_end *end, struct error *err)
{
    scoped(netlink_closep) struct netlink *netlink = NULL;

    if (netlink_open(-1, &netlink, err) < 0 ||
        netlink_add_veth(netlink, NODE_LINK, UPLINK_NAME, end->netns, err) < 0 ||
        give_address(-1, NODE_LINK, NODE_ADDRESS, err) < 0)
        return -1;
    return give_address(end->netns, UPLINK_NAME, FRAMES_END_ADDRESS, err);
}

void frames_end_open(struct frames_end *end, Agent__ConfigureRequest *request)
{
    struct guest_net net;
    struct error err;

    *end = (struct frames_end){.netns = make_netns(), .tap = -1};
    if (make_uplink(end, &err) < 0 || uplink_read(end->netns, &net, &err) < 0 ||
        guest_net_write(&net, end->block, &err) < 0 ||
        tap_open(end->netns, TAP_ETHERNET, UPLINK_TAP, &end->tap, &err) < 0)
        bed_die("the pod's network: %s", err.message);
    end->offloads = tap_offloads(end->tap);
    request->network = (ProtobufCBinaryData){sizeof(end->block), end->block};
    request->offloads = end->offloads;
}

struct joining {
    bool done, failed;
};

static void joined(void *user, struct channel *channel, const struct error *err)
{
    struct joining *joining = user;

    (void) channel;
    *joining = (struct joining){.done = true, .failed = err != NULL};
}

static void relay_ended(void *user, const struct error *err)
{
    (void) user;
    bed_die("the pod's network ends: %s", err ? err->message : "its stream is over");
}

void frames_end_connect(struct frames_end *end, struct bed *bed, unsigned offloads)
{
    struct frames_relay_options options = {.offloads = frames_common(end->offloads, offloads)};
    struct joining joining = {0};
    struct error err;

    options.taps[FRAMES_NETWORK] = end->tap;
    options.taps[FRAMES_LOOPBACK] = -1;
    if (tap_set_offloads(end->tap, options.offloads, &err) < 0 ||
        uplink_join(end->netns, &err) < 0 ||
        channel_join(bed->control_channel, CHANNEL_FRAMES, joined, &joining, &end->channel, &err) <
            0)
        bed_die("the pod's network: %s", err.message);
    bed_until(bed, &joining.done, "the frames channel");
    if (joining.failed || channel_take_fd(end->channel, &options.stream, &err) < 0 ||
        frames_relay_new(bed->loop, &options, relay_ended, NULL, &end->relay, &err) < 0)
        bed_die("the pod's network has no connection");
}

void frames_end_close(struct frames_end *end)
{
    frames_relay_free(take_ptr(end->relay));
    channel_free(take_ptr(end->channel));
    closep(&end->tap);
    closep(&end->netns);
}

static _Noreturn void read_forever(uint16_t port)
{
    static char chunk[256 * 1024];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = -1;

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    inet_pton(AF_INET, FRAMES_END_ADDRESS, &address.sin_addr);
    do { /* until it listens */
        closep(&fd);
        (void) poll(NULL, 0, 10);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    } while (connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0);
    while (recv(fd, chunk, sizeof(chunk), 0) > 0)
        continue;
    bed_die("the pod's server has stopped");
}

pid_t frames_end_read(uint16_t port)
{
    pid_t pid = fork();

    if (pid < 0)
        bed_die("fork: %m");
    if (pid == 0)
        read_forever(port);
    return pid;
}

uint64_t frames_end_packets(const struct frames_end *end)
{
    return frames_relay_counts(end->relay).in;
}
