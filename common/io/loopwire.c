/* SPDX-License-Identifier: Apache-2.0 */
#include "io/loopwire.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "io/netlink.h"
#include "io/netns.h"
#include "io/tap.h"

enum { MTU = 65535 };

#define IPV4 "/proc/sys/net/ipv4/conf/"
#define IPV6 "/proc/sys/net/ipv6/conf/"

static bool has_ipv6(void)
{
    scoped(freep) char *text = NULL;
    struct error ignored;
    size_t length;

    return file_read(IPV6 "lo/disable_ipv6", 16, &text, &length, &ignored) == 0 && text[0] == '0';
}

/* What comes from the wire has loopback's addresses, source and destination, and is no fraud. */
static int set_sysctls(void *user, struct error *err)
{
    static const char *const settings[][2] = {
        {IPV4 "lo/route_localnet", "1"},
        {IPV4 "lo/accept_local", "1"},
        {IPV4 "lo/rp_filter", "0"},
        {IPV4 "all/rp_filter", "0"},
    };
    bool *ret_has_ipv6 = user;

    *ret_has_ipv6 = has_ipv6();
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++)
        if (file_put(settings[i][0], settings[i][1], err) < 0)
            return -1;
    return 0;
}

struct wire {
    struct netlink *netlink;
    int lo, device;
};

struct rule {
    bool at_lo; /* else at the device */
    enum netlink_match match;
    const char *address;
    enum netlink_place place;
};

static int add_rule(const struct wire *wire, int family, const struct rule *rule, struct error *err)
{
    struct netlink_redirection redirection = {
        .match = rule->match,
        .family = family,
        .to_index = rule->at_lo ? wire->device : wire->lo,
        .place = rule->place,
    };

    (void) inet_pton(family, rule->address, redirection.address);
    return netlink_add_redirection(wire->netlink, rule->at_lo ? wire->lo : wire->device,
                                   &redirection, err);
}

/* At the node: to the loopback goes out, what answers the peer (that is us) comes in. */
static int join_node(const struct wire *wire, int family, struct error *err)
{
    const char *loopback = family == AF_INET ? "127.0.0.1" : "::1";
    const char *peer = family == AF_INET ? LOOPWIRE_PEER4 : LOOPWIRE_PEER6;
    const struct rule rules[] = {
        {true, NETLINK_TO, loopback, NETLINK_EGRESS},
        {false, NETLINK_TO, peer, NETLINK_INGRESS},
    };
    uint8_t to[16], source[16];

    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++)
        if (add_rule(wire, family, &rules[i], err) < 0)
            return -1;
    (void) inet_pton(family, loopback, to);
    (void) inet_pton(family, peer, source);
    return netlink_set_source(wire->netlink, wire->lo, family, to, source, err);
}

static int join_guest(const struct wire *wire, int family, struct error *err)
{
    const char *peer = family == AF_INET ? LOOPWIRE_PEER4 : LOOPWIRE_PEER6;
    const struct rule rules[] = {
        {true, NETLINK_TO, peer, NETLINK_EGRESS},
        {false, NETLINK_FROM, peer, NETLINK_INGRESS},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++)
        if (add_rule(wire, family, &rules[i], err) < 0)
            return -1;
    return 0;
}

/* IPv4 has all of 127.0.0.0/8 at lo. */
static int add_peer6(const struct wire *wire, struct error *err)
{
    struct netlink_address address = {.family = AF_INET6, .prefix = 128};

    (void) inet_pton(AF_INET6, LOOPWIRE_PEER6, address.address);
    return netlink_add_address(wire->netlink, wire->lo, &address, err);
}

static int prepare(struct wire *wire, struct error *err)
{
    struct netlink_link lo, device;

    if (netlink_find(wire->netlink, "lo", &lo, err) < 0 ||
        netlink_find(wire->netlink, LOOPWIRE_NAME, &device, err) < 0 ||
        netlink_set_mtu(wire->netlink, device.index, MTU, err) < 0 ||
        netlink_no_autoconf(wire->netlink, device.index, err) < 0 ||
        netlink_set_up(wire->netlink, device.index, err) < 0 ||
        netlink_set_up(wire->netlink, lo.index, err) < 0 ||
        netlink_new_ingress(wire->netlink, lo.index, err) < 0 ||
        netlink_new_ingress(wire->netlink, device.index, err) < 0)
        return -1;
    wire->lo = lo.index;
    wire->device = device.index;
    return 0;
}

static int join(struct wire *wire, enum loopwire_end end, bool with_ipv6, struct error *err)
{
    int (*const joins[])(const struct wire *wire, int family, struct error *err) = {
        [LOOPWIRE_NODE] = join_node,
        [LOOPWIRE_GUEST] = join_guest,
    };

    if (prepare(wire, err) < 0 || joins[end](wire, AF_INET, err) < 0)
        return -1;
    if (!with_ipv6)
        return 0;
    return add_peer6(wire, err) < 0 ? -1 : joins[end](wire, AF_INET6, err);
}

int loopwire_open(int netns_fd, enum loopwire_end end, int *ret_fd, struct error *err)
{
    scoped(netlink_closep) struct netlink *netlink = NULL;
    scoped(closep) int fd = -1;
    struct wire wire;
    bool with_ipv6;

    if (tap_open(netns_fd, TAP_PACKETS, LOOPWIRE_NAME, &fd, err) < 0 ||
        tap_set_offloads(fd, 0, err) < 0 || netlink_open(netns_fd, &netlink, err) < 0 ||
        netns_run(netns_fd, set_sysctls, &with_ipv6, err) < 0)
        return error_wrap(err, "loopback wire");
    wire = (struct wire){.netlink = netlink};
    if (join(&wire, end, with_ipv6, err) < 0)
        return error_wrap(err, "loopback wire");
    *ret_fd = take_fd(fd);
    return 0;
}
