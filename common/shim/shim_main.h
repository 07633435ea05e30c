/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* main() of both shims: the verbs start, delete, -info, -v, and the server that start leaves
 * behind. The resident part never forks threads before create_service() runs. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "shim/bootstrap.h"

struct error;
struct loop;
struct shim_server;
struct ttrpc_server;

struct shim_options {
    const char *ns;
    const char *id;            /* the one that `start` ran for: the sandbox (or pause) */
    const char *group;         /* sandbox id that groups the pod; equals id where there is none */
    const char *bundle;        /* absolute; of `id` */
    const char *address;       /* containerd's gRPC socket, "" under CRI-O */
    const char *ttrpc_address; /* "" : no events */
    bool sandbox_api;          /* started by containerd's sandbox controller */
    struct bootstrap_options runtime_options;
};

struct shim_cleanup {
    const char *ns;
    const char *id;
    const char *group; /* "" if the bundle no longer says */
    const char *bundle;
    bool is_sandbox; /* id is the pod's own; false: a container's, nothing of the VM may be touched
                      */
    uint64_t end_ms; /* clock_monotonic_ms() at which it has to be over: then containerd kills it */
    void *prepared;  /* of shim.prepare() */
};

struct shim_exit {
    uint32_t pid;
    uint32_t exit_status; /* 137 unless known better */
    int64_t exited_at_ns; /* 0: now */
};

struct shim {
    const char *runtime;   /* "io.containerd.cleave-host.v2" */
    const char *component; /* for the log: "host-shim" */
    /* Registers the services; *ret is handed to destroy_service(). Everything that can fail by
     * configuration should fail in the first RPC instead: here containerd sees no reason. */
    int (*create_service)(struct loop *loop, struct ttrpc_server *server, struct shim_server *self,
                          const struct shim_options *options, void **ret, struct error *err);
    void (*destroy_service)(void *service);
    /* SIGTERM: end in an orderly way, then shim_quit(). NULL: shim_quit() at once. */
    void (*terminate)(void *service);
    /* The verb delete, before the resident process is ended, which may use up most of the time:
     * what must not get lost if the verb is killed is written down here. May be NULL. */
    void (*prepare)(struct shim_cleanup *cleanup);
    /* The verb delete: idempotent, 5 s in all, also after a normal end and for unknown ids. Runs in
     * a process of its own, concurrently with others. *ret is set to the default before. */
    int (*cleanup)(const struct shim_cleanup *cleanup, struct shim_exit *ret, struct error *err);
};

int shim_main(const struct shim *shim, int argc, char *argv[]);

/* Ends the resident process: stops accepting, lets every given answer leave, returns from the loop,
 * destroys the service, removes the socket. For Shutdown, after call_reply(). */
void shim_quit(struct shim_server *self);
