/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cleave.network = 'host': the pod's namespace has an eth0 with the uplink's MAC, addresses, routes
 * and MTU, and what comes to the uplink is the pod's but for the channel. The namespaces stay two:
 * the workload sees nothing of the agent's, and cannot speak with it. The host reads and changes
 * what the workload sends. Called in the outer namespace. */
#include <stddef.h>

struct dial_out;
struct error;

struct host_network_options {
    int pod_netns;     /* borrowed for the call */
    const void *block; /* the network block of the host's disk, which has made the uplink */
    size_t length;
    const struct dial_out *dial_out; /* family 0: the channel's peers come to CHANNEL_PORT */
};

/* One of an attempt before is replaced. */
int host_network_make(const struct host_network_options *options, struct error *err)
    __attribute__((warn_unused_result));
enum host_network_mode { HOST_NETWORK_FLOW, HOST_NETWORK_SILENT };
/* Silent: nothing comes to the pod, and nothing of it leaves. */
int host_network_set_mode(enum host_network_mode mode, struct error *err)
    __attribute__((warn_unused_result));
