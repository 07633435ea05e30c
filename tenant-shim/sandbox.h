/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The pod as containerd's Sandbox API sees it: the second way in, beside the pause container
 * (pause.c). It owns the pod's configuration between CreateSandbox and StartSandbox, and the calls
 * that wait. In the Task API the sandbox's id stands for a task that cannot be acted upon:
 * containerd asks Connect, Pids and State for it when it comes back. */
#include <stdint.h>
#include "base/scoped.h"
#include "shim/sandbox_state.h"
#include "ttrpc/call.h"

struct error;
struct sandbox_facts;
struct tenant;

struct sandbox {
    enum sandbox_state state;
    struct pod_config *config;
    struct call *starting; /* StartSandbox, not answered yet */
    struct call_list waiters, stoppers, shutdowns;
    int64_t created_at_ns, exited_at_ns;
    uint32_t exit_status;
    bool quitting;                /* ShutdownSandbox came: `delete` follows */
    struct source *removal_limit; /* how long StopSandbox waits for the host */
    struct source *farewell;
};

/* Takes config. */
int sandbox_create(struct tenant *tenant, struct pod_config *config, struct error *err) must_check;
/* The call is answered when the guest is ready, or why not. */
void sandbox_start(struct tenant *tenant, struct call *call);
void sandbox_stop(struct tenant *tenant, struct call *call);
void sandbox_wait(struct tenant *tenant, struct call *call);
/* Stops, answers, and ends the process. */
void sandbox_shutdown(struct tenant *tenant, struct call *call);
struct sandbox_facts sandbox_facts(const struct tenant *tenant);
void sandbox_free(struct tenant *tenant);
