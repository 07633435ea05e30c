/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the tenant's spec becomes before the runtime sees it: namespaces, cgroup and root are the
 * agent's; power that could reach the agent is refused unless the measured initdata allows it. */
#include <stdbool.h>

struct error;
struct js;

struct confine_options {
    bool guest_root; /* initdata's limit */
    bool terminal;
    const char *root;     /* absolute path of the mounted root */
    const char *cgroup;   /* "/cleave/ID" */
    const char *net_path; /* the pod's namespaces */
    const char *ipc_path;
    const char *uts_path;
    const char *pid_path; /* NULL: one of the container's own */
    int lowest_oom_score; /* that we may set; -1000: any */
};

/* In place. The mounts are not its concern. */
int confine_spec(struct js *spec, const struct confine_options *options, struct error *err)
    __attribute__((warn_unused_result));
/* An OCI Process, of a spec or of an exec. */
int confine_process(struct js *process, const struct confine_options *options, struct error *err)
    __attribute__((warn_unused_result));
/* The kernel's number of "CAP_CHOWN"; -1: it is none. */
int confine_capability_number(const char *name);
/* LinuxResources, of a spec or of an update. */
int confine_resources(const struct js *resources, struct error *err)
    __attribute__((warn_unused_result));
/* net.*, kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.*: they belong to a namespace of the pod.
 */
int confine_sysctl(const char *name, struct error *err) __attribute__((warn_unused_result));
