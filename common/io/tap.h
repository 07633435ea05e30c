/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A TAP or TUN device whose packets carry IFF_VNET_HDR's header. It is there as long as its
 * descriptor is open: nothing of it survives its process. The descriptor also keeps the network
 * namespace alive, whatever becomes of its name. */
#include <stdint.h>

struct error;

enum tap_kind { TAP_ETHERNET, TAP_PACKETS };

/* Packets that wait while nobody reads: what is older than them is not worth sending any more. */
enum { TAP_QUEUE_LENGTH = 64 };

/* In the namespace netns_fd; the descriptor does not block. */
int tap_open(int netns_fd, enum tap_kind kind, const char *name, int *ret_fd, struct error *err)
    __attribute__((warn_unused_result));
/* enum frames_offloads that this kernel takes for it; they are in force until tap_set_offloads().
 */
unsigned tap_offloads(int fd);
int tap_set_offloads(int fd, unsigned offloads, struct error *err)
    __attribute__((warn_unused_result));
