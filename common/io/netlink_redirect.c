/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/scoped.h"
#include "io/netlink.h"
#include "io/netlink_filter.h"
#include "io/netlink_message.h"

static int change(struct netlink *netlink, struct netlink_message *message, const char *what,
                  struct error *err)
{
    if (netlink_transact(netlink, message, NULL, NULL, err) < 0)
        return error_wrap(err, "%s", what);
    return 0;
}

int netlink_new_ingress(struct netlink *netlink, int index, struct error *err)
{
    const struct tcmsg head = {.tcm_ifindex = index,
                               .tcm_handle = (uint32_t) NETLINK_INGRESS_HANDLE,
                               .tcm_parent = TC_H_INGRESS};
    struct netlink_message message;
    struct error ignored;

    netlink_message_init(&message, RTM_DELQDISC, 0, &head, sizeof head);
    netlink_put_text(&message, TCA_KIND, "ingress");
    (void) !netlink_transact(netlink, &message, NULL, NULL, &ignored);

    netlink_message_init(&message, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
    netlink_put_text(&message, TCA_KIND, "ingress");
    return change(netlink, &message, "add ingress qdisc", err);
}

/* ---- filters --------------------------------------------------------------------------------- */

/* Where the address stands in the packet's own header. */
static int address_offset(const struct netlink_redirection *redirection)
{
    if (redirection->family == AF_INET)
        return redirection->match == NETLINK_FROM ? 12 : 16;
    return redirection->match == NETLINK_FROM ? 8 : 24;
}

/* One key per 32 bits of the address. */
static void want_address(struct netlink_keys *keys, const struct netlink_redirection *redirection)
{
    if (redirection->match == NETLINK_ALL)
        return;
    keys->count = redirection->family == AF_INET ? 1 : 4;
    for (int i = 0; i < keys->count; i++) {
        memcpy(&keys->key[i].val, redirection->address + (size_t) i * 4, 4);
        keys->key[i].mask = UINT32_MAX;
        keys->key[i].off = address_offset(redirection) + i * 4;
    }
}

int netlink_add_redirection(struct netlink *netlink, int index,
                            const struct netlink_redirection *redirection, struct error *err)
{
    const struct tc_mirred action = {
        .action = TC_ACT_STOLEN,
        .eaction = redirection->place == NETLINK_EGRESS ? TCA_EGRESS_REDIR : TCA_INGRESS_REDIR,
        .ifindex = (uint32_t) redirection->to_index,
    };
    struct netlink_filter filter = {
        .index = index,
        .protocol = redirection->match == NETLINK_ALL ? ETH_P_ALL
                    : redirection->family == AF_INET  ? ETH_P_IP
                                                      : ETH_P_IPV6,
        .action = &action,
    };

    want_address(&filter.keys, redirection);
    if (netlink_add_filter(netlink, &filter, err) < 0)
        return error_wrap(err, "add redirect filter");
    return 0;
}

int netlink_redirect(struct netlink *netlink, int from_index, int to_index, struct error *err)
{
    const struct netlink_redirection all = {.to_index = to_index};

    if (netlink_new_ingress(netlink, from_index, err) < 0)
        return -1;
    return netlink_add_redirection(netlink, from_index, &all, err);
}

/* ---- the source of what is spoken to oneself ------------------------------------------------- */

static void local_route(struct netlink_message *message, uint16_t type, uint16_t flags, int family)
{
    const struct rtmsg head = {
        .rtm_family = (uint8_t) family,
        .rtm_dst_len = family == AF_INET ? 32 : 128,
        .rtm_table = RT_TABLE_LOCAL,
        .rtm_protocol = RTPROT_KERNEL,
        .rtm_scope = family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
        .rtm_type = RTN_LOCAL,
    };

    netlink_message_init(message, type, flags, &head, sizeof head);
}

/* IPv6: a replacement would only be one more route, which loses; and the metric must beat 0. */
int netlink_set_source(struct netlink *netlink, int index, int family, const uint8_t *to,
                       const uint8_t *source, struct error *err)
{
    size_t length = family == AF_INET ? 4 : 16;
    struct netlink_message message;
    struct error ignored;

    if (family == AF_INET6) {
        local_route(&message, RTM_DELROUTE, 0, family);
        netlink_put(&message, RTA_DST, to, length);
        netlink_put_u32(&message, RTA_OIF, (uint32_t) index);
        (void) !netlink_transact(netlink, &message, NULL, NULL, &ignored);
    }
    local_route(&message, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, family);
    netlink_put(&message, RTA_DST, to, length);
    netlink_put(&message, RTA_PREFSRC, source, length);
    netlink_put_u32(&message, RTA_OIF, (uint32_t) index);
    if (family == AF_INET6)
        netlink_put_u32(&message, RTA_PRIORITY, 1);
    return change(netlink, &message, "set the source of a local route", err);
}
