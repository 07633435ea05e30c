/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "spec_rules.h"

static struct js *entry(const char *type, const char *path)
{
    struct js *namespace = js_new_object();

    js_set_string(namespace, "type", type);
    if (path)
        js_set_string(namespace, "path", path);
    return namespace;
}

/* "/proc/<pid>/ns/<name>": the pid, or 0. */
static uint32_t pid_of_path(const char *path)
{
    char digits[16];
    const char *slash;
    uint64_t pid;

    if (!text_starts(path, "/proc/"))
        return 0;
    path += strlen("/proc/");
    slash = strchr(path, '/');
    if (!slash || !text_starts(slash, "/ns/") || (size_t) (slash - path) >= sizeof(digits))
        return 0;
    snprintf(digits, sizeof(digits), "%.*s", (int) (slash - path), path);
    return text_to_u64(digits, &pid) && pid <= INT32_MAX ? (uint32_t) pid : 0;
}

static const char *owner_of(const struct spec_context *context, const char *path)
{
    for (size_t i = 0; i < context->namespace_path_count; i++) {
        if (text_equal(context->namespace_paths[i], path))
            return "";
    }
    return context->owner_of_pid(context->user, pid_of_path(path));
}

static int rewrite_one(const struct js *in, const struct spec_context *context, struct js *out,
                       struct error *err)
{
    const char *type, *path = js_get_string(in, "path"), *owner;
    char name[128];

    if (js_need_string(in, "type", &type, err) < 0)
        return error_wrap(err, "spec: linux.namespaces");
    if (text_equal(type, "user"))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "user namespaces are not available in the guest");
    if (!path || path[0] == '\0') {
        js_append(out, entry(type, NULL));
        return 0;
    }
    owner = owner_of(context, path);
    if (!owner)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the %s namespace '%s' is not one of this pod", type, path);
    if (owner[0] == '\0')
        snprintf(name, sizeof(name), "cleave:pod");
    else
        snprintf(name, sizeof(name), "cleave:container:%s", owner);
    js_append(out, entry(type, name));
    return 0;
}

int namespaces_rewrite(const struct js *list, const struct spec_context *context, struct js *out,
                       struct error *err)
{
    for (size_t i = 0; i < js_length(list); i++) {
        if (rewrite_one(js_at(list, i), context, out, err) < 0)
            return -1;
    }
    return 0;
}

static bool has(const struct js *namespaces, const char *type)
{
    for (size_t i = 0; i < js_length(namespaces); i++) {
        if (text_equal(js_get_string(js_at(namespaces, i), "type"), type))
            return true;
    }
    return false;
}

int namespaces_complete(struct js *namespaces, enum namespaces_flags flags, struct error *err)
{
    static const char *const of_pod[] = {"pid", "ipc", "uts"};

    if (!has(namespaces, "network"))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "hostNetwork is refused: the pod's machine is not on this node");
    for (size_t i = 0; i < ARRAY_LENGTH(of_pod); i++) {
        if (!has(namespaces, of_pod[i]))
            js_append(namespaces, entry(of_pod[i], "cleave:pod"));
    }
    if (!has(namespaces, "mount"))
        js_append(namespaces, entry("mount", NULL));
    if (!has(namespaces, "cgroup") && !(flags & NAMESPACES_PRIVILEGED))
        js_append(namespaces, entry("cgroup", NULL));
    return 0;
}
