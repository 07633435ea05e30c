/* SPDX-License-Identifier: Apache-2.0 */
#include "compose.h"

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "compose_private.h"
#include "environment.h"
#include "layout.h"

const struct js *compose_context(const struct compose *compose)
{
    return js_get(compose->container, "securityContext");
}

const struct js *compose_inherited(const struct compose *compose, const char *name)
{
    const struct js *own = js_get(compose_context(compose), name);

    return own ? own : js_get(js_path(compose->pod, "spec", "securityContext"), name);
}

int compose_boolean(const struct js *object, const char *name, bool *ret, struct error *err)
{
    const struct js *value = js_get(object, name);

    if (value && js_type(value) != JS_BOOLEAN)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s: not true or false", name);
    *ret = js_boolean(value, false);
    return 0;
}

int compose_strings(const struct js *list, const char *what, struct js *out, struct error *err)
{
    if (list && js_type(list) != JS_ARRAY)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s: no list", what);
    for (size_t i = 0; i < js_length(list); i++) {
        const char *text = js_string(js_at(list, i));

        if (!text)
            return error_set(err, STATUS_INVALID_ARGUMENT, "%s[%zu]: no string: write it in quotes",
                             what, i);
        js_append(out, js_new_string(text));
    }
    return 0;
}

/* What containerd marks a container with, as far as it is known. */
static struct js *annotations(const struct compose *compose)
{
    const struct js *metadata = js_get(compose->pod, "metadata");
    struct js *marks = js_new_object();

    js_set_string(marks, "io.kubernetes.cri.container-type", "container");
    js_set_string(marks, "io.kubernetes.cri.container-name",
                  js_get_string(compose->container, "name"));
    js_set_string(marks, "io.kubernetes.cri.image-name",
                  js_get_string(compose->container, "image"));
    js_set_string(marks, "io.kubernetes.cri.sandbox-name", js_get_string(metadata, "name"));
    js_set_string(marks, "io.kubernetes.cri.sandbox-namespace",
                  js_get_string(metadata, "namespace"));
    return marks;
}

static int fill_spec(const struct compose *compose, const struct environment *environment,
                     struct js *slot, struct error *err)
{
    struct js *spec = js_new_object(), *process = js_new_object();

    js_set(slot, "spec", spec);
    js_set_string(spec, "ociVersion", "1.0.2");
    js_set(spec, "annotations", annotations(compose));
    js_set(spec, "process", process);
    js_set(spec, "linux", js_new_object());
    if (compose_process(compose, environment, process, err) < 0 ||
        compose_user(compose, process, err) < 0 || compose_security(compose, spec, err) < 0 ||
        compose_resources(compose, spec, err) < 0)
        return -1;
    return compose_mounts(compose, spec, slot, err);
}

static bool is_hole(const struct environment *environment, const char *name)
{
    const struct variable *variable = environment_find(environment, name);

    return variable && !variable->value;
}

/* Kubernetes gives a pod its own service's variables even where it gives no other. */
static void add_own_service(const struct environment *environment, struct js *holes)
{
    static const char *const names[] = {
        "KUBERNETES_PORT",
        "KUBERNETES_PORT_443_TCP",
        "KUBERNETES_PORT_443_TCP_ADDR",
        "KUBERNETES_PORT_443_TCP_PORT",
        "KUBERNETES_PORT_443_TCP_PROTO",
        "KUBERNETES_SERVICE_HOST",
        "KUBERNETES_SERVICE_PORT",
        "KUBERNETES_SERVICE_PORT_HTTPS",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (!environment_find(environment, names[i]))
            js_append(holes, js_new_string(names[i]));
    }
}

static struct js *holes_of(const struct compose *compose, const struct environment *environment)
{
    struct js *holes = js_new_array();

    for (size_t i = 0; i < environment->count; i++) {
        if (is_hole(environment, environment->list[i].name))
            js_append(holes, js_new_string(environment->list[i].name));
    }
    if (!js_get_boolean(js_get(compose->pod, "spec"), "enableServiceLinks", true))
        add_own_service(environment, holes);
    return holes;
}

static struct js *layers_of(const struct layout_image *image)
{
    struct js *layers = js_new_array();

    for (size_t i = 0; i < image->config.diff_id_count; i++)
        js_append(layers, js_new_string(image->config.diff_ids[i]));
    return layers;
}

static int fill_slot(const struct compose *compose, struct js *slot, struct error *err)
{
    scoped(environment_clear) struct environment environment = {0};
    struct js *execs = js_new_array();
    bool has_stdin = false;

    js_set(slot, "exec", execs);
    if (environment_read(compose->pod, compose->container, &environment, err) < 0 ||
        compose_boolean(compose->container, "stdin", &has_stdin, err) < 0 ||
        fill_spec(compose, &environment, slot, err) < 0 ||
        compose_execs(compose, &environment, execs, err) < 0)
        return -1;
    js_set(slot, "stdin", js_new_boolean(has_stdin));
    js_set(slot, "environment", holes_of(compose, &environment));
    return 0;
}

int compose_slot(const struct compose *compose, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *slot = js_new_object();

    js_set_string(slot, "name", js_get_string(compose->container, "name"));
    js_set_string(slot, "kind", compose->kind);
    js_set_string(slot, "config", compose->image->config_digest);
    js_set(slot, "layers", layers_of(compose->image));
    if (fill_slot(compose, slot, err) < 0)
        return -1;
    *ret = take_ptr(slot);
    return 0;
}
