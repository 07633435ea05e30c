/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The tenant's end of a pod's network: a namespace with an eth0 as CNI makes it, lent to the guest
 * of a bed, and its frames on a connection of their own. What fails ends the program with a
 * sentence. */
#include <stdint.h>

#include <sys/types.h>

#include "agent.pb-c.h"
#include "base/guest_disk.h"

struct bed;
struct channel;
struct frames_relay;

#define FRAMES_END_ADDRESS "10.98.0.2"

struct frames_end {
    int netns, tap;
    unsigned offloads;
    uint8_t block[GUEST_DISK_BLOCK];
    struct channel *channel;
    struct frames_relay *relay;
};

/* Says in Configure what there is. The guest's bed has `pod_network`. */
void frames_end_open(struct frames_end *end, Agent__ConfigureRequest *request);
/* `offloads` as Configure was answered. */
void frames_end_connect(struct frames_end *end, struct bed *bed, unsigned offloads);
void frames_end_close(struct frames_end *end);
/* A child process that connects to the guest's port and reads without an end. */
pid_t frames_end_read(uint16_t port);
uint64_t frames_end_packets(const struct frames_end *end); /* that have come */
