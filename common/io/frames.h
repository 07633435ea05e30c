/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a connection of class `frames` carries: packets, each behind one big-endian u32 that holds
 * its queue (8 bits) and its length (24 bits). A packet begins with the header that a TAP device
 * with IFF_VNET_HDR gives and takes, 12 bytes; it is carried verbatim. Pure: bytes in, verdict out.
 */
#include <stddef.h>
#include <stdint.h>

struct error;

enum frames_queue {
    FRAMES_NETWORK = 0,  /* Ethernet: the pod's eth0 */
    FRAMES_LOOPBACK = 1, /* IP packets: the loopback wire */
    FRAMES_QUEUES = 2,
};

enum {
    FRAMES_HEAD_SIZE = 4,
    FRAMES_VNET_SIZE = 12,
    FRAMES_LENGTH_MAX = 65600, /* of a packet, with the header of its TAP */
    FRAMES_PACKET_MAX = FRAMES_HEAD_SIZE + FRAMES_LENGTH_MAX,
};

/* What one end may leave to the other: bits of Configure's `offloads`, the values of TUN_F_*. */
enum frames_offloads {
    FRAMES_CSUM = 1,
    FRAMES_TSO4 = 2,
    FRAMES_TSO6 = 4,
    FRAMES_TSO_ECN = 8,
    FRAMES_OFFLOADS = 15,
};

/* What both can; segmentation is nothing without checksums. */
unsigned frames_common(unsigned ours, unsigned theirs);

struct frame {
    enum frames_queue queue;
    const uint8_t *data; /* borrowed from the stream's bytes */
    size_t length;
};

void frames_put_head(uint8_t to[FRAMES_HEAD_SIZE], enum frames_queue queue, size_t length);
/* The first packet of these bytes: 1 it is complete, 0 more is needed, -1 the stream is none: no
 * such queue, or a length that no packet has. Judged by the head alone, before there is a body. */
int frames_next(const uint8_t *data, size_t size, struct frame *ret, struct error *err)
    __attribute__((warn_unused_result));
/* May our kernel see it? Its header must ask for nothing but what was agreed, and for that within
 * the packet. -1: to be dropped. */
int frames_check(const struct frame *frame, unsigned offloads, struct error *err)
    __attribute__((warn_unused_result));
