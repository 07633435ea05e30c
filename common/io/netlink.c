/* SPDX-License-Identifier: Apache-2.0 */
#include "io/netlink.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/netlink_message.h"

enum { DUMP_TRIES = 3 };

static size_t address_length(int family)
{
    return family == AF_INET ? 4 : 16;
}

static int put_name(struct netlink_message *message, const char *name, struct error *err)
{
    if (!name[0] || strlen(name) >= IFNAMSIZ)
        return error_set(err, STATUS_INVALID_ARGUMENT, "bad interface name '%.32s'", name);
    netlink_put_text(message, IFLA_IFNAME, name);
    return 0;
}

static void link_message(struct netlink_message *message, uint16_t type, uint16_t flags, int index)
{
    const struct ifinfomsg head = {.ifi_index = index};

    netlink_message_init(message, type, flags, &head, sizeof head);
}

struct link_list {
    struct netlink_link *links;
    size_t max, count;
};

static void take_link(void *user, const struct nlmsghdr *header)
{
    struct link_list *list = user;
    const struct ifinfomsg *info = NLMSG_DATA(header);
    struct netlink_link *link;
    const void *attribute;

    if (header->nlmsg_type != RTM_NEWLINK || header->nlmsg_len < NLMSG_LENGTH(sizeof *info))
        return;
    if (list->count++ >= list->max)
        return;
    link = &list->links[list->count - 1];
    *link = (struct netlink_link){.index = info->ifi_index, .flags = info->ifi_flags};
    attribute = netlink_attribute(header, sizeof *info, IFLA_ADDRESS, sizeof link->mac);
    if (attribute)
        memcpy(link->mac, attribute, sizeof link->mac);
    attribute = netlink_attribute(header, sizeof *info, IFLA_MTU, sizeof link->mtu);
    if (attribute)
        memcpy(&link->mtu, attribute, sizeof link->mtu);
    attribute = netlink_attribute(header, sizeof *info, IFLA_IFNAME, 1);
    if (attribute)
        (void) strncpy(link->name, attribute, sizeof link->name - 1);
}

static int check_count(size_t count, size_t max, size_t *ret_count, struct error *err)
{
    if (count > max)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "rtnetlink: %zu entries, at most %zu fit",
                         count, max);
    *ret_count = count;
    return 0;
}

/* A list that changes while it is read is read anew, some times. */
static int dump(struct netlink *netlink, struct netlink_message *message, netlink_answer_fn *answer,
                void *list, size_t *count, struct error *err)
{
    for (int i = 0; i < DUMP_TRIES; i++) {
        *count = 0;
        if (netlink_transact(netlink, message, answer, list, err) == 0)
            return 0;
        if (err->status != STATUS_ABORTED)
            break;
    }
    return -1;
}

int netlink_links(struct netlink *netlink, struct netlink_link *ret, size_t max, size_t *ret_count,
                  struct error *err)
{
    struct link_list list = {.links = ret, .max = max};
    struct netlink_message message;

    link_message(&message, RTM_GETLINK, NLM_F_DUMP, 0);
    if (dump(netlink, &message, take_link, &list, &list.count, err) < 0)
        return error_wrap(err, "list links");
    return check_count(list.count, max, ret_count, err);
}

int netlink_find(struct netlink *netlink, const char *name, struct netlink_link *ret,
                 struct error *err)
{
    struct netlink_link link;
    struct link_list list = {.links = &link, .max = 1};
    struct netlink_message message;

    link_message(&message, RTM_GETLINK, 0, 0);
    if (put_name(&message, name, err) < 0)
        return -1;
    if (netlink_transact(netlink, &message, take_link, &list, err) < 0)
        return error_wrap(err, "find link '%s'", name);
    if (list.count != 1)
        return error_set(err, STATUS_NOT_FOUND, "no link '%s'", name);
    *ret = link;
    return 0;
}

static int change(struct netlink *netlink, struct netlink_message *message, const char *what,
                  struct error *err)
{
    if (netlink_transact(netlink, message, NULL, NULL, err) < 0)
        return error_wrap(err, "%s", what);
    return 0;
}

int netlink_set_up(struct netlink *netlink, int index, struct error *err)
{
    const struct ifinfomsg head = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct netlink_message message;

    netlink_message_init(&message, RTM_NEWLINK, 0, &head, sizeof head);
    return change(netlink, &message, "set link up", err);
}

int netlink_set_down(struct netlink *netlink, int index, struct error *err)
{
    const struct ifinfomsg head = {.ifi_index = index, .ifi_change = IFF_UP};
    struct netlink_message message;

    netlink_message_init(&message, RTM_NEWLINK, 0, &head, sizeof head);
    return change(netlink, &message, "set link down", err);
}

int netlink_set_mtu(struct netlink *netlink, int index, uint32_t mtu, struct error *err)
{
    struct netlink_message message;

    link_message(&message, RTM_NEWLINK, 0, index);
    netlink_put_u32(&message, IFLA_MTU, mtu);
    return change(netlink, &message, "set MTU", err);
}

int netlink_set_mac(struct netlink *netlink, int index, const uint8_t mac[6], struct error *err)
{
    struct netlink_message message;

    link_message(&message, RTM_NEWLINK, 0, index);
    netlink_put(&message, IFLA_ADDRESS, mac, 6);
    return change(netlink, &message, "set MAC address", err);
}

int netlink_set_queue(struct netlink *netlink, int index, uint32_t packets, struct error *err)
{
    struct netlink_message message;

    link_message(&message, RTM_NEWLINK, 0, index);
    netlink_put_u32(&message, IFLA_TXQLEN, packets);
    return change(netlink, &message, "set queue length", err);
}

int netlink_no_autoconf(struct netlink *netlink, int index, struct error *err)
{
    const uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
    struct netlink_message message;
    size_t specific, family;

    link_message(&message, RTM_NEWLINK, 0, index);
    specific = netlink_nest(&message, IFLA_AF_SPEC);
    family = netlink_nest(&message, AF_INET6);
    netlink_put(&message, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof mode);
    netlink_end(&message, family);
    netlink_end(&message, specific);
    return change(netlink, &message, "stop address generation", err);
}

int netlink_move(struct netlink *netlink, int index, int netns_fd, const char *name,
                 struct error *err)
{
    const struct ifinfomsg head = {.ifi_index = index, .ifi_change = IFF_UP};
    struct netlink_message message;

    netlink_message_init(&message, RTM_NEWLINK, 0, &head, sizeof head);
    netlink_put_u32(&message, IFLA_NET_NS_FD, (uint32_t) netns_fd);
    if (put_name(&message, name, err) < 0)
        return -1;
    return change(netlink, &message, "move link", err);
}

int netlink_add_address(struct netlink *netlink, int index, const struct netlink_address *address,
                        struct error *err)
{
    const struct ifaddrmsg head = {.ifa_family = (uint8_t) address->family,
                                   .ifa_prefixlen = address->prefix,
                                   .ifa_flags = address->family == AF_INET6 ? IFA_F_NODAD : 0,
                                   .ifa_index = (uint32_t) index};
    struct netlink_message message;

    netlink_message_init(&message, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
    netlink_put(&message, IFA_LOCAL, address->address, address_length(address->family));
    netlink_put(&message, IFA_ADDRESS, address->address, address_length(address->family));
    return change(netlink, &message, "add address", err);
}

struct address_list {
    int index;
    struct netlink_address *addresses;
    size_t max, count;
};

static void take_address(void *user, const struct nlmsghdr *header)
{
    struct address_list *list = user;
    const struct ifaddrmsg *info = NLMSG_DATA(header);
    struct netlink_address *address;
    const void *local;
    size_t length;

    if (header->nlmsg_type != RTM_NEWADDR || header->nlmsg_len < NLMSG_LENGTH(sizeof *info))
        return;
    if ((info->ifa_family != AF_INET && info->ifa_family != AF_INET6) ||
        info->ifa_scope != RT_SCOPE_UNIVERSE || (int) info->ifa_index != list->index)
        return;
    length = address_length(info->ifa_family);
    /* IFA_ADDRESS is the peer's on point-to-point links; IPv6 often has only that one. */
    local = netlink_attribute(header, sizeof *info, IFA_LOCAL, length);
    if (!local)
        local = netlink_attribute(header, sizeof *info, IFA_ADDRESS, length);
    if (!local || list->count++ >= list->max)
        return;
    address = &list->addresses[list->count - 1];
    *address = (struct netlink_address){.family = info->ifa_family, .prefix = info->ifa_prefixlen};
    memcpy(address->address, local, length);
}

int netlink_addresses(struct netlink *netlink, int index, struct netlink_address *ret, size_t max,
                      size_t *ret_count, struct error *err)
{
    struct address_list list = {.index = index, .addresses = ret, .max = max};
    const struct ifaddrmsg head = {.ifa_family = AF_UNSPEC};
    struct netlink_message message;

    netlink_message_init(&message, RTM_GETADDR, NLM_F_DUMP, &head, sizeof head);
    if (dump(netlink, &message, take_address, &list, &list.count, err) < 0)
        return error_wrap(err, "list addresses");
    return check_count(list.count, max, ret_count, err);
}

static bool is_zero(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i])
            return false;
    return true;
}

/* A gateway need not lie inside a prefix of ours (RTNH_F_ONLINK), so the order does not matter. */
int netlink_add_route(struct netlink *netlink, int index, const struct netlink_route *route,
                      struct error *err)
{
    size_t length = address_length(route->family);
    bool on_link = is_zero(route->gateway, length);
    const struct rtmsg head = {
        .rtm_family = (uint8_t) route->family,
        .rtm_dst_len = route->prefix,
        .rtm_table = RT_TABLE_MAIN,
        .rtm_protocol = RTPROT_BOOT,
        .rtm_scope = on_link && route->family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
        .rtm_type = RTN_UNICAST,
        .rtm_flags = on_link ? 0 : RTNH_F_ONLINK,
    };
    struct netlink_message message;

    netlink_message_init(&message, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof head);
    if (route->prefix > 0)
        netlink_put(&message, RTA_DST, route->destination, length);
    if (!on_link)
        netlink_put(&message, RTA_GATEWAY, route->gateway, length);
    netlink_put_u32(&message, RTA_OIF, (uint32_t) index);
    return change(netlink, &message, "add route", err);
}

struct route_list {
    int index;
    struct netlink_route *routes;
    size_t max, count;
};

/* The kernel makes these by itself wherever a link is up. */
static bool is_link_local(const struct netlink_route *route)
{
    return route->family == AF_INET6 && route->prefix > 0 &&
           (route->destination[0] == 0xff ||
            (route->destination[0] == 0xfe && (route->destination[1] & 0xc0) == 0x80));
}

static void take_route(void *user, const struct nlmsghdr *header)
{
    struct route_list *list = user;
    const struct rtmsg *info = NLMSG_DATA(header);
    struct netlink_route route = {0};
    const void *destination, *gateway, *out;
    int index;
    size_t length;

    if (header->nlmsg_type != RTM_NEWROUTE || header->nlmsg_len < NLMSG_LENGTH(sizeof *info))
        return;
    if ((info->rtm_family != AF_INET && info->rtm_family != AF_INET6) ||
        info->rtm_table != RT_TABLE_MAIN || info->rtm_type != RTN_UNICAST ||
        info->rtm_flags & RTM_F_CLONED)
        return;
    out = netlink_attribute(header, sizeof *info, RTA_OIF, sizeof index);
    if (!out)
        return;
    memcpy(&index, out, sizeof index);
    length = address_length(info->rtm_family);
    destination = netlink_attribute(header, sizeof *info, RTA_DST, length);
    gateway = netlink_attribute(header, sizeof *info, RTA_GATEWAY, length);
    route.family = info->rtm_family;
    route.prefix = info->rtm_dst_len;
    if (destination)
        memcpy(route.destination, destination, length);
    if (gateway)
        memcpy(route.gateway, gateway, length);
    if (index != list->index || is_link_local(&route) || list->count++ >= list->max)
        return;
    list->routes[list->count - 1] = route;
}

int netlink_routes(struct netlink *netlink, int index, struct netlink_route *ret, size_t max,
                   size_t *ret_count, struct error *err)
{
    struct route_list list = {.index = index, .routes = ret, .max = max};
    const struct rtmsg head = {.rtm_family = AF_UNSPEC};
    struct netlink_message message;

    netlink_message_init(&message, RTM_GETROUTE, NLM_F_DUMP, &head, sizeof head);
    if (dump(netlink, &message, take_route, &list, &list.count, err) < 0)
        return error_wrap(err, "list routes");
    return check_count(list.count, max, ret_count, err);
}

int netlink_add_veth(struct netlink *netlink, const char *name, const char *peer, int peer_netns,
                     struct error *err)
{
    const struct ifinfomsg peer_head = {0};
    struct netlink_message message;
    size_t info, data, other;

    link_message(&message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
    if (put_name(&message, name, err) < 0)
        return -1;
    info = netlink_nest(&message, IFLA_LINKINFO);
    netlink_put_text(&message, IFLA_INFO_KIND, "veth");
    data = netlink_nest(&message, IFLA_INFO_DATA);
    other = message.length;
    netlink_put(&message, VETH_INFO_PEER, &peer_head, sizeof peer_head);
    if (put_name(&message, peer, err) < 0)
        return -1;
    if (peer_netns >= 0)
        netlink_put_u32(&message, IFLA_NET_NS_FD, (uint32_t) peer_netns);
    netlink_end(&message, other);
    netlink_end(&message, data);
    netlink_end(&message, info);
    return change(netlink, &message, "add veth pair", err);
}

int netlink_delete(struct netlink *netlink, int index, struct error *err)
{
    struct netlink_message message;

    link_message(&message, RTM_DELLINK, 0, index);
    return change(netlink, &message, "delete link", err);
}
