/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The pod's eth0 as the guest's own: what stands on it goes into the network block, and the tap of
 * the machine is joined with it by redirects. Its address, MAC and routes stay as they are: with
 * the redirects in place the namespace answers nothing itself, and CNI's DEL finds what it made. */
#include <sys/types.h>

struct error;
struct guest_net;

int uplink_open(const char *netns, int *ret_fd, struct error *err)
    __attribute__((warn_unused_result));
int uplink_read(int netns_fd, struct guest_net *ret, struct error *err)
    __attribute__((warn_unused_result));
/* Moves `tap` out of the namespace of process `owner` (where libvirt made it) and joins it. */
int uplink_join(int netns_fd, pid_t owner, const char *tap, struct error *err)
    __attribute__((warn_unused_result));
