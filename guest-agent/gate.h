/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The gate: which method exists for whom, and when. One table; what is not in it does not exist.
 * There is no row for the host, because there is no peer that is the host. */
#include <stdbool.h>
#include <stddef.h>

#include "grpc/server.h"
#include "phase.h"
#include "secure/channel.h"

struct error;

struct gate_peer {
    enum channel_class class;
    enum peer_role role;
};

struct gate_guest {
    enum phase phase;
    bool frozen; /* only the rows that say so */
};

struct gate_row {
    struct rpc_method method;
    enum channel_class class;
    unsigned roles;  /* BIT(enum peer_role) */
    unsigned phases; /* BIT(enum phase), and GATE_FROZEN if frozen too */
};

enum { GATE_FROZEN = 1u << PHASE_COUNT };

const struct gate_row *gate_rows(size_t *ret_count);
/* NULL: UNIMPLEMENTED (on this class of connection), PERMISSION_DENIED (the role),
 * FAILED_PRECONDITION (the phase) or UNAVAILABLE (frozen: the same again, later), in this order. */
const struct rpc_method *gate_admit(const struct gate_peer *peer, const struct gate_guest *guest,
                                    const char *name, struct error *err);
/* A connection of class frames or share has no methods: may it be had at all? PERMISSION_DENIED or
 * FAILED_PRECONDITION; a frozen guest takes it, and is silent on it (pod_network.h). */
int gate_admit_raw(const struct gate_peer *peer, enum phase phase, struct error *err)
    __attribute__((warn_unused_result));
