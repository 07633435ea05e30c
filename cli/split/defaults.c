/* SPDX-License-Identifier: Apache-2.0 */
#include "defaults.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"

/* "a[].b": b of each element of a. Nothing is made on the way but the last member. */
struct fallback {
    const char *path;
    const char *value; /* JSON */
};

static const struct fallback of_pod[] = {
    {"metadata.namespace", "\"default\""},
    {"spec.restartPolicy", "\"Always\""},
    {"spec.dnsPolicy", "\"ClusterFirst\""},
    {"spec.enableServiceLinks", "true"},
    {"spec.terminationGracePeriodSeconds", "30"},
    {"spec.schedulerName", "\"default-scheduler\""},
    {"spec.securityContext", "{}"},
    {"spec.volumes[].configMap.defaultMode", "420"},
    {"spec.volumes[].secret.defaultMode", "420"},
    {"spec.volumes[].downwardAPI.defaultMode", "420"},
    {"spec.volumes[].downwardAPI.items[].fieldRef.apiVersion", "\"v1\""},
    {"spec.volumes[].projected.defaultMode", "420"},
    {"spec.volumes[].projected.sources[].serviceAccountToken.expirationSeconds", "3600"},
    {"spec.volumes[].projected.sources[].downwardAPI.items[].fieldRef.apiVersion", "\"v1\""},
    {"spec.volumes[].hostPath.type", "\"\""},
};

static const struct fallback of_container[] = {
    {"imagePullPolicy", "\"IfNotPresent\""}, /* of what is pinned by digest */
    {"terminationMessagePath", "\"/dev/termination-log\""},
    {"terminationMessagePolicy", "\"File\""},
    {"resources", "{}"},
    {"ports[].protocol", "\"TCP\""},
    {"env[].valueFrom.fieldRef.apiVersion", "\"v1\""},
    {"env[].valueFrom.resourceFieldRef.divisor", "\"0\""},
};

static const struct fallback of_probe[] = {
    {"timeoutSeconds", "1"},   {"periodSeconds", "10"},   {"successThreshold", "1"},
    {"failureThreshold", "3"}, {"httpGet.path", "\"/\""}, {"httpGet.scheme", "\"HTTP\""},
    {"grpc.service", "\"\""},
};

static const struct fallback of_hook[] = {{"httpGet.path", "\"/\""},
                                          {"httpGet.scheme", "\"HTTP\""}};

static struct js *value_of(const char *text)
{
    struct js *value = NULL;
    struct error err;

    if (js_parse(text, strlen(text), &value, &err) < 0)
        abort(); /* the table is wrong */
    return value;
}

static bool is_empty(const struct js *value)
{
    return !value || (js_type(value) == JS_STRING && !*js_string(value));
}

static void fall_back(struct js *object, const char *path, const char *value)
{
    size_t length = strcspn(path, ".");
    scoped(freep) char *name = xstrndup(path, length);
    bool is_list = text_ends(name, "[]"), is_last = !path[length];
    struct js *member;

    if (js_type(object) != JS_OBJECT)
        return;
    if (is_list)
        name[strlen(name) - 2] = '\0';
    member = js_get(object, name);
    if (is_last && is_empty(member))
        js_set(object, name, value_of(value));
    for (size_t i = 0; is_list && js_type(member) == JS_ARRAY && i < js_length(member); i++)
        fall_back(js_at(member, i), path + length + 1, value);
    if (!is_last && !is_list)
        fall_back(member, path + length + 1, value);
}

static void apply(struct js *object, const struct fallback *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fall_back(object, table[i].path, table[i].value);
}

static int copy_request(void *user, const char *name, struct js *value, struct error *err)
{
    struct js *requests = user;

    (void) err;
    if (!js_get(requests, name))
        js_set(requests, name, js_copy(value));
    return 0;
}

/* A limit without a request is one, too. */
static void apply_requests(struct js *resources)
{
    const struct js *limits = js_get(resources, "limits");
    struct error err;

    if (js_type(limits) != JS_OBJECT || js_length(limits) == 0)
        return;
    if (js_type(js_get(resources, "requests")) != JS_OBJECT)
        js_set(resources, "requests", js_new_object());
    (void) !js_each(limits, copy_request, js_get(resources, "requests"), &err);
}

static void apply_container(struct js *container)
{
    static const char *const probes[] = {"livenessProbe", "readinessProbe", "startupProbe"};
    static const char *const hooks[] = {"postStart", "preStop"};

    if (js_type(container) != JS_OBJECT)
        return;
    apply(container, of_container, ARRAY_LENGTH(of_container));
    apply_requests(js_get(container, "resources"));
    for (size_t i = 0; i < ARRAY_LENGTH(probes); i++)
        apply(js_get(container, probes[i]), of_probe, ARRAY_LENGTH(of_probe));
    for (size_t i = 0; i < ARRAY_LENGTH(hooks); i++)
        apply(js_path(container, "lifecycle", hooks[i]), of_hook, ARRAY_LENGTH(of_hook));
}

void defaults_apply(struct js *pod)
{
    static const char *const lists[] = {"initContainers", "containers"};

    apply(pod, of_pod, ARRAY_LENGTH(of_pod));
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        const struct js *list = js_path(pod, "spec", lists[i]);

        for (size_t j = 0; js_type(list) == JS_ARRAY && j < js_length(list); j++)
            apply_container(js_at(list, j));
    }
}
