/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A pod's eth0, as its CNI made it, lent to a machine: what stands on it goes to the machine, and a
 * TAP device whose other end the machine has is joined with it by redirects. Its address, MAC and
 * routes stay as they are: with the redirects in place the namespace answers nothing itself, and
 * CNI's DEL finds what it made. */
struct error;
struct guest_net;

#define UPLINK_NAME "eth0"
#define UPLINK_TAP  "tap0"

int uplink_read(int netns_fd, struct guest_net *ret, struct error *err)
    __attribute__((warn_unused_result));
/* UPLINK_TAP is in that namespace already. */
int uplink_join(int netns_fd, struct error *err) __attribute__((warn_unused_result));
