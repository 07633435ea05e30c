/* SPDX-License-Identifier: Apache-2.0 */
#include "io/netlink_filter.h"

#include <arpa/inet.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "io/netlink.h"
#include "io/netlink_message.h"

/* One key with an empty mask is what all match. */
static void put_keys(struct netlink_message *message, const struct netlink_keys *keys)
{
    struct tc_u32_sel selector = {.flags = TC_U32_TERMINAL, .nkeys = keys->count ? keys->count : 1};
    uint8_t bytes[sizeof selector + sizeof keys->key];

    memcpy(bytes, &selector, sizeof selector);
    memcpy(bytes + sizeof selector, keys->key, sizeof keys->key);
    netlink_put(message, TCA_U32_SEL, bytes,
                sizeof selector + selector.nkeys * sizeof(struct tc_u32_key));
}

static void put_action(struct netlink_message *message, const struct tc_mirred *action)
{
    size_t actions = netlink_nest(message, TCA_U32_ACT);
    size_t first = netlink_nest(message, 1);
    size_t options;

    netlink_put_text(message, TCA_ACT_KIND, "mirred");
    options = netlink_nest(message, TCA_ACT_OPTIONS | NLA_F_NESTED);
    netlink_put(message, TCA_MIRRED_PARMS, action, sizeof *action);
    netlink_end(message, options);
    netlink_end(message, first);
    netlink_end(message, actions);
}

int netlink_add_filter(struct netlink *netlink, const struct netlink_filter *filter,
                       struct error *err)
{
    const struct tcmsg head = {
        .tcm_ifindex = filter->index,
        .tcm_parent = (uint32_t) NETLINK_INGRESS_HANDLE,
        .tcm_info = TC_H_MAKE(filter->priority << 16, htons(filter->protocol)),
    };
    struct netlink_message message;
    size_t options;

    netlink_message_init(&message, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
    netlink_put_text(&message, TCA_KIND, "u32");
    options = netlink_nest(&message, TCA_OPTIONS);
    put_keys(&message, &filter->keys);
    if (filter->action)
        put_action(&message, filter->action);
    netlink_end(&message, options);
    return netlink_transact(netlink, &message, NULL, NULL, err);
}
