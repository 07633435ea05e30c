/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The TAP device of a machine, into the pod's namespace where io/uplink.h joins it with eth0. */
#include <sys/types.h>

struct error;

/* Out of the namespace of process `owner` (where libvirt made it). */
int tap_move(int netns_fd, pid_t owner, const char *tap, struct error *err)
    __attribute__((warn_unused_result));
