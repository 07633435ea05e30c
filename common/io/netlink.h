/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* rtnetlink, synchronous: what the uplink and the guest's namespaces need, no programs. Each call
 * works in the network namespace in which the socket was opened. */
#include <stddef.h>
#include <stdint.h>
#include <net/if.h>

struct error;
struct netlink;

struct netlink_link {
    int index;
    uint8_t mac[6];
    uint32_t mtu;
    uint32_t flags; /* IFF_* */
    char name[IFNAMSIZ];
};

struct netlink_address {
    int family; /* AF_INET, AF_INET6 */
    uint8_t address[16];
    uint8_t prefix;
};

struct netlink_route {
    int family;
    uint8_t destination[16];
    uint8_t prefix;
    uint8_t gateway[16]; /* all zero: on-link */
};

enum { NETLINK_LIST_MAX = 64 };

/* netns_fd -1: the caller's own; else the socket is opened there (the thread returns at once). */
int netlink_open(int netns_fd, struct netlink **ret, struct error *err)
    __attribute__((warn_unused_result));
void netlink_close(struct netlink *netlink);
static inline void netlink_closep(struct netlink **p)
{
    if (*p)
        netlink_close(*p);
}
int netlink_links(struct netlink *netlink, struct netlink_link *ret, size_t max, size_t *ret_count,
                  struct error *err) __attribute__((warn_unused_result));
int netlink_find(struct netlink *netlink, const char *name, struct netlink_link *ret,
                 struct error *err) __attribute__((warn_unused_result));
int netlink_set_up(struct netlink *netlink, int index, struct error *err)
    __attribute__((warn_unused_result));
int netlink_set_down(struct netlink *netlink, int index, struct error *err)
    __attribute__((warn_unused_result));
int netlink_set_mtu(struct netlink *netlink, int index, uint32_t mtu, struct error *err)
    __attribute__((warn_unused_result));
/* While it is down. */
int netlink_set_mac(struct netlink *netlink, int index, const uint8_t mac[6], struct error *err)
    __attribute__((warn_unused_result));
/* How many packets wait for who takes them. */
int netlink_set_queue(struct netlink *netlink, int index, uint32_t packets, struct error *err)
    __attribute__((warn_unused_result));
/* IFLA_INET6_ADDR_GEN_MODE = NONE: no link-local address of the kernel's own. */
int netlink_no_autoconf(struct netlink *netlink, int index, struct error *err)
    __attribute__((warn_unused_result));
/* Moves a link (set down) into another namespace under a new name, in one message. */
int netlink_move(struct netlink *netlink, int index, int netns_fd, const char *name,
                 struct error *err) __attribute__((warn_unused_result));
int netlink_add_address(struct netlink *netlink, int index, const struct netlink_address *address,
                        struct error *err) __attribute__((warn_unused_result));
/* Global-scope addresses of a link. */
int netlink_addresses(struct netlink *netlink, int index, struct netlink_address *ret, size_t max,
                      size_t *ret_count, struct error *err) __attribute__((warn_unused_result));
int netlink_add_route(struct netlink *netlink, int index, const struct netlink_route *route,
                      struct error *err) __attribute__((warn_unused_result));
/* Main-table unicast routes through a link. */
int netlink_routes(struct netlink *netlink, int index, struct netlink_route *ret, size_t max,
                   size_t *ret_count, struct error *err) __attribute__((warn_unused_result));
/* ---- what arrives at a link goes elsewhere: netlink_redirect.c ------------------------------- */

/* An ingress qdisc without filters, in place of the one that may be there: a filter whose target
 * has vanished drops everything, so an old one never stays. */
int netlink_new_ingress(struct netlink *netlink, int index, struct error *err)
    __attribute__((warn_unused_result));
enum netlink_match { NETLINK_ALL, NETLINK_FROM, NETLINK_TO };
enum netlink_place {
    NETLINK_EGRESS,  /* it leaves there */
    NETLINK_INGRESS, /* it arrives there */
};
struct netlink_redirection {
    enum netlink_match match;
    int family; /* with address, unless all match */
    uint8_t address[16];
    int to_index;
    enum netlink_place place;
};
/* One u32 filter behind those that are there. cls_matchall may be absent; u32 is there. */
int netlink_add_redirection(struct netlink *netlink, int index,
                            const struct netlink_redirection *redirection, struct error *err)
    __attribute__((warn_unused_result));
/* A new ingress qdisc, and all that arrives here leaves there. */
int netlink_redirect(struct netlink *netlink, int from_index, int to_index, struct error *err)
    __attribute__((warn_unused_result));

/* ---- ------------------------------------------------------------------------------------------
 */

/* Who speaks to this address of ours, on a link that has it (lo), has that other address of ours.
 */
int netlink_set_source(struct netlink *netlink, int index, int family, const uint8_t *to,
                       const uint8_t *source, struct error *err)
    __attribute__((warn_unused_result));
/* A veth pair, one end possibly in another namespace (peer_netns -1: here). */
int netlink_add_veth(struct netlink *netlink, const char *name, const char *peer, int peer_netns,
                     struct error *err) __attribute__((warn_unused_result));
int netlink_delete(struct netlink *netlink, int index, struct error *err)
    __attribute__((warn_unused_result));
