/* SPDX-License-Identifier: Apache-2.0 */
#include "network.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/file.h"
#include "base/guest_disk.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/netlink.h"
#include "io/netns.h"

void network_fini(struct network *network)
{
    closep(&network->outer);
    closep(&network->pod);
    network->outer = network->pod = -1;
}

static int lo_up(struct netlink *netlink, struct error *err)
{
    struct netlink_link lo;

    if (netlink_find(netlink, "lo", &lo, err) < 0)
        return -1;
    return netlink_set_up(netlink, lo.index, err);
}

int network_find_uplink(struct netlink *netlink, const uint8_t mac[6], struct netlink_link *ret,
                        struct error *err)
{
    struct netlink_link links[NETLINK_LIST_MAX];
    size_t count, found = 0;

    if (netlink_links(netlink, links, NETLINK_LIST_MAX, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (!(links[i].flags & IFF_LOOPBACK) && !text_equal(links[i].name, "lo") &&
            memcmp(links[i].mac, mac, sizeof(links[i].mac)) == 0) {
            *ret = links[i];
            found++;
        }
    if (found == 1)
        return 0;
    return error_set(err, STATUS_NOT_FOUND,
                     "%zu network devices have the address %02x:%02x:%02x:%02x:%02x:%02x", found,
                     mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

/* Addresses come from the block alone: no router advertisement adds one, and duplicate address
 * detection would delay the first answer by a second. A kernel without IPv6 has none of these. */
static void ipv6_settings(const char *name)
{
    static const char *const settings[] = {"accept_ra", "accept_dad", "dad_transmits", "autoconf",
                                           "accept_redirects"};
    char path[128];
    struct error ignored;

    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++)
        if (text_format(path, sizeof(path), &ignored, "/proc/sys/net/ipv6/conf/%s/%s", name,
                        settings[i]) == 0 &&
            file_put(path, "0", &ignored) < 0)
            continue;
}

static int tolerate(int r, const struct error *err)
{
    return r < 0 && err->status == STATUS_ALREADY_EXISTS ? 0 : r;
}

static bool all_zero(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i])
            return false;
    return true;
}

/* The gateway need not be inside the prefix (a /32 and 169.254.1.1 are usual): it is made reachable
 * first. */
static int default_route(struct netlink *netlink, int index, const struct guest_address *address,
                         struct error *err)
{
    struct netlink_route route = {.family = address->family};
    struct netlink_route way = {.family = address->family,
                                .prefix = address->family == AF_INET ? 32 : 128};

    memcpy(route.gateway, address->gateway, sizeof(route.gateway));
    if (netlink_add_route(netlink, index, &route, err) == 0 || err->status == STATUS_ALREADY_EXISTS)
        return 0;
    memcpy(way.destination, address->gateway, sizeof(way.destination));
    if (tolerate(netlink_add_route(netlink, index, &way, err), err) < 0)
        return -1;
    return tolerate(netlink_add_route(netlink, index, &route, err), err);
}

static int add_address(struct netlink *netlink, int index, const struct guest_address *from,
                       struct error *err)
{
    struct netlink_address address = {.family = from->family, .prefix = from->prefix};

    memcpy(address.address, from->address, sizeof(address.address));
    return tolerate(netlink_add_address(netlink, index, &address, err), err);
}

static int add_route(struct netlink *netlink, int index, const struct guest_route *from,
                     struct error *err)
{
    struct netlink_route route = {.family = from->family, .prefix = from->prefix};

    memcpy(route.destination, from->destination, sizeof(route.destination));
    memcpy(route.gateway, from->gateway, sizeof(route.gateway));
    return tolerate(netlink_add_route(netlink, index, &route, err), err);
}

/* On-link routes first: the others may lead through them. */
static int add_routes(struct netlink *netlink, int index, const struct guest_net *net,
                      struct error *err)
{
    for (int on_link = 1; on_link >= 0; on_link--)
        for (size_t i = 0; i < net->route_count; i++)
            if (all_zero(net->routes[i].gateway, 16) == on_link &&
                add_route(netlink, index, &net->routes[i], err) < 0)
                return -1;
    for (size_t i = 0; i < net->address_count; i++)
        if (!all_zero(net->addresses[i].gateway, 16) &&
            default_route(netlink, index, &net->addresses[i], err) < 0)
            return -1;
    return 0;
}

static int give(struct netlink *netlink, const struct netlink_link *link,
                const struct guest_net *net, struct error *err)
{
    if (netlink_no_autoconf(netlink, link->index, err) < 0 ||
        (link->mtu != net->mtu && netlink_set_mtu(netlink, link->index, net->mtu, err) < 0) ||
        netlink_set_up(netlink, link->index, err) < 0)
        return error_wrap(err, "prepare '%s'", link->name);
    for (size_t i = 0; i < net->address_count; i++)
        if (add_address(netlink, link->index, &net->addresses[i], err) < 0)
            return error_wrap(err, "give '%s' its address", link->name);
    if (add_routes(netlink, link->index, net, err) < 0)
        return error_wrap(err, "give '%s' its routes", link->name);
    return 0;
}

int network_configure_outer(const void *block, size_t length, struct dial_out *ret_dial_out,
                            struct error *err)
{
    scoped(netlink_closep) struct netlink *netlink = NULL;
    struct guest_net net = {0};
    struct netlink_link link = {0};

    if (guest_net_parse(block, length, &net, err) < 0 || netlink_open(-1, &netlink, err) < 0 ||
        lo_up(netlink, err) < 0 || network_find_uplink(netlink, net.mac, &link, err) < 0)
        return error_wrap(err, "find the uplink");
    ipv6_settings("default");
    ipv6_settings(link.name);
    if (give(netlink, &link, &net, err) < 0)
        return error_wrap(err, "the uplink");
    *ret_dial_out = net.dial_out;
    return 0;
}

static int own_namespace(struct error *err)
{
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    return fd < 0 ? error_errno(err, errno, "open the network namespace") : fd;
}

/* In the new namespace; the caller goes back whatever happens. */
static int pod_prepare(const char *path, int *ret, struct error *err)
{
    scoped(netlink_closep) struct netlink *netlink = NULL;
    scoped(closep) int file = open(path, O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC, 0400);
    scoped(closep) int pod = own_namespace(err);

    if (pod < 0 || netlink_open(-1, &netlink, err) < 0 || lo_up(netlink, err) < 0)
        return -1;
    if (file < 0 || mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) < 0)
        return error_errno(err, errno, "bind the pod's namespace to '%s'", path);
    *ret = take_fd(pod);
    return 0;
}

int network_open(const char *pod_path, struct network *ret, struct error *err)
{
    scoped(closep) int outer = own_namespace(err);
    int pod = -1;

    if (outer < 0)
        return -1;
    if (unshare(CLONE_NEWNET) < 0)
        return error_errno(err, errno, "make the pod's network namespace");
    int r = pod_prepare(pod_path, &pod, err);
    if (setns(outer, CLONE_NEWNET) < 0) {
        closep(&pod);
        return error_errno(err, errno, "go back to the outer network namespace");
    }
    if (r < 0)
        return -1;
    ret->outer = take_fd(outer);
    ret->pod = pod;
    return 0;
}

static int set_ipv6(void *user, struct error *err)
{
    (void) err;
    ipv6_settings("default");
    ipv6_settings(user);
    return 0;
}

int network_give(int netns_fd, const char *name, const struct guest_net *net, struct error *err)
{
    scoped(netlink_closep) struct netlink *netlink = NULL;
    struct netlink_link link;

    if (netns_run(netns_fd, set_ipv6, (void *) (uintptr_t) name, err) < 0 ||
        netlink_open(netns_fd, &netlink, err) < 0 || netlink_find(netlink, name, &link, err) < 0 ||
        netlink_set_mac(netlink, link.index, net->mac, err) < 0)
        return -1;
    return give(netlink, &link, net, err);
}
