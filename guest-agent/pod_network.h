/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cleave.network = 'tenant': the pod's namespace has the eth0 of the pod on the tenant's node, same
 * MAC, addresses, routes and MTU, and its loopback is where port-forwards end. Frames go to the
 * node by a connection of class `frames`; while there is none they wait in the devices' queues.
 * While the guest is frozen none goes either way: its kernel would go on to answer for the
 * workload, which may have been replaced meanwhile by one that has the same address. */
#include <stddef.h>
#include <stdint.h>

#include "io/frames_relay.h"

struct channel;
struct error;
struct loop;
struct pod_network;

struct pod_network_options {
    int netns;         /* the pod's; borrowed for the call */
    const void *block; /* a network block (base/guest_disk.h), from the tenant */
    size_t length;
    unsigned offloads; /* enum frames_offloads: what the tenant's device can */
};

int pod_network_new(struct loop *loop, const struct pod_network_options *options,
                    struct pod_network **ret, struct error *err)
    __attribute__((warn_unused_result));
/* The devices vanish. */
void pod_network_free(struct pod_network *network);
static inline void pod_network_freep(struct pod_network **p)
{
    if (*p)
        pod_network_free(*p);
}
/* What both can, for the tenant. */
unsigned pod_network_offloads(const struct pod_network *network);
/* Takes an open channel, also on failure; it takes the place of the one before. */
int pod_network_carry(struct pod_network *network, struct channel *channel, struct error *err)
    __attribute__((warn_unused_result));
/* Of this and every later connection. NULL: there is no network. */
void pod_network_set_mode(struct pod_network *network, enum frames_mode mode);
