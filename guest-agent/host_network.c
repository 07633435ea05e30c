/* SPDX-License-Identifier: Apache-2.0 */
#include "host_network.h"

#include <string.h>

#include "base/dial_out.h"
#include "base/error.h"
#include "base/guest_disk.h"
#include "base/scoped.h"
#include "io/netlink.h"
#include "io/netlink_share.h"
#include "io/uplink.h"
#include "network.h"
#include "secure/channel.h"

#define POD_LINK "pod0" /* the other end of the pod's eth0 */

static void forget_old(struct netlink *netlink)
{
    struct netlink_link link;
    struct error ignored;

    if (netlink_find(netlink, POD_LINK, &link, &ignored) == 0)
        (void) !netlink_delete(netlink, link.index, &ignored);
}

static int make_link(struct netlink *netlink, const struct host_network_options *options,
                     const struct guest_net *net, struct netlink_link *ret, struct error *err)
{
    forget_old(netlink);
    if (netlink_add_veth(netlink, POD_LINK, UPLINK_NAME, options->pod_netns, err) < 0 ||
        netlink_find(netlink, POD_LINK, ret, err) < 0 ||
        netlink_no_autoconf(netlink, ret->index, err) < 0 ||
        netlink_set_mtu(netlink, ret->index, net->mtu, err) < 0 ||
        netlink_set_up(netlink, ret->index, err) < 0)
        return -1;
    return network_give(options->pod_netns, UPLINK_NAME, net, err);
}

/* What stays with the agent: who comes to its port, or who it dials. */
static struct netlink_own own_of(const struct dial_out *dial_out)
{
    struct netlink_own own = {.port = CHANNEL_PORT};

    if (!dial_out->family)
        return own;
    own = (struct netlink_own){.family = dial_out->family, .peer_port = dial_out->port};
    memcpy(own.peer, dial_out->address, sizeof(own.peer));
    return own;
}

int host_network_make(const struct host_network_options *options, struct error *err)
{
    scoped(netlink_closep) struct netlink *netlink = NULL;
    struct netlink_own own = own_of(options->dial_out);
    struct netlink_link uplink, pod;
    struct guest_net net;

    if (guest_net_parse(options->block, options->length, &net, err) < 0 ||
        netlink_open(-1, &netlink, err) < 0 ||
        network_find_uplink(netlink, net.mac, &uplink, err) < 0 ||
        make_link(netlink, options, &net, &pod, err) < 0 ||
        netlink_share(netlink, uplink.index, pod.index, &own, err) < 0)
        return error_wrap(err, "the host's network");
    return 0;
}

int host_network_set_mode(enum host_network_mode mode, struct error *err)
{
    scoped(netlink_closep) struct netlink *netlink = NULL;
    struct netlink_link link;

    if (netlink_open(-1, &netlink, err) < 0 || netlink_find(netlink, POD_LINK, &link, err) < 0)
        return error_wrap(err, "the host's network");
    return mode == HOST_NETWORK_SILENT ? netlink_set_down(netlink, link.index, err)
                                       : netlink_set_up(netlink, link.index, err);
}
