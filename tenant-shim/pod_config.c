/* SPDX-License-Identifier: Apache-2.0 */
#include "pod_config.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "pod_manifest.h"
#include "sealed/manifest.h"
#include "shim/tenant_conf.h"

#define CRI  "io.kubernetes.cri."
#define CRIO "io.kubernetes.cri-o."

static const char *annotation(const struct js *spec, const char *key)
{
    return js_get_string(js_get(spec, "annotations"), key);
}

/* By containerd's name of it, or by CRI-O's. */
static char *annotation_copy(const struct js *spec, const char *key, const char *crio_key)
{
    const char *value = annotation(spec, key);

    if (!value)
        value = annotation(spec, crio_key);
    return xstrdup(value ? value : "");
}

static struct js *annotation_json(const struct js *spec, const char *key)
{
    const char *text = annotation(spec, key);
    struct js *value = NULL;
    struct error ignored;

    return text && js_parse(text, strlen(text), &value, &ignored) == 0 ? value : NULL;
}

static char *read_uid(const struct js *spec)
{
    scoped(js_freep) struct js *metadata = annotation_json(spec, CRIO "Metadata");
    const char *uid = annotation(spec, CRI "sandbox-uid");

    if (!uid)
        uid = annotation(spec, "io.kubernetes.pod.uid");
    if (!uid)
        uid = js_get_string(metadata, "uid");
    if (!uid)
        uid = js_get_string(metadata, "UID");
    return xstrdup(uid ? uid : "");
}

/* A size that CRI passes as decimal text; 0 if it is absent or malformed. */
static int64_t annotation_number(const struct js *spec, const char *key)
{
    const char *text = annotation(spec, key);
    int64_t value;

    return text && text_to_i64(text, &value) ? value : 0;
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

int pod_config_check(const struct pod_demands *demands, struct error *err)
{
    if (demands->host_network)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "hostNetwork is refused: the pod's machine is not on this node");
    if (demands->user_namespace)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "user namespaces are not available in the guest");
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

int pod_config_add_sysctl(struct pod_config *config, const char *name, const char *value,
                          struct error *err)
{
    if (config->sysctl_count == POD_SYSCTLS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "sysctl '%s': more than %d of them", name,
                         POD_SYSCTLS_MAX);
    config->sysctls = xrealloc(config->sysctls,
                               (config->sysctl_count + 1) * sizeof(*config->sysctls));
    config->sysctls[config->sysctl_count++] = (struct pod_sysctl){.name = xstrdup(name),
                                                                  .value = xstrdup(value)};
    return 0;
}

static int take_sysctl(void *user, const char *key, struct js *value, struct error *err)
{
    if (!js_string(value))
        return error_set(err, STATUS_INVALID_ARGUMENT, "sysctl '%s' is not a string", key);
    return pod_config_add_sysctl(user, key, js_string(value), err);
}

/* containerd says what the pod's containers may use together. The default is what a guest needs for
 * itself, kernel, agent and images (which are in its memory), so both are added: a container that
 * may use all of its limit must meet that limit, not the end of the machine. */
void pod_config_set_size(struct pod_config *config, const struct pod_size *size,
                         const struct tenant_conf *conf)
{
    int64_t period = size->cpu_period > 0 ? size->cpu_period : 100000;

    config->vcpus = (uint32_t) conf->default_vcpus;
    if (size->cpu_quota > 0) {
        int64_t vcpus = size->cpu_quota / period + (size->cpu_quota % period != 0);

        config->vcpus = vcpus < UINT32_MAX ? (uint32_t) vcpus : UINT32_MAX;
    }
    config->memory = conf->default_memory;
    if (size->memory > 0)
        config->memory += (uint64_t) size->memory;
}

/* containerd has an annotation for each number, CRI-O one with CRI's message as JSON. */
static struct pod_size read_size(const struct js *spec)
{
    scoped(js_freep) struct js *resources = annotation_json(spec, "pod-linux-resources.crio.io");

    if (!resources)
        resources = annotation_json(spec, CRIO "PodLinuxResources");
    if (resources)
        return (struct pod_size){
            .cpu_period = js_get_integer(resources, "cpu_period", 0),
            .cpu_quota = js_get_integer(resources, "cpu_quota", 0),
            .memory = js_get_integer(resources, "memory_limit_in_bytes", 0),
        };
    return (struct pod_size){
        .cpu_period = annotation_number(spec, CRI "sandbox-cpu-period"),
        .cpu_quota = annotation_number(spec, CRI "sandbox-cpu-quota"),
        .memory = annotation_number(spec, CRI "sandbox-memory"),
    };
}

static void take_namespace_paths(struct pod_config *config, const struct js *spec)
{
    const struct js *list = js_path(spec, "linux", "namespaces");

    for (size_t i = 0; i < js_length(list); i++) {
        const char *path = js_get_string(js_at(list, i), "path");

        if (path && path[0] && config->namespace_path_count < POD_NAMESPACES_MAX)
            config->namespace_paths[config->namespace_path_count++] = xstrdup(path);
        if (path && path[0] && text_equal(js_get_string(js_at(list, i), "type"), "network") &&
            !config->netns)
            config->netns = xstrdup(path);
    }
}

int pod_config_set_guest_root(struct pod_config *config, const char *wish,
                              const struct tenant_conf *conf, struct error *err)
{
    if (wish && !text_equal(wish, "false"))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "cleave.dev/guest-root is '%.32s': a pod can only give it up, with "
                         "\"false\"; guest_root in tenant.conf grants it",
                         wish);
    config->guest_root = conf->guest_root && !wish;
    return 0;
}

int pod_config_seal(struct pod_config *config, const char *annotation,
                    const struct tenant_conf *conf, struct error *err)
{
    if (annotation)
        return pod_manifest_read(annotation, config, &config->manifest, err);
    if (conf->open_pods)
        return 0;
    return error_set(err, STATUS_FAILED_PRECONDITION,
                     "the pod has no annotation cleave.dev/manifest, and tenant.conf has open_pods "
                     "= false: make one with `cleave split`");
}

int pod_config_from_spec(const struct js *spec, const struct tenant_conf *conf,
                         struct pod_config **ret, struct error *err)
{
    scoped(pod_config_freep) struct pod_config *config = xnew(struct pod_config);
    const struct js *sysctls = js_path(spec, "linux", "sysctl");
    const char *hostname = js_get_string(spec, "hostname");
    struct pod_demands demands = {
        .host_network = !has_namespace(spec, "network"),
        .user_namespace = has_namespace(spec, "user"),
    };
    struct pod_size size = read_size(spec);

    if (pod_config_check(&demands, err) < 0 ||
        pod_config_set_guest_root(config, annotation(spec, "cleave.dev/guest-root"), conf, err) < 0)
        return -1;
    config->name = annotation_copy(spec, CRI "sandbox-name", CRIO "KubeName");
    config->pod_namespace = annotation_copy(spec, CRI "sandbox-namespace", CRIO "Namespace");
    config->uid = read_uid(spec);
    take_namespace_paths(config, spec);
    config->hostname = xstrdup(hostname ? hostname : "");
    config->endpoint = xstrdup(annotation(spec, "cleave.dev/endpoint"));
    pod_config_set_size(config, &size, conf);
    if (sysctls && js_each(sysctls, take_sysctl, config, err) < 0)
        return -1;
    if (take_files(config, spec, err) < 0)
        return error_wrap(err, "the pod's files");
    if (pod_config_seal(config, annotation(spec, "cleave.dev/manifest"), conf, err) < 0)
        return -1;
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
    free(config->netns);
    manifest_free(config->manifest);
    for (size_t i = 0; i < config->namespace_path_count; i++)
        free(config->namespace_paths[i]);
    free(config);
}
