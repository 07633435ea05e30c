/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cleave.network = 'tenant': what comes to the pod's eth0 on this node goes to the guest, and what
 * the guest sends leaves by it, as CNI made it; connections to the pod's loopback are made with the
 * guest's. A connection of class `frames` is joined to the link's control, again each second while
 * there is none; meanwhile frames wait in the devices' queues. */
#include <stddef.h>
#include <stdint.h>
#include "base/scoped.h"

struct error;
struct link;
struct loop;
struct pod_network;

/* Of the pod's network namespace on this node, which it keeps alive. Nothing is redirected yet. */
int pod_network_new(struct loop *loop, const char *netns, struct pod_network **ret,
                    struct error *err) must_check;
/* The devices vanish, the namespace is let go. */
void pod_network_free(struct pod_network *network);
SCOPED_PTR(struct pod_network, pod_network_free)

/* What the guest is told with Configure. */
struct pod_network_facts {
    const uint8_t *block; /* a network block (base/guest_disk.h) */
    size_t length;
    unsigned offloads; /* enum frames_offloads */
};
struct pod_network_facts pod_network_facts(const struct pod_network *network);
/* It is configured, and answered with these offloads. The link outlives the network. */
int pod_network_start(struct pod_network *network, struct link *link, unsigned offloads,
                      struct error *err) must_check;
