/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The guest's two network namespaces: `outer` has the uplink and the channel, `pod` the workload.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/dial_out.h"

struct error;
struct guest_net;
struct netlink;
struct netlink_link;

struct network {
    int outer; /* descriptors of the namespaces, owned */
    int pod;
    struct dial_out dial_out; /* where the block says that the tenant waits; family 0: nowhere */
};

void network_fini(struct network *network);
/* Takes the calling thread's namespace as outer, brings lo up, finds the link with the block's MAC
 * and gives it the block's addresses, routes and MTU. What is already so (a stub guest lives in a
 * namespace that has its address) is no error. */
int network_configure_outer(const void *block, size_t length, struct dial_out *ret_dial_out,
                            struct error *err) __attribute__((warn_unused_result));
/* Exactly one link but lo may have the address: with two, the host would choose which. */
int network_find_uplink(struct netlink *netlink, const uint8_t mac[6], struct netlink_link *ret,
                        struct error *err) __attribute__((warn_unused_result));
/* Makes the pod's namespace, with lo up, and binds it to a file at pod_path (which is made); the
 * calling thread stays in outer. Call before there are threads. */
int network_open(const char *pod_path, struct network *ret, struct error *err)
    __attribute__((warn_unused_result));
/* Makes a link that is there, and down, in another namespace into what the block says: its MAC,
 * MTU, addresses and routes. Nothing but that comes to stand on it. */
int network_give(int netns_fd, const char *name, const struct guest_net *net, struct error *err)
    __attribute__((warn_unused_result));
