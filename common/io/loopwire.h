/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The loopback wire: a TUN device in two network namespaces which makes the loopback of one, the
 * node's, lead to the services that listen on the other's, the guest's. A connection to 127.0.0.1
 * or ::1 in the first is made with who listens there in the second, or refused there and then: no
 * proxy accepts it first. Who is connected to sees LOOPWIRE_PEER4 or LOOPWIRE_PEER6 as the client.
 *
 * What is redirected is what comes to these addresses; nothing else leaves either namespace. */
struct error;

#define LOOPWIRE_NAME  "lw0"
#define LOOPWIRE_PEER4 "127.99.99.99"
#define LOOPWIRE_PEER6 "fd63:6c65:6176:6577::99"

enum loopwire_end { LOOPWIRE_NODE, LOOPWIRE_GUEST };

/* The descriptor is the device (io/tap.h). Without IPv6 in the namespace there is IPv4 only. */
int loopwire_open(int netns_fd, enum loopwire_end end, int *ret_fd, struct error *err)
    __attribute__((warn_unused_result));
