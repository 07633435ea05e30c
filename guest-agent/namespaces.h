/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The namespaces that the containers of a pod share, beside the network, which boot has made. */
#include <stddef.h>
#include <sys/types.h>

struct error;
struct pod_sysctl;

struct namespaces_options {
    int net;              /* the pod's, exists */
    const char *ipc_path; /* where they are bound; made */
    const char *uts_path;
    const char *hostname;
    const struct pod_sysctl *sysctls;
    size_t sysctl_count;
};

/* Makes ipc and uts with hostname and sysctls, on a thread of its own: the caller's stay. */
int namespaces_make(const struct namespaces_options *options, struct error *err)
    __attribute__((warn_unused_result));
/* A process that does nothing but reap in a PID namespace of its own, bound to path. It is in the
 * network namespace net, and else alone. */
int namespaces_make_pid(const char *path, int net, pid_t *ret_keeper, struct error *err)
    __attribute__((warn_unused_result));
/* Takes a bound namespace away; what is not there is no error. */
void namespaces_forget(const char *path);
/* What that process runs: the agent's own program under this name, which containers that share the
 * namespace see as its pid 1, as with any other runtime. For pid 1 of namespaces that it may take
 * to pieces. Does not return. */
#define NAMESPACES_KEEPER "/pause"
void namespaces_keep(void) __attribute__((noreturn));
