/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Inside io/ only: a u32 filter at the ingress of a link, which may hand a packet to another one.
 */
#include <linux/pkt_cls.h>
#include <linux/tc_act/tc_mirred.h>
#include <stdint.h>

struct error;
struct netlink;

enum { NETLINK_INGRESS_HANDLE = (int) 0xffff0000u, NETLINK_KEYS_MAX = 8 };

/* What a packet must have, 32 bits at a time. */
struct netlink_keys {
    struct tc_u32_key key[NETLINK_KEYS_MAX]; /* unused ones are zero */
    unsigned char count;                     /* 0: all of the protocol */
};

struct netlink_filter {
    int index;         /* of the link */
    uint16_t protocol; /* ETH_P_* */
    uint32_t priority; /* the lowest is asked first; 0: the kernel chooses */
    struct netlink_keys keys;
    const struct tc_mirred *action; /* NULL: the packet stays here */
};

int netlink_add_filter(struct netlink *netlink, const struct netlink_filter *filter,
                       struct error *err) __attribute__((warn_unused_result));
