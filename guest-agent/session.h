/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One connection that was appraised or that joined one: who is at its other end, and the server
 * that answers him. Its loss means nothing to any container. */
#include "gate.h"

struct channel;
struct pod;
struct rpc_queue;
struct rpc_server;
struct session;

struct sessions { /* all of them */
    struct rpc_queue *queue;
    struct pod *pod;
    struct session *first;
};

struct session {
    struct sessions *all;
    struct session *next, **link;
    struct pod *pod;
    struct channel *channel;
    struct gate_peer peer;
    struct rpc_server *server;
};

/* Takes an open channel. The first control makes the guest ATTESTED. */
void session_open(struct sessions *all, struct channel *channel);
void sessions_close(struct sessions *all);
