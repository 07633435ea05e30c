/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The resident process: one pod. */
#include "base/scoped.h"
#include "sandbox.h"
#include "task.h"

struct pod_events;
struct shim_server;
struct ttrpc_server;

struct tenant {
    struct loop *loop;
    struct shim_server *self;
    char *ns;
    char *conf_path;  /* of the configuration */
    char *bundle;     /* of the sandbox, in Sandbox API mode: where `start` ran */
    char *sandbox_id; /* the group that containerd gave: the id of pause */
    struct rpc_queue *queue;
    struct content *content; /* NULL: containerd gave no address (CRI-O) */
    struct publisher *publisher;
    struct pod *pod;           /* from Create of pause on */
    struct task_entry *pause;  /* its task, or what stands for it; NULL before and after */
    struct sandbox sandbox;    /* the pod's other face: SANDBOX_NEW under a pause container */
    struct call *creating;     /* Create of pause, not answered yet */
    struct call_list deleting; /* Delete of pause: waits a while for the end of the pod */
    struct source *delete_limit;
    struct tasks tasks;
    struct source *quit_limit; /* from Shutdown or SIGTERM on */
};

/* Ends the process when the events are out, soon in any case. */
void tenant_quit(struct tenant *tenant);

/* What the pod says of its containers; whoever makes it adds created, dead and removed. */
struct pod_events tenant_pod_events(void);

/* Registers containerd.runtime.sandbox.v1.Sandbox. */
void sandbox_service_register(struct ttrpc_server *server, struct tenant *tenant);
/* Registers containerd.task.v2.Task and v3.Task. */
void task_service_register(struct ttrpc_server *server, struct tenant *tenant);
/* For tasks.exited. */
void task_service_exited(void *user, struct task_entry *entry);

/* Create of pause: answered when the guest is ready, or why not. */
struct bundle;
void pause_create(struct tenant *tenant, struct call *call, const char *id,
                  const struct bundle *bundle);
void pause_start(struct tenant *tenant);
/* Delete of what is being created is the cancel. */
void pause_delete(struct tenant *tenant, struct call *call);
void pause_free(struct tenant *tenant);
