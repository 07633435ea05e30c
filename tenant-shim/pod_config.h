/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a pod is, as far as this node's containerd tells: from the spec of the pause container. Some
 * of it is behind paths of this node, which containerd has made before the shim is asked. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/scoped.h"

struct error;
struct js;
struct tenant_conf;

enum { POD_SYSCTLS_MAX = 256, POD_FILE_MAX = 64 * 1024 };

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
    bool guest_root;   /* tenant.conf's, unless the pod gives it up */
    char *endpoint;    /* cleave.dev/endpoint, or NULL */
    char *sandbox_dir; /* of this node: holds hosts, hostname, resolv.conf; NULL if unknown */
    char *shm_source;  /* NULL if unknown */
};

/* From pause's config.json (podsandbox mode). hostNetwork, user namespaces and a sealed manifest
 * are refused by name. */
int pod_config_from_spec(const struct js *spec, const struct tenant_conf *conf,
                         struct pod_config **ret, struct error *err) must_check;
void pod_config_free(struct pod_config *config);
SCOPED_PTR(struct pod_config, pod_config_free)
