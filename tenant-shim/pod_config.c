/* SPDX-License-Identifier: Apache-2.0 */
#include "pod_config.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "shim/tenant_conf.h"

#define CRI "io.kubernetes.cri."

static const char *annotation(const struct js *spec, const char *key)
{
    return js_get_string(js_get(spec, "annotations"), key);
}

static char *annotation_copy(const struct js *spec, const char *key)
{
    const char *value = annotation(spec, key);

    return xstrdup(value ? value : "");
}

/* A size that CRI passes as decimal text; absent, malformed or not positive: otherwise. */
static int64_t annotation_number(const struct js *spec, const char *key, int64_t otherwise)
{
    const char *text = annotation(spec, key);
    int64_t value;

    return text && text_to_i64(text, &value) && value > 0 ? value : otherwise;
}

static const char *mount_source(const struct js *spec, const char *destination)
{
    const struct js *mounts = js_get(spec, "mounts");

    for (size_t i = 0; i < js_length(mounts); i++) {
        const struct js *mount = js_at(mounts, i);

        if (text_equal(js_get_string(mount, "destination"), destination))
            return js_get_string(mount, "source");
    }
    return NULL;
}

static bool has_namespace(const struct js *spec, const char *type)
{
    const struct js *list = js_path(spec, "linux", "namespaces");

    for (size_t i = 0; i < js_length(list); i++) {
        if (text_equal(js_get_string(js_at(list, i), "type"), type))
            return true;
    }
    return false;
}

static int check(const struct js *spec, struct error *err)
{
    if (!has_namespace(spec, "network"))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "hostNetwork is refused: the pod's machine is not on this node");
    if (has_namespace(spec, "user"))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "user namespaces are not available in the guest");
    if (annotation(spec, "cleave.dev/manifest"))
        return error_set(err, STATUS_UNIMPLEMENTED,
                         "cleave.dev/manifest: sealed pods are not available in this version");
    return 0;
}

/* An absent file is an empty one: the agent makes a default. */
static int read_optional(const char *path, char **ret, size_t *ret_length, struct error *err)
{
    if (!path || !file_exists(path)) {
        *ret = xstrdup("");
        *ret_length = 0;
        return 0;
    }
    return file_read(path, POD_FILE_MAX, ret, ret_length, err);
}

static int take_files(struct pod_config *config, const struct js *spec, struct error *err)
{
    const char *resolv = mount_source(spec, "/etc/resolv.conf");
    const char *slash = resolv ? strrchr(resolv, '/') : NULL;
    scoped(freep) char *hosts = NULL;

    if (slash && text_equal(slash, "/resolv.conf")) {
        config->sandbox_dir = xstrndup(resolv, (size_t) (slash - resolv));
        hosts = xformat("%s/hosts", config->sandbox_dir);
    }
    config->shm_source = xstrdup(mount_source(spec, "/dev/shm"));
    if (read_optional(resolv, &config->resolv_conf, &config->resolv_conf_length, err) < 0)
        return -1;
    return read_optional(hosts, &config->hosts, &config->hosts_length, err);
}

static int take_sysctl(void *user, const char *key, struct js *value, struct error *err)
{
    struct pod_config *config = user;
    const char *text = js_string(value);

    if (!text || config->sysctl_count == POD_SYSCTLS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "sysctl '%s': not a string, or too many",
                         key);
    config->sysctls = xrealloc(config->sysctls,
                               (config->sysctl_count + 1) * sizeof(*config->sysctls));
    config->sysctls[config->sysctl_count++] = (struct pod_sysctl){.name = xstrdup(key),
                                                                  .value = xstrdup(text)};
    return 0;
}

/* containerd says what the pod's containers may use together. The default is what a guest needs for
 * itself, kernel, agent and images (which are in its memory), so both are added: a container that
 * may use all of its limit must meet that limit, not the end of the machine. */
static void take_size(struct pod_config *config, const struct js *spec,
                      const struct tenant_conf *conf)
{
    int64_t period = annotation_number(spec, CRI "sandbox-cpu-period", 100000);
    int64_t quota = annotation_number(spec, CRI "sandbox-cpu-quota", 0);
    int64_t memory = annotation_number(spec, CRI "sandbox-memory", 0);

    config->vcpus = (uint32_t) conf->default_vcpus;
    if (quota > 0)
        config->vcpus = (uint32_t) ((quota + period - 1) / period);
    config->memory = conf->default_memory;
    if (memory > 0)
        config->memory += (uint64_t) memory;
}

/* A pod narrows what tenant.conf grants, it never widens it. */
static int take_guest_root(struct pod_config *config, const struct js *spec,
                           const struct tenant_conf *conf, struct error *err)
{
    const char *wish = annotation(spec, "cleave.dev/guest-root");

    if (wish && !text_equal(wish, "false"))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "cleave.dev/guest-root is '%.32s': a pod can only give it up, with "
                         "\"false\"; guest_root in tenant.conf grants it",
                         wish);
    config->guest_root = conf->guest_root && !wish;
    return 0;
}

int pod_config_from_spec(const struct js *spec, const struct tenant_conf *conf,
                         struct pod_config **ret, struct error *err)
{
    scoped(pod_config_freep) struct pod_config *config = xnew(struct pod_config);
    const struct js *sysctls = js_path(spec, "linux", "sysctl");
    const char *hostname = js_get_string(spec, "hostname");

    if (check(spec, err) < 0 || take_guest_root(config, spec, conf, err) < 0)
        return -1;
    config->name = annotation_copy(spec, CRI "sandbox-name");
    config->pod_namespace = annotation_copy(spec, CRI "sandbox-namespace");
    config->uid = annotation_copy(spec, CRI "sandbox-uid");
    config->hostname = xstrdup(hostname ? hostname : "");
    config->endpoint = xstrdup(annotation(spec, "cleave.dev/endpoint"));
    take_size(config, spec, conf);
    if (sysctls && js_each(sysctls, take_sysctl, config, err) < 0)
        return -1;
    if (take_files(config, spec, err) < 0)
        return error_wrap(err, "the pod's files");
    *ret = take_ptr(config);
    return 0;
}

void pod_config_free(struct pod_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->sysctl_count; i++) {
        free(config->sysctls[i].name);
        free(config->sysctls[i].value);
    }
    free(config->sysctls);
    free(config->name);
    free(config->pod_namespace);
    free(config->uid);
    free(config->hostname);
    free(config->resolv_conf);
    free(config->hosts);
    free(config->endpoint);
    free(config->sandbox_dir);
    free(config->shm_source);
    free(config);
}
