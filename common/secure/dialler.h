/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The guest's part of dial-out: keeps exactly one idle connection to the address of the network
 * block on offer, for ever, with growing pauses. When its peer says the first word the connection
 * is handed on as if it had been accepted, and the next one is dialled. Who the peer is shows only
 * in TLS, where the guest is the server as ever; until then nothing is read and nothing is said. */
#include <stdint.h>

struct dial_out;
struct dialler;
struct error;
struct loop;

/* A connected, non-blocking socket whose peer has spoken; the receiver's. Never from inside. */
typedef void dialler_fn(void *user, int fd);

/* Connects from the network namespace that the loop's thread is in. */
int dialler_new(struct loop *loop, const struct dial_out *to, dialler_fn *spoken, void *user,
                struct dialler **ret, struct error *err) __attribute__((warn_unused_result));
void dialler_free(struct dialler *dialler);
static inline void dialler_freep(struct dialler **p)
{
    if (*p)
        dialler_free(*p);
}
/* What was handed on has become a channel: the tenant is there, and the pauses begin anew. */
void dialler_praise(struct dialler *dialler);
