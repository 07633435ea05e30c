/* SPDX-License-Identifier: Apache-2.0 */
#include "io/uplink.h"

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/guest_disk.h"
#include "base/scoped.h"
#include "io/netlink.h"

static bool is_zero(const uint8_t bytes[16])
{
    static const uint8_t zero[16];

    return memcmp(bytes, zero, sizeof(zero)) == 0;
}

static int read_addresses(struct netlink *netlink, int index, struct guest_net *net,
                          struct error *err)
{
    struct netlink_address list[NETLINK_LIST_MAX];
    size_t count;

    if (netlink_addresses(netlink, index, list, NETLINK_LIST_MAX, &count, err) < 0)
        return -1;
    if (count > GUEST_NET_ADDRESSES_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED,
                         UPLINK_NAME " of the pod has %zu addresses, a guest takes at most %d",
                         count, GUEST_NET_ADDRESSES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct guest_address *to = &net->addresses[net->address_count++];

        to->family = list[i].family;
        to->prefix = list[i].prefix;
        memcpy(to->address, list[i].address, sizeof(to->address));
    }
    if (net->address_count == 0)
        return error_set(err, STATUS_FAILED_PRECONDITION, UPLINK_NAME " of the pod has no address");
    return 0;
}

static void set_gateway(struct guest_net *net, const struct netlink_route *route)
{
    for (size_t i = 0; i < net->address_count; i++)
        if (net->addresses[i].family == route->family && is_zero(net->addresses[i].gateway))
            memcpy(net->addresses[i].gateway, route->gateway, sizeof(route->gateway));
}

/* Does an address of its own already imply this on-link route? */
static bool is_implied(const struct guest_net *net, const struct netlink_route *route)
{
    for (size_t i = 0; i < net->address_count; i++) {
        const struct guest_address *own = &net->addresses[i];
        size_t whole = own->prefix / 8, rest = own->prefix % 8;
        uint8_t mask = (uint8_t) (0xff << (8 - rest));

        if (own->family != route->family || own->prefix != route->prefix ||
            !is_zero(route->gateway) || memcmp(own->address, route->destination, whole) != 0)
            continue;
        if (rest == 0 || (own->address[whole] & mask) == (route->destination[whole] & mask))
            return true;
    }
    return false;
}

static int add_route(struct guest_net *net, const struct netlink_route *route, struct error *err)
{
    struct guest_route *to;

    if (route->prefix == 0 && !is_zero(route->gateway)) {
        set_gateway(net, route);
        return 0;
    }
    if (is_implied(net, route))
        return 0;
    if (net->route_count == GUEST_NET_ROUTES_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED,
                         UPLINK_NAME " of the pod has more than %d routes", GUEST_NET_ROUTES_MAX);
    to = &net->routes[net->route_count++];
    to->family = route->family;
    to->prefix = route->prefix;
    memcpy(to->destination, route->destination, sizeof(to->destination));
    memcpy(to->gateway, route->gateway, sizeof(to->gateway));
    return 0;
}

int uplink_read(int netns_fd, struct guest_net *ret, struct error *err)
{
    scoped(netlink_closep) struct netlink *netlink = NULL;
    struct netlink_route routes[NETLINK_LIST_MAX];
    struct guest_net net = {0};
    struct netlink_link link;
    size_t count;

    if (netlink_open(netns_fd, &netlink, err) < 0 ||
        netlink_find(netlink, UPLINK_NAME, &link, err) < 0 ||
        read_addresses(netlink, link.index, &net, err) < 0 ||
        netlink_routes(netlink, link.index, routes, NETLINK_LIST_MAX, &count, err) < 0)
        return error_wrap(err, "pod's network");
    memcpy(net.mac, link.mac, sizeof(net.mac));
    net.mtu = (uint16_t) (link.mtu > UINT16_MAX ? UINT16_MAX : link.mtu);
    for (size_t i = 0; i < count; i++)
        if (add_route(&net, &routes[i], err) < 0)
            return -1;
    *ret = net;
    return 0;
}

static int join(struct netlink *netlink, struct error *err)
{
    struct netlink_link eth, tap;

    if (netlink_find(netlink, UPLINK_NAME, &eth, err) < 0 ||
        netlink_find(netlink, UPLINK_TAP, &tap, err) < 0 ||
        netlink_set_mtu(netlink, tap.index, eth.mtu, err) < 0 ||
        netlink_no_autoconf(netlink, tap.index, err) < 0 ||
        netlink_set_up(netlink, tap.index, err) < 0 ||
        netlink_redirect(netlink, eth.index, tap.index, err) < 0)
        return -1;
    return netlink_redirect(netlink, tap.index, eth.index, err);
}

int uplink_join(int netns_fd, struct error *err)
{
    scoped(netlink_closep) struct netlink *netlink = NULL;

    if (netlink_open(netns_fd, &netlink, err) < 0 || join(netlink, err) < 0)
        return error_wrap(err, "uplink");
    return 0;
}
