/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Stands between two ends on loopback and counts what the dialling end waits for: how often bytes
 * came back after some had gone out. One connection after another. */
#include <stdint.h>

struct loop;
struct relay;

/* On loopback, to that port there. Dies where it cannot. */
struct relay *relay_new(struct loop *loop, uint16_t to);
void relay_free(struct relay *relay);
uint16_t relay_port(const struct relay *relay);
unsigned relay_answers(const struct relay *relay); /* of the last connection */
/* Which listens on loopback, at a port of the kernel's choice. */
int relay_listen(uint16_t *ret_port);
int relay_dial(uint16_t port); /* non-blocking */
