/* SPDX-License-Identifier: Apache-2.0 */
#include "io/netlink_share.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "io/netlink.h"
#include "io/netlink_filter.h"

enum {
    HEAD4 = 20, /* a header with options is nobody's own */
    HEAD6 = 40,
    ECHO4 = 8,
    ECHO6 = 128,
};

enum fate { FATE_HERE, FATE_BOTH, FATE_THERE };

struct filter {
    uint16_t protocol; /* ETH_P_* */
    enum fate fate;
    struct netlink_keys keys; /* none: all of the protocol */
};

struct sharing {
    struct netlink *netlink;
    int index, other;
    uint32_t priority; /* of the last filter: they are asked in the order in which they come */
};

/* ---- one filter ------------------------------------------------------------------------------ */

static void want(struct netlink_keys *keys, int offset, uint32_t value, uint32_t mask)
{
    keys->key[keys->count++] = (struct tc_u32_key){
        .off = offset, .val = htonl(value & mask), .mask = htonl(mask)};
}

static int add(struct sharing *sharing, const struct filter *filter, struct error *err)
{
    const struct tc_mirred action = {
        .action = filter->fate == FATE_BOTH ? TC_ACT_OK : TC_ACT_STOLEN,
        .eaction = filter->fate == FATE_BOTH ? TCA_EGRESS_MIRROR : TCA_EGRESS_REDIR,
        .ifindex = (uint32_t) sharing->other,
    };
    const struct netlink_filter wanted = {
        .index = sharing->index,
        .protocol = filter->protocol,
        .priority = ++sharing->priority,
        .keys = filter->keys,
        .action = filter->fate != FATE_HERE ? &action : NULL,
    };

    if (netlink_add_filter(sharing->netlink, &wanted, err) < 0)
        return error_wrap(err, "add the filter of a shared link");
    return 0;
}

/* ---- which ----------------------------------------------------------------------------------- */

static void want_protocol4(struct netlink_keys *keys, uint8_t protocol)
{
    want(keys, 0, 0x45000000, 0xff000000); /* version, length of the header */
    want(keys, 8, (uint32_t) protocol << 16, 0x00ff0000);
}

static void want_protocol6(struct netlink_keys *keys, uint8_t protocol)
{
    want(keys, 4, (uint32_t) protocol << 8, 0x0000ff00);
}

static void want_ports(struct netlink_keys *keys, int offset, const struct netlink_own *own)
{
    if (own->port)
        want(keys, offset, own->port, 0x0000ffff);
    if (own->peer_port)
        want(keys, offset, (uint32_t) own->peer_port << 16, 0xffff0000);
}

static void want_peer(struct netlink_keys *keys, int offset, const struct netlink_own *own)
{
    size_t words = own->family == AF_INET6 ? 4 : own->family == AF_INET ? 1 : 0;
    uint32_t word;

    for (size_t i = 0; i < words; i++) {
        memcpy(&word, own->peer + 4 * i, sizeof(word));
        want(keys, offset + 4 * (int) i, ntohl(word), UINT32_MAX);
    }
}

static int add_own(struct sharing *sharing, const struct netlink_own *own, struct error *err)
{
    struct filter four = {.protocol = ETH_P_IP, .fate = FATE_HERE};
    struct filter six = {.protocol = ETH_P_IPV6, .fate = FATE_HERE};

    if (own->family != AF_INET6) {
        want_protocol4(&four.keys, IPPROTO_TCP);
        want_ports(&four.keys, HEAD4, own);
        want_peer(&four.keys, 12, own);
        if (add(sharing, &four, err) < 0)
            return -1;
    }
    if (own->family == AF_INET)
        return 0;
    want_protocol6(&six.keys, IPPROTO_TCP);
    want_ports(&six.keys, HEAD6, own);
    want_peer(&six.keys, 8, own);
    return add(sharing, &six, err);
}

/* Two answers to one ping would be one too many. */
static int add_shared(struct sharing *sharing, struct error *err)
{
    struct filter filters[] = {
        {.protocol = ETH_P_ARP, .fate = FATE_BOTH},  {.protocol = ETH_P_IP, .fate = FATE_THERE},
        {.protocol = ETH_P_IP, .fate = FATE_BOTH},   {.protocol = ETH_P_IPV6, .fate = FATE_THERE},
        {.protocol = ETH_P_IPV6, .fate = FATE_BOTH}, {.protocol = ETH_P_ALL, .fate = FATE_THERE},
    };

    want_protocol4(&filters[1].keys, IPPROTO_ICMP);
    want(&filters[1].keys, HEAD4, (uint32_t) ECHO4 << 24, 0xff000000);
    want_protocol4(&filters[2].keys, IPPROTO_ICMP);
    want_protocol6(&filters[3].keys, IPPROTO_ICMPV6);
    want(&filters[3].keys, HEAD6, (uint32_t) ECHO6 << 24, 0xff000000);
    want_protocol6(&filters[4].keys, IPPROTO_ICMPV6);
    for (size_t i = 0; i < ARRAY_LENGTH(filters); i++)
        if (add(sharing, &filters[i], err) < 0)
            return -1;
    return 0;
}

int netlink_share(struct netlink *netlink, int index, int other, const struct netlink_own *own,
                  struct error *err)
{
    struct sharing sharing = {.netlink = netlink, .index = index, .other = other};

    if (netlink_new_ingress(netlink, index, err) < 0 || add_own(&sharing, own, err) < 0 ||
        add_shared(&sharing, err) < 0)
        return -1;
    return netlink_redirect(netlink, other, index, err);
}
