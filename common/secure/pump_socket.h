/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The plain end of a pump that is a stream socket, at whose other end somebody reads and writes. */
#include "base/scoped.h"
#include "secure/pump.h"

struct pump_socket;

/* fd is borrowed and does not block. */
struct pump_socket *pump_socket_new(int fd);
void pump_socket_free(struct pump_socket *socket);
SCOPED_PTR(struct pump_socket, pump_socket_free)
struct pump_plain pump_socket_plain(struct pump_socket *socket);
