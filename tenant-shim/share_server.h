/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The pod's cleave-share: the process, and the socket by which it is told what to share. Its
 * program serves it (share/keeper.h), so it starts in the mount namespace of the node's containerd,
 * as this shim did. It never outlives the shim. */
#include "base/scoped.h"

struct error;
struct loop;
struct share_server;

struct share_server_events {
    void (*answered)(void *user, const char *words); /* to what was asked */
    void (*ended)(void *user, const char *how);      /* once; nothing more is answered */
};

/* ret_stream: our end of the stream of FUSE messages; the caller's. Events never come from inside
 * of a call. */
int share_server_start(struct loop *loop, const struct share_server_events *events, void *user,
                       int *ret_stream, struct share_server **ret, struct error *err) must_check;
/* One at a time: the next one after the answer. */
int share_server_ask(struct share_server *server, const char *request,
                     struct error *err) must_check;
/* Ends it. May be called from inside an event. */
void share_server_free(struct share_server *server);
SCOPED_PTR(struct share_server, share_server_free)
