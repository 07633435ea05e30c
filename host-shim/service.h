/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The two services of a host shim share one sandbox, its anchors, and who waits for what. */
#include "anchor.h"
#include "sandbox.h"
#include "shim/task_table.h"
#include "ttrpc/call.h"

struct host {
    struct loop *loop;
    struct shim_server *self;
    char *id;
    uint32_t pid; /* its own, without asking each time */
    struct sandbox *sandbox;
    struct anchors anchors;
    struct call *starting; /* StartSandbox in progress */
    struct call_list stoppers;
    struct call_list waiters;
    struct call_list task_waiters; /* Wait of the Task API with the id of the sandbox */
    struct call_list shutdowns;
    bool quitting;
    struct source *sweep;
    struct source *farewell; /* between the last answer and the end */
};

struct ttrpc_server;

void sandbox_service_register(struct ttrpc_server *server, struct host *host);
void task_service_register(struct ttrpc_server *server, struct host *host);

/* What becomes of the sandbox, for both services. */
extern const struct sandbox_events host_events;
/* The machine is gone: anchors end with it. */
void task_service_exited(struct host *host, const struct sandbox_view *view);
/* Stops the sandbox, then ends the process: ShutdownSandbox, SIGTERM. */
void host_quit(struct host *host);
