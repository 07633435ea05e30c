/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One link whose address two network namespaces have: what arrives there is either for the one that
 * has the link, or for another one behind a second link (a veth's end). Both answer who asks for
 * the address, alike; both hear what routers say. By rtnetlink, as netlink_redirect.c. */
#include <stdint.h>

struct error;
struct netlink;

/* The one kind of TCP that stays with the link's own namespace. */
struct netlink_own {
    uint16_t port;      /* its own port; 0: any */
    int family;         /* of the peer; 0: any */
    uint8_t peer[16];   /* IPv4: the first four bytes */
    uint16_t peer_port; /* 0: any */
};

/* A new ingress qdisc on each; all that comes from `other` leaves by `index`. */
int netlink_share(struct netlink *netlink, int index, int other, const struct netlink_own *own,
                  struct error *err) __attribute__((warn_unused_result));
