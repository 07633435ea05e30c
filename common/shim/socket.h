/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The one socket under which a pod's shim is found. `start` may run for several containers of a pod
 * at once; a lock on the directory makes finding or making it one step. */
#include <sys/types.h>

struct error;

enum shim_socket { SHIM_SOCKET_MADE, SHIM_SOCKET_LIVE };

/* SHIM_SOCKET_MADE: *ret_fd listens. SHIM_SOCKET_LIVE: somebody else does. A dead socket file is
 * replaced. Makes the directory (0711). */
int shim_socket_claim(const char *path, enum shim_socket *ret, int *ret_fd, struct error *err)
    __attribute__((warn_unused_result));
/* For `delete` of a sandbox: waits wait_ms for the resident shim to end by itself, kills it then
 * (if it runs this very program), and removes the dead socket. */
void shim_socket_retire(const char *path, unsigned wait_ms);
