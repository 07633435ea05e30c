/* SPDX-License-Identifier: Apache-2.0 */
#include "describe.h"

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "compose.h"
#include "layout.h"
#include "volumes.h"

int describe_check(const struct js *pod, struct error *err)
{
    const char *kind = js_get_string(pod, "kind");
    const char *name = js_get_string(js_get(pod, "metadata"), "name");
    const struct js *spec = js_get(pod, "spec");

    if (!text_equal(js_get_string(pod, "apiVersion"), "v1") || !text_equal(kind, "Pod"))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a Pod (v1) is wanted, not %.64s: of what makes pods, take the Pod of its "
                         "template, with a name",
                         kind ? kind : "this");
    if (!name || !*name)
        return error_set(
            err, STATUS_INVALID_ARGUMENT,
            "metadata.name: a sealed pod is called what its manifest says, so it has to "
            "say it");
    if (js_type(spec) != JS_OBJECT || js_length(js_get(spec, "containers")) == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "spec.containers: there is none");
    return 0;
}

/* ---- the pod ------------------------------------------------------------------------------- */

static int describe_sysctls(const struct js *list, struct js *out, struct error *err)
{
    for (size_t i = 0; i < js_length(list); i++) {
        const char *name, *value;

        if (js_need_string(js_at(list, i), "name", &name, err) < 0 ||
            js_need_string(js_at(list, i), "value", &value, err) < 0)
            return error_wrap(err, "sysctls[%zu]", i);
        js_set_string(out, name, value);
    }
    return 0;
}

/* containerd's own, where the pod has no others. */
static void add_sysctls(struct js *sysctls)
{
    static const struct {
        const char *name, *value;
    } always[] = {
        {"net.ipv4.ip_unprivileged_port_start", "0"},
        {"net.ipv4.ping_group_range", "0 2147483647"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(always); i++) {
        if (!js_get(sysctls, always[i].name))
            js_set_string(sysctls, always[i].name, always[i].value);
    }
}

static int describe_names(const struct js *pod, struct js *out, struct error *err)
{
    const struct js *metadata = js_get(pod, "metadata");
    scoped(freep) char *hostname = compose_hostname(pod);
    struct js *names = js_new_object(), *sysctls = js_new_object();

    js_set(out, "pod", names);
    js_set(names, "sysctls", sysctls);
    js_set_string(names, "name", js_get_string(metadata, "name"));
    js_set_string(names, "namespace", js_get_string(metadata, "namespace"));
    js_set_string(names, "uid", ""); /* the API server gives it */
    js_set_string(names, "hostname", hostname);
    if (describe_sysctls(js_get(js_path(pod, "spec", "securityContext"), "sysctls"), sysctls, err) <
        0)
        return -1;
    add_sysctls(sysctls);
    return 0;
}

/* ---- containers ---------------------------------------------------------------------------- */

/* NULL: there is no such kind. */
static const char *kind_of(const struct js *container, const char *list)
{
    const char *restart = js_get_string(container, "restartPolicy");

    if (js_get(container, "restartPolicyRules"))
        return NULL;
    if (text_equal(list, "containers"))
        return restart ? NULL : "app";
    if (!restart)
        return "init";
    return text_equal(restart, "Always") ? "sidecar" : NULL;
}

static int compose_one(const struct describe *describe, struct compose compose, const char *list,
                       struct js *slots, struct error *err)
{
    scoped(layout_image_clear) struct layout_image image = {0};
    const char *reference;
    struct js *slot = NULL;

    compose.image = &image;
    compose.layouts = describe->layouts;
    compose.kind = kind_of(compose.container, list);
    if (!compose.kind)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "restartPolicy: of a single container only Always, of an init container "
                         "(a sidecar)");
    if (js_need_string(compose.container, "image", &reference, err) < 0 ||
        layout_find(describe->layouts, reference, &image, err) < 0 ||
        compose_slot(&compose, &slot, err) < 0)
        return -1;
    js_append(slots, slot);
    return 0;
}

static bool has_slot(const struct js *slots, const char *name)
{
    for (size_t i = 0; i < js_length(slots); i++) {
        if (text_equal(js_get_string(js_at(slots, i), "name"), name))
            return true;
    }
    return false;
}

static int describe_containers(const struct describe *describe, const char *name, struct js *out,
                               struct error *err)
{
    const struct js *list = js_path(describe->pod, "spec", name);

    for (size_t i = 0; i < js_length(list); i++) {
        struct compose compose = {.pod = describe->pod,
                                  .container = js_at(list, i),
                                  .seccomp = describe->seccomp,
                                  .volumes = js_get(out, "volumes")};
        struct js *slots = js_get(out, "containers");
        const char *own;

        if (js_need_string(compose.container, "name", &own, err) < 0)
            return error_wrap(err, "spec.%s[%zu]", name, i);
        if (has_slot(slots, own))
            return error_set(err, STATUS_INVALID_ARGUMENT, "two containers are called '%.64s'",
                             own);
        if (compose_one(describe, compose, name, slots, err) < 0)
            return error_wrap(err, "container '%.64s'", own);
    }
    return 0;
}

int describe_pod(const struct describe *describe, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *manifest = js_new_object();
    const struct js *spec = js_get(describe->pod, "spec");
    struct js *volumes = NULL;

    if (volumes_describe(js_get(spec, "volumes"), &volumes, err) < 0)
        return error_wrap(err, "spec");
    js_set(manifest, "volumes", volumes);
    js_set(manifest, "containers", js_new_array());
    js_set_integer(manifest, "version", 1);
    js_set_string(manifest, "salt", describe->salt);
    js_set_string(manifest, "restart_policy", js_get_string(spec, "restartPolicy"));
    js_set(manifest, "service_environment",
           js_new_boolean(js_get_boolean(spec, "enableServiceLinks", true)));
    js_set(manifest, "debug", js_new_boolean(describe->flags & DESCRIBE_DEBUG));
    if (describe_names(describe->pod, manifest, err) < 0 ||
        describe_containers(describe, "initContainers", manifest, err) < 0 ||
        describe_containers(describe, "containers", manifest, err) < 0)
        return -1;
    *ret = take_ptr(manifest);
    return 0;
}
