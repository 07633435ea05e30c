/* SPDX-License-Identifier: Apache-2.0 */
#include "spec_rules.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "mounts.h"
#include "namespaces.h"

struct walk {
    const struct spec_context *context; /* NULL for a Process or LinuxResources alone */
    struct guest_spec *result;          /* likewise */
    char path[160];
};

/* One object of the input beside the one that is made of it. */
struct level {
    struct walk *walk;
    struct js *out;
    size_t length; /* of the object's own path */
};

static bool says_nothing(const struct js *value)
{
    switch (js_type(value)) {
    case JS_NULL:
        return true;
    case JS_STRING:
        return js_string(value)[0] == '\0';
    case JS_ARRAY:
    case JS_OBJECT:
        return js_length(value) == 0;
    case JS_BOOLEAN:
        return !js_boolean(value, false);
    default:
        return js_integer(value, 1) == 0;
    }
}

static void note_dropped(struct walk *walk, const struct js *value)
{
    char *list;
    size_t used;

    if (!walk->result || says_nothing(value))
        return;
    list = walk->result->dropped;
    used = strlen(list);
    snprintf(list + used, sizeof(walk->result->dropped) - used, "%s%s", used ? "," : "",
             walk->path);
}

static bool is_scalar(const struct js *value)
{
    return js_type(value) != JS_ARRAY && js_type(value) != JS_OBJECT;
}

static int keep(struct walk *walk, const char *key, const struct js *value, struct js *out,
                struct error *err)
{
    bool flat = js_type(value) != JS_OBJECT;

    for (size_t i = 0; js_type(value) == JS_ARRAY && i < js_length(value); i++)
        flat = flat && is_scalar(js_at(value, i));
    if (!flat)
        return error_set(err, STATUS_INVALID_ARGUMENT, "spec: '%s' has the wrong type", walk->path);
    js_set(out, key, js_copy(value));
    return 0;
}

static int keep_map_member(void *user, const char *key, struct js *value, struct error *err)
{
    struct level *level = user;

    if (!is_scalar(value))
        return error_set(err, STATUS_INVALID_ARGUMENT, "spec: '%s' is not flat", level->walk->path);
    js_set(level->out, key, js_copy(value));
    return 0;
}

static int keep_annotation(void *user, const char *key, struct js *value, struct error *err)
{
    if (text_starts(key, "io.kubernetes.cri."))
        return keep_map_member(user, key, value, err);
    return 0;
}

/* The node's numbers mean other devices in the guest. All or the runtime's own default set. */
static struct js *device_rules(const struct js *list)
{
    struct js *out = js_new_array(), *rule = js_new_object();
    bool all = false;

    for (size_t i = 0; i < js_length(list); i++) {
        const struct js *one = js_at(list, i);
        const char *type = js_get_string(one, "type");

        all = all || (js_get_boolean(one, "allow", false) && !js_get(one, "major") &&
                      !js_get(one, "minor") && (!type || text_equal(type, "a")));
    }
    js_set(rule, "allow", js_new_boolean(all));
    js_set_string(rule, "access", "rwm");
    js_append(out, rule);
    return out;
}

static int no_huge_pages(const struct js *list, struct error *err)
{
    for (size_t i = 0; i < js_length(list); i++) {
        if (js_get_integer(js_at(list, i), "limit", 0) != 0)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "huge pages are not available in the guest");
    }
    return 0;
}

static int rewrite_list(struct walk *walk, const char *key, const struct js *value, struct js *out,
                        struct error *err)
{
    struct js *list = js_new_array();

    js_set(out, key, list);
    if (js_type(value) != JS_ARRAY)
        return error_set(err, STATUS_INVALID_ARGUMENT, "spec: '%s' is not an array", walk->path);
    if (text_equal(walk->path, "mounts"))
        return mounts_rewrite(value, walk->context, walk->result, list, err);
    if (text_equal(walk->path, "linux.namespaces"))
        return namespaces_rewrite(value, walk->context, list, err);
    if (text_equal(walk->path, "linux.resources.devices"))
        js_set(out, key, device_rules(value));
    else
        js_remove(out, key); /* hugepageLimits */
    return text_equal(key, "hugepageLimits") ? no_huge_pages(value, err) : 0;
}

static int rewrite(struct walk *walk, const char *key, const struct js *value, struct js *out,
                   struct error *err)
{
    struct level level = {.walk = walk};

    if (text_equal(walk->path, "ociVersion")) {
        js_set_string(out, key, "1.0.2");
    } else if (text_equal(walk->path, "annotations")) {
        js_set(out, key, level.out = js_new_object());
        return js_each(value, keep_annotation, &level, err);
    } else if (text_equal(walk->path, "root.path")) {
        js_set_string(out, key, "rootfs");
    } else if (!text_equal(key, "disableOOMKiller")) {
        return rewrite_list(walk, key, value, out, err);
    } else if (js_boolean(value, true)) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "disableOOMKiller: a guest out of memory must be able to go on");
    }
    return 0;
}

static int enter(struct walk *walk, size_t length, const char *key, struct error *err)
{
    int written;

    /* A member "linux.devices" is not the "devices" of "linux". */
    if (strpbrk(key, ".["))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "spec: the field '%.64s' has no rule in this version of cleave", key);
    written = snprintf(walk->path + length, sizeof(walk->path) - length, "%s%s", length ? "." : "",
                       key);

    if (written >= 0 && (size_t) written < sizeof(walk->path) - length)
        return 0;
    walk->path[length] = '\0';
    return error_set(err, STATUS_INVALID_ARGUMENT, "spec: a field's name under '%s' is too long",
                     walk->path);
}

static int no_rule(const struct walk *walk, struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "spec: the field '%s' has no rule in this version of cleave", walk->path);
}

static int refuse(const struct walk *walk, const struct spec_rule *rule, const struct js *value,
                  struct error *err)
{
    const char *what = js_get_string(js_at(value, 0), "path");

    if (says_nothing(value))
        return 0;
    return error_set(err, STATUS_INVALID_ARGUMENT, "spec: '%s'%s%.64s%s is refused: %s", walk->path,
                     what ? " ('" : "", what ? what : "", what ? "')" : "", rule->reason);
}

static int check_known(struct walk *walk, const struct js *value, struct error *err);

static int check_member(void *user, const char *key, struct js *value, struct error *err)
{
    struct level *level = user;
    struct walk *walk = level->walk;
    const struct spec_rule *rule;
    int r = 0;

    if (enter(walk, level->length, "*", err) < 0)
        return -1;
    rule = spec_rules_find(walk->path);
    if (!rule) {
        if (enter(walk, level->length, key, err) < 0)
            return -1;
        rule = spec_rules_find(walk->path);
    }
    if (!rule)
        r = no_rule(walk, err);
    else if (rule->action == SPEC_REFUSE)
        r = refuse(walk, rule, value, err);
    else
        r = check_known(walk, value, err);
    walk->path[level->length] = '\0';
    return r;
}

/* Beneath a row that drops or rewrites, too, a field that nobody knows is an error. */
static int check_known(struct walk *walk, const struct js *value, struct error *err)
{
    struct level level = {.walk = walk, .length = strlen(walk->path)};
    size_t length = level.length;

    if (js_type(value) == JS_OBJECT)
        return js_each(value, check_member, &level, err);
    if (js_type(value) != JS_ARRAY)
        return 0;
    if (length + 3 > sizeof(walk->path))
        return error_set(err, STATUS_INVALID_ARGUMENT, "spec: nested too deep");
    memcpy(walk->path + length, "[]", 3);
    for (size_t i = 0; i < js_length(value); i++) {
        if (check_known(walk, js_at(value, i), err) < 0)
            return -1;
    }
    walk->path[length] = '\0';
    return 0;
}

static int keep_map(struct walk *walk, const char *key, const struct js *value, struct js *out,
                    struct error *err)
{
    struct level level = {.walk = walk};

    if (js_type(value) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "spec: '%s' is not an object", walk->path);
    js_set(out, key, level.out = js_new_object());
    return js_each(value, keep_map_member, &level, err);
}

static int each_member(void *user, const char *key, struct js *value, struct error *err);

static int descend(struct walk *walk, const struct js *in, struct js *out, struct error *err)
{
    struct level level = {.walk = walk, .out = out, .length = strlen(walk->path)};

    if (js_type(in) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "spec: '%s' is not an object", walk->path);
    return js_each(in, each_member, &level, err);
}

static int descend_list(struct walk *walk, const char *key, const struct js *in, struct js *out,
                        struct error *err)
{
    struct js *list = js_new_array();
    size_t length = strlen(walk->path);

    js_set(out, key, list);
    if (js_type(in) != JS_ARRAY)
        return error_set(err, STATUS_INVALID_ARGUMENT, "spec: '%s' is not an array", walk->path);
    if (length + 3 > sizeof(walk->path))
        return error_set(err, STATUS_INVALID_ARGUMENT, "spec: nested too deep");
    for (size_t i = 0; i < js_length(in); i++) {
        struct js *element = js_new_object();

        js_append(list, element);
        memcpy(walk->path + length, "[]", 3);
        if (descend(walk, js_at(in, i), element, err) < 0)
            return -1;
    }
    walk->path[length] = '\0';
    return 0;
}

static int act(struct walk *walk, const char *key, const struct js *value, struct js *out,
               struct error *err)
{
    const struct spec_rule *rule = spec_rules_find(walk->path);
    struct level level = {.walk = walk};

    if (!rule)
        return no_rule(walk, err);
    if (js_type(value) == JS_NULL)
        return 0;
    switch (rule->action) {
    case SPEC_KEEP:
        return keep(walk, key, value, out, err);
    case SPEC_MAP:
        return keep_map(walk, key, value, out, err);
    case SPEC_OBJECT:
        js_set(out, key, level.out = js_new_object());
        return descend(walk, value, level.out, err);
    case SPEC_LIST:
        return descend_list(walk, key, value, out, err);
    case SPEC_DROP:
        note_dropped(walk, value);
        return check_known(walk, value, err);
    case SPEC_REWRITE:
        if (check_known(walk, value, err) < 0)
            return -1;
        return rewrite(walk, key, value, out, err);
    case SPEC_REFUSE:
        return refuse(walk, rule, value, err);
    }
    return 0;
}

static int each_member(void *user, const char *key, struct js *value, struct error *err)
{
    struct level *level = user;
    struct walk *walk = level->walk;
    int r;

    if (enter(walk, level->length, key, err) < 0)
        return -1;
    r = act(walk, key, value, level->out, err);
    walk->path[level->length] = '\0';
    return r;
}

/* containerd's own mark of a privileged container: nothing in /sys is protected. */
static bool is_privileged(const struct js *spec)
{
    const struct js *mounts = js_get(spec, "mounts");

    for (size_t i = 0; i < js_length(mounts); i++) {
        const struct js *mount = js_at(mounts, i), *options = js_get(mount, "options");
        bool read_only = false;

        if (!text_equal(js_get_string(mount, "type"), "sysfs"))
            continue;
        for (size_t k = 0; k < js_length(options); k++)
            read_only = read_only || text_equal(js_string(js_at(options, k)), "ro");
        return !read_only;
    }
    return false;
}

static void complete_mounts(struct js *spec)
{
    struct js *mounts = js_get(spec, "mounts");
    bool read_only = js_get_boolean(js_get(spec, "root"), "readonly", false);

    if (!mounts)
        js_set(spec, "mounts", mounts = js_new_array());
    mounts_complete(mounts, read_only ? MOUNTS_READ_ONLY : 0);
}

int spec_rules_apply(const struct js *spec, const struct spec_context *context,
                     struct guest_spec **ret, struct error *err)
{
    scoped(guest_spec_freep) struct guest_spec *result = xnew(struct guest_spec);
    struct walk walk = {.context = context, .result = result};
    struct js *namespaces;

    result->spec = js_new_object();
    if (js_type(spec) != JS_OBJECT || !js_get(spec, "process") || !js_get(spec, "linux"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "spec: not a Linux container's");
    if (descend(&walk, spec, result->spec, err) < 0)
        return -1;
    complete_mounts(result->spec);
    namespaces = js_path(result->spec, "linux", "namespaces");
    if (!namespaces)
        js_set(js_get(result->spec, "linux"), "namespaces", namespaces = js_new_array());
    if (namespaces_complete(namespaces, is_privileged(spec) ? NAMESPACES_PRIVILEGED : 0, err) < 0)
        return -1;
    *ret = take_ptr(result);
    return 0;
}

void guest_spec_free(struct guest_spec *spec)
{
    if (!spec)
        return;
    js_free(spec->spec);
    for (size_t i = 0; i < spec->file_count; i++) {
        free(spec->files[i].name);
        free(spec->files[i].content);
    }
    for (size_t i = 0; i < spec->volume_count; i++) {
        free(spec->volumes[i].name);
        free(spec->volumes[i].directory);
    }
    for (size_t i = 0; i < spec->share_count; i++) {
        free(spec->shares[i].source);
        free(spec->shares[i].destination);
        free(spec->shares[i].options);
        free(spec->shares[i].name);
    }
    free(spec->termination_log);
    free(spec);
}

static int apply_part(const char *path, const struct js *in, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *out = js_new_object();
    struct walk walk = {0};

    snprintf(walk.path, sizeof(walk.path), "%s", path);
    if (descend(&walk, in, out, err) < 0)
        return -1;
    *ret = take_ptr(out);
    return 0;
}

int spec_rules_process(const struct js *process, struct js **ret, struct error *err)
{
    return apply_part("process", process, ret, err);
}

int spec_rules_resources(const struct js *resources, struct js **ret, struct error *err)
{
    return apply_part("linux.resources", resources, ret, err);
}
