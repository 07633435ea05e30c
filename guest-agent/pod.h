/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The one pod of this guest: what its rooms share, and what Configure makes of it. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent.h"
#include "phase.h"

struct cgroup_version;
struct container;
struct error;
struct events;
struct idempotency;
struct initdata;
struct launcher;
struct layer_store;
struct lease;
struct loop;
struct mux;
struct pod_network;
struct reaper;
struct reaper_watch;
struct runtime;
struct scratch;
struct sealed;
struct share;
struct source;
struct volumes;

enum { POD_FILE_MAX = 64 * 1024, POD_SYSCTLS_MAX = 128, POD_CONTAINERS_MAX = 256 };

struct pod {
    struct loop *loop;
    const struct agent_options *options;
    const struct initdata *initdata;
    enum phase phase;
    struct reaper *reaper;
    struct runtime *runtime;
    struct launcher *launcher;
    struct layer_store *layers;
    struct mux *mux;
    struct events *events;
    struct idempotency *answers;
    struct volumes *volumes;
    const struct cgroup_version *cgroups;
    struct lease *lease;
    struct share *share;         /* from OpenShare on */
    struct pod_network *network; /* from Configure on, if the initdata says tenant */
    struct sealed *sealed;       /* if the initdata says so; else NULL */
    const char *disk;            /* where the scratch disk is mounted; NULL: it is not */
    bool has_host_network;       /* from Configure on, if the initdata says host */
    char *directory;             /* hosts, resolv.conf, hostname, shm */
    char *containers;            /* their directories */
    char *ipc_path;              /* files to which the pod's namespaces are bound */
    char *uts_path;
    char *pid_path; /* of the shared PID namespace; NULL: nobody has asked for one yet */
    pid_t keeper;   /* holds the shared PID namespace */
    struct reaper_watch *keeper_watch;
    struct container *first; /* all containers */
    size_t count;
    int lowest_oom_score;
    unsigned serial; /* names files */

    uint64_t kill_at; /* while DRAINING: on the monotonic clock */
    struct source *grace_timer, *end_timer, *linger_timer;
    bool killed; /* the grace is over */
};

struct pod_sysctl {
    const char *name;
    const char *value;
};

struct pod_configuration {
    const char *hostname;
    const void *resolv_conf;
    size_t resolv_conf_length;
    const void *hosts;
    size_t hosts_length;
    const struct pod_sysctl *sysctls;
    size_t sysctl_count;
    int64_t wall_clock_ns; /* 0: leave the clock alone */
    bool share_pid;
    const void *network; /* a network block; length 0: none */
    size_t network_length;
    unsigned offloads; /* of the tenant's device */
};

/* What lives as long as the agent; initdata and options are borrowed. */
int pod_new(struct loop *loop, const struct agent_options *options, const struct initdata *initdata,
            struct pod **ret, struct error *err) __attribute__((warn_unused_result));
void pod_free(struct pod *pod);
static inline void pod_freep(struct pod **p)
{
    if (*p)
        pod_free(*p);
}
/* All containers together may have the memory that is free now and the reserve leaves; after each
 * change of what is. */
void pod_limit_memory(struct pod *pod);
/* Makes the PID namespace that containers of the pod may share, once. */
int pod_share_pid(struct pod *pod, struct error *err) __attribute__((warn_unused_result));
/* All but the last step to OPEN or SEALED, or an error and nothing changed that matters. */
int pod_configure(struct pod *pod, const struct pod_configuration *configuration, struct error *err)
    __attribute__((warn_unused_result));
/* The last step, ATTESTED -> OPEN or SEALED, when there is a place for what containers write: fn
 * runs once, perhaps at once, with err NULL if it was taken. */
typedef void pod_opened_fn(void *user, const struct error *err);
void pod_open(struct pod *pod, pod_opened_fn *fn, void *user);
/* Mounts the live share, once; an error too if it is over. */
int pod_open_share(struct pod *pod, struct error *err) __attribute__((warn_unused_result));
/* After a stop of the machine its clock is late. The tenant's time may set it forwards, by more
 * than what a message takes, and never back. */
void pod_advance_clock(const struct pod *pod, int64_t wall_clock_ns);
/* The power button: every container gets SIGTERM, after the grace SIGKILL. The loop quits when all
 * processes have ended and the tenant has taken over their records and output, at the latest three
 * seconds after the grace. Asked again, it can only come earlier. */
void pod_drain(struct pod *pod, uint64_t grace_ms);
/* A process has ended or was deleted, a record was acknowledged, a stream was taken over. */
void pod_changed(struct pod *pod);
