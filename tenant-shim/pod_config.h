/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a pod is, as far as this node's containerd tells: by the spec of the pause container, where
 * some of it is behind paths of this node that containerd has made before the shim is asked, or by
 * the PodSandboxConfig of the Sandbox API (codec_pod_config.h). */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/scoped.h"

struct error;
struct js;
struct manifest;
struct tenant_conf;

enum { POD_SYSCTLS_MAX = 256, POD_NAMESPACES_MAX = 8, POD_FILE_MAX = 64 * 1024 };

struct pod_sysctl {
    char *name, *value;
};

struct pod_config {
    char *name, *pod_namespace, *uid; /* "" if not said */
    char *hostname;
    char *resolv_conf; /* contents; "" if there is no file */
    size_t resolv_conf_length;
    char *hosts;
    size_t hosts_length;
    struct pod_sysctl *sysctls;
    size_t sysctl_count;
    uint32_t vcpus;
    uint64_t memory;
    struct manifest *manifest; /* of a sealed pod; NULL: it is open */
    bool guest_root;           /* tenant.conf's, unless the pod gives it up */
    char *endpoint;            /* cleave.dev/endpoint, or NULL */
    char *sandbox_dir; /* of this node: holds hosts, hostname, resolv.conf; NULL if unknown */
    char *shm_source;  /* NULL if unknown */
    char *namespace_paths[POD_NAMESPACES_MAX]; /* of the pod's namespaces on this node */
    size_t namespace_path_count;
    char *netns; /* of these, the network's; NULL: it has none */
};

/* What cannot be had, and is refused by name. */
struct pod_demands {
    bool host_network, user_namespace;
};
int pod_config_check(const struct pod_demands *demands, struct error *err) must_check;

/* 0 or less: not said. */
struct pod_size {
    int64_t cpu_period, cpu_quota, memory;
};
void pod_config_set_size(struct pod_config *config, const struct pod_size *size,
                         const struct tenant_conf *conf);
/* A pod narrows what tenant.conf grants, it never widens it. wish: its annotation, or NULL. */
int pod_config_set_guest_root(struct pod_config *config, const char *wish,
                              const struct tenant_conf *conf, struct error *err) must_check;
int pod_config_add_sysctl(struct pod_config *config, const char *name, const char *value,
                          struct error *err) must_check;

/* Last of all: the manifest must be of the pod that is described so far. annotation NULL: open, if
 * the node has such pods. */
int pod_config_seal(struct pod_config *config, const char *annotation,
                    const struct tenant_conf *conf, struct error *err) must_check;

/* From pause's config.json (podsandbox mode). hostNetwork and user namespaces are refused by name.
 */
int pod_config_from_spec(const struct js *spec, const struct tenant_conf *conf,
                         struct pod_config **ret, struct error *err) must_check;
void pod_config_free(struct pod_config *config);
SCOPED_PTR(struct pod_config, pod_config_free)
