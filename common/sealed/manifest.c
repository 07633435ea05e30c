/* SPDX-License-Identifier: Apache-2.0 */
#include "sealed/manifest.h"

#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "sealed/manifest_private.h"
#include "sealed/kube_name.h"

enum { MANIFEST_VERSION = 1, HOSTNAME_LENGTH_MAX = 63 };

_Static_assert((int) MANIFEST_DIGEST_SIZE == (int) SHA384_SIZE, "the digest is SHA-384");

static const char *const volume_kind_names[] = {
    [MANIFEST_EMPTY] = "empty", [MANIFEST_COPIED] = "copied", [MANIFEST_SHARE] = "share"};
static const char *const restart_names[] = {
    [MANIFEST_NEVER] = "Never", [MANIFEST_ON_FAILURE] = "OnFailure", [MANIFEST_ALWAYS] = "Always"};

int manifest_need(const struct js *object, const char *key, enum js_type type, struct js **ret,
                  struct error *err)
{
    static const char *const types[] = {
        [JS_BOOLEAN] = "true or false", [JS_ARRAY] = "an array", [JS_OBJECT] = "an object"};
    struct js *node = js_get(object, key);

    if (!node)
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is missing", key);
    if (js_type(node) != type)
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is not %s", key, types[type]);
    *ret = node;
    return 0;
}

int manifest_need_boolean(const struct js *object, const char *key, bool *ret, struct error *err)
{
    struct js *node = NULL;

    if (manifest_need(object, key, JS_BOOLEAN, &node, err) < 0)
        return -1;
    *ret = js_boolean(node, false);
    return 0;
}

int manifest_need_one_of(const struct js *object, const char *key, const char *const *names,
                         size_t count, unsigned *ret, struct error *err)
{
    const char *text;

    if (js_need_string(object, key, &text, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (text_equal(names[i], text)) {
            *ret = (unsigned) i;
            return 0;
        }
    return error_set(err, STATUS_INVALID_ARGUMENT, "'%s' cannot be '%.64s'", key, text);
}

bool manifest_is_hex(const char *text, size_t digits)
{
    return strlen(text) == digits && strspn(text, "0123456789abcdef") == digits;
}

/* Numbers that are read in more than one way, and members that say nothing, would make one pod of
 * two documents. */
static int check_value(const struct js *node, struct error *err);

static int check_member(void *user, const char *key, struct js *value, struct error *err)
{
    return check_value(value, err) < 0 ? error_wrap(err, "%.32s", key) : 0;
}

static int check_value(const struct js *node, struct error *err)
{
    switch (js_type(node)) {
    case JS_NULL:
        return error_set(err, STATUS_INVALID_ARGUMENT, "null: leave the member out");
    case JS_DOUBLE:
        return error_set(err, STATUS_INVALID_ARGUMENT, "the number is not an integer");
    case JS_OBJECT:
        return js_each(node, check_member, NULL, err);
    case JS_ARRAY:
        for (size_t i = 0; i < js_length(node); i++)
            if (check_value(js_at(node, i), err) < 0)
                return error_wrap(err, "[%zu]", i);
        return 0;
    default:
        return 0;
    }
}

static int check_canonical(const struct manifest *manifest, struct error *err)
{
    scoped(freep) char *text = js_print_canonical(manifest->root);
    size_t at = 0;

    while (text[at] && text[at] == manifest->text[at])
        at++;
    if (!text[at] && at == manifest->length)
        return 0;
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "it is not canonical at byte %zu: keys sorted, no white space, nothing "
                     "escaped that need not be",
                     at);
}

static int read_head(const struct js *root, struct manifest *manifest, struct error *err)
{
    int64_t version;
    const char *salt;
    unsigned restart = 0;

    if (js_need_integer(root, "version", MANIFEST_VERSION, MANIFEST_VERSION, &version, err) < 0 ||
        js_need_string(root, "salt", &salt, err) < 0 ||
        manifest_need_one_of(root, "restart_policy", restart_names, ARRAY_LENGTH(restart_names),
                             &restart, err) < 0 ||
        manifest_need_boolean(root, "service_environment", &manifest->service_environment, err) <
            0 ||
        manifest_need_boolean(root, "debug", &manifest->debug, err) < 0)
        return -1;
    if (!manifest_is_hex(salt, 2 * (size_t) MANIFEST_SALT_SIZE))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'salt' is not %d digits in lower case",
                         2 * MANIFEST_SALT_SIZE);
    manifest->restart = (enum manifest_restart) restart;
    return 0;
}

static int check_sysctl(void *user, const char *key, struct js *value, struct error *err)
{
    if (*key && js_string(value))
        return 0;
    return error_set(err, STATUS_INVALID_ARGUMENT, "sysctls: '%.64s' is not a string", key);
}

static int check_pod_names(const struct manifest *manifest, struct error *err)
{
    if (!kube_name_is_subdomain(manifest->pod_name))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%.64s' is not the name of a pod",
                         manifest->pod_name);
    if (!kube_name_is_label(manifest->pod_namespace))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%.64s' is not a namespace",
                         manifest->pod_namespace);
    if (*manifest->pod_uid && !text_is_identifier(manifest->pod_uid))
        return error_set(err, STATUS_INVALID_ARGUMENT, "uid '%.64s' is not one", manifest->pod_uid);
    if (!kube_name_is_subdomain(manifest->hostname) ||
        strlen(manifest->hostname) > HOSTNAME_LENGTH_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "hostname '%.80s' is not one",
                         manifest->hostname);
    return 0;
}

static int read_pod(const struct js *root, struct manifest *manifest, struct error *err)
{
    static const char *const keys[] = {"hostname", "name", "namespace", "sysctls", "uid", NULL};
    struct js *pod = NULL, *sysctls = NULL;

    if (manifest_need(root, "pod", JS_OBJECT, &pod, err) < 0)
        return -1;
    if (js_only(pod, keys, err) < 0 || js_need_string(pod, "name", &manifest->pod_name, err) < 0 ||
        js_need_string(pod, "namespace", &manifest->pod_namespace, err) < 0 ||
        js_need_string(pod, "uid", &manifest->pod_uid, err) < 0 ||
        js_need_string(pod, "hostname", &manifest->hostname, err) < 0 ||
        manifest_need(pod, "sysctls", JS_OBJECT, &sysctls, err) < 0 ||
        js_each(sysctls, check_sysctl, NULL, err) < 0 || check_pod_names(manifest, err) < 0)
        return error_wrap(err, "pod");
    manifest->sysctls = sysctls;
    return 0;
}

static int read_empty(const struct js *node, struct manifest_volume *volume, struct error *err)
{
    static const char *const keys[] = {"kind", "memory", "size", NULL};
    int64_t size;

    if (js_only(node, keys, err) < 0 ||
        js_need_integer(node, "size", 0, INT64_MAX, &size, err) < 0 ||
        manifest_need_boolean(node, "memory", &volume->memory, err) < 0)
        return -1;
    volume->size = (uint64_t) size;
    return 0;
}

static int read_volume_body(const struct js *node, struct manifest_volume *volume,
                            struct error *err)
{
    static const char *const keys[] = {"kind", NULL};
    unsigned kind = 0;

    if (js_type(node) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "it is not an object");
    if (manifest_need_one_of(node, "kind", volume_kind_names, ARRAY_LENGTH(volume_kind_names),
                             &kind, err) < 0)
        return -1;
    volume->kind = (enum manifest_volume_kind) kind;
    return volume->kind == MANIFEST_EMPTY ? read_empty(node, volume, err)
                                          : js_only(node, keys, err);
}

static int read_volume(void *user, const char *key, struct js *value, struct error *err)
{
    struct manifest *manifest = user;
    struct manifest_volume *volume = &manifest->volumes[manifest->volume_count];

    if (!kube_name_is_label(key))
        return error_set(err, STATUS_INVALID_ARGUMENT, "volumes: '%.64s' is not the name of one",
                         key);
    volume->name = key;
    if (read_volume_body(value, volume, err) < 0)
        return error_wrap(err, "volumes: '%s'", key);
    manifest->volume_count++;
    return 0;
}

static int read_volumes(const struct js *root, struct manifest *manifest, struct error *err)
{
    struct js *volumes = NULL;

    if (manifest_need(root, "volumes", JS_OBJECT, &volumes, err) < 0)
        return -1;
    if (js_length(volumes) > MANIFEST_VOLUMES_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "'volumes' has more than %d members",
                         MANIFEST_VOLUMES_MAX);
    manifest->volumes = xnew_array(struct manifest_volume, js_length(volumes));
    return js_each(volumes, read_volume, manifest, err);
}

/* What has to have begun before something else can come only before it. */
static int check_order(const struct manifest *manifest, struct error *err)
{
    const struct manifest_slot *last = &manifest->slots[manifest->slot_count - 1];

    for (size_t i = 0; i < manifest->slot_count; i++) {
        const struct manifest_slot *slot = &manifest->slots[i];

        if (manifest_slot(manifest, slot->name) != slot)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "containers[%zu]: the name '%s' stands twice", i, slot->name);
        if (i && slot->kind != MANIFEST_APP && manifest->slots[i - 1].kind == MANIFEST_APP)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "containers[%zu]: '%s' is of kind %s and stands behind one of kind "
                             "app",
                             i, slot->name, manifest_kind_name(slot->kind));
    }
    if (last->kind != MANIFEST_APP)
        return error_set(err, STATUS_INVALID_ARGUMENT, "'containers' has none of kind app");
    return 0;
}

static int read_slots(const struct js *root, struct manifest *manifest, struct error *err)
{
    struct js *list = NULL;

    if (manifest_need(root, "containers", JS_ARRAY, &list, err) < 0)
        return -1;
    if (js_length(list) == 0 || js_length(list) > MANIFEST_SLOTS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "'containers' has not 1 to %d members",
                         MANIFEST_SLOTS_MAX);
    manifest->slots = xnew_array(struct manifest_slot, js_length(list));
    manifest->slot_count = js_length(list);
    for (size_t i = 0; i < manifest->slot_count; i++)
        if (manifest_read_slot(manifest, js_at(list, i), &manifest->slots[i], err) < 0)
            return error_wrap(err, "containers[%zu]", i);
    return check_order(manifest, err);
}

static int read_all(struct manifest *manifest, struct error *err)
{
    static const char *const keys[] = {"containers",     "debug",   "pod",
                                       "restart_policy", "salt",    "service_environment",
                                       "version",        "volumes", NULL};
    const struct js *root;

    if (js_parse(manifest->text, manifest->length, &manifest->root, err) < 0)
        return -1;
    root = manifest->root;
    if (js_type(root) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "it is not an object");
    if (check_value(root, err) < 0 || check_canonical(manifest, err) < 0 ||
        js_only(root, keys, err) < 0 || read_head(root, manifest, err) < 0 ||
        read_pod(root, manifest, err) < 0 || read_volumes(root, manifest, err) < 0)
        return -1;
    return read_slots(root, manifest, err);
}

int manifest_parse(const void *text, size_t length, struct manifest **ret, struct error *err)
{
    scoped(manifest_freep) struct manifest *manifest = NULL;

    if (length == 0 || length > MANIFEST_SIZE_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "manifest has %zu bytes, at most %d", length,
                         MANIFEST_SIZE_MAX);
    manifest = xnew(struct manifest);
    manifest->text = xalloc(length + 1);
    memcpy(manifest->text, text, length);
    manifest->length = length;
    digest_sha384(text, length, manifest->digest);
    if (read_all(manifest, err) < 0)
        return error_wrap(err, "manifest");
    *ret = take_ptr(manifest);
    return 0;
}

void manifest_free(struct manifest *manifest)
{
    if (!manifest)
        return;
    for (size_t i = 0; i < manifest->slot_count; i++)
        manifest_clear_slot(&manifest->slots[i]);
    free(manifest->slots);
    free(manifest->volumes);
    js_free(manifest->root);
    free(manifest->text);
    free(manifest);
}

const struct manifest_slot *manifest_slot(const struct manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->slot_count; i++)
        if (text_equal(manifest->slots[i].name, name))
            return &manifest->slots[i];
    return NULL;
}

const struct manifest_volume *manifest_volume(const struct manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->volume_count; i++)
        if (text_equal(manifest->volumes[i].name, name))
            return &manifest->volumes[i];
    return NULL;
}

static bool is_named(const struct manifest_slot *slot, const char *variable)
{
    for (size_t i = 0; i < slot->environment_count; i++)
        if (text_equal(slot->environment[i], variable))
            return true;
    return false;
}

/* Whoever can make a service chooses its name, but not what the manifest has set. */
static bool is_of_service(const struct manifest *manifest, const struct manifest_slot *slot,
                          const char *variable)
{
    return manifest->service_environment && kube_name_is_service_variable(variable) &&
           !manifest_spec_sets(slot->spec, variable);
}

bool manifest_is_hole(const struct manifest *manifest, const struct manifest_slot *slot,
                      const char *variable)
{
    return is_named(slot, variable) || is_of_service(manifest, slot, variable);
}

bool manifest_takes(const struct manifest *manifest, const struct manifest_slot *slot,
                    const char *variable, const char *value)
{
    return is_named(slot, variable) ||
           (is_of_service(manifest, slot, variable) && kube_name_is_service_value(value));
}

const char *manifest_volume_kind_name(enum manifest_volume_kind kind)
{
    return volume_kind_names[kind];
}

const char *manifest_restart_name(enum manifest_restart restart)
{
    return restart_names[restart];
}
