/* SPDX-License-Identifier: Apache-2.0 */
/* The agent of the releases before the pod's network came into the guest: it says what they said.
 */
#include <stddef.h>

#include "base/error.h"
#include "pod_network.h"
#include "secure/channel.h"

int pod_network_new(struct loop *loop, const struct pod_network_options *options,
                    struct pod_network **ret, struct error *err)
{
    (void) loop;
    (void) options;
    (void) ret;
    return error_set(err, STATUS_UNIMPLEMENTED,
                     "cleave.network = 'tenant' is not supported by this agent, only 'none'");
}

void pod_network_free(struct pod_network *network)
{
    (void) network;
}

unsigned pod_network_offloads(const struct pod_network *network)
{
    (void) network;
    return 0;
}

int pod_network_carry(struct pod_network *network, struct channel *channel, struct error *err)
{
    (void) network;
    channel_free(channel);
    return error_set(err, STATUS_UNIMPLEMENTED, "there is no network");
}

void pod_network_set_mode(struct pod_network *network, enum frames_mode mode)
{
    (void) network;
    (void) mode;
}
