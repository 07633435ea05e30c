/* SPDX-License-Identifier: Apache-2.0 */
#include "volumes.h"

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "quantity.h"

/* All that a Pod can name. What is mounted on the tenant's node, wherever it comes from, is shared
 * from there. */
static const struct {
    const char *source, *kind;
} kinds[] = {
    {"emptyDir", "empty"},
    {"configMap", "copied"},
    {"secret", "copied"},
    {"projected", "copied"},
    {"downwardAPI", "copied"},
    {"hostPath", "share"},
    {"persistentVolumeClaim", "share"},
    {"ephemeral", "share"},
    {"nfs", "share"},
    {"csi", "share"},
    {"image", "share"},
    {"iscsi", "share"},
    {"fc", "share"},
    {"cephfs", "share"},
    {"rbd", "share"},
    {"glusterfs", "share"},
    {"azureFile", "share"},
    {"azureDisk", "share"},
    {"awsElasticBlockStore", "share"},
    {"gcePersistentDisk", "share"},
    {"vsphereVolume", "share"},
    {"cinder", "share"},
    {"portworxVolume", "share"},
    {"flexVolume", "share"},
};

static const char *kind_of(const char *source)
{
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        if (text_equal(kinds[i].source, source))
            return kinds[i].kind;
    }
    return NULL;
}

struct reading {
    const char *source, *kind;
};

static int read_member(void *user, const char *key, struct js *value, struct error *err)
{
    struct reading *reading = user;

    (void) value;
    if (text_equal(key, "name"))
        return 0;
    if (!kind_of(key))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "'%.64s' is no kind of volume that this version of cleave knows", key);
    if (reading->source)
        return error_set(err, STATUS_INVALID_ARGUMENT, "two sources, '%s' and '%s'",
                         reading->source, key);
    *reading = (struct reading){.source = key, .kind = kind_of(key)};
    return 0;
}

static int describe_empty(const struct js *source, struct js *out, struct error *err)
{
    const char *medium = js_get_string(source, "medium");
    int64_t size;

    if (medium && *medium && !text_equal(medium, "Memory"))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "emptyDir.medium '%.32s': the guest has \"\" and Memory", medium);
    if (quantity_read(js_get(source, "sizeLimit"), QUANTITY_ONES, &size, err) < 0)
        return error_wrap(err, "emptyDir.sizeLimit");
    js_set_integer(out, "size", size);
    js_set(out, "memory", js_new_boolean(text_equal(medium, "Memory")));
    return 0;
}

static int describe(const struct js *volume, struct js *volumes, struct error *err)
{
    struct reading reading = {0};
    const char *name;
    struct js *out;

    if (js_need_string(volume, "name", &name, err) < 0 ||
        js_each(volume, read_member, &reading, err) < 0)
        return -1;
    if (js_get(volumes, name))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%.64s' is there twice", name);
    js_set(volumes, name, out = js_new_object());
    if (!reading.source)
        reading = (struct reading){.source = "emptyDir", .kind = "empty"}; /* Kubernetes' default */
    js_set_string(out, "kind", reading.kind);
    if (text_equal(reading.kind, "empty"))
        return describe_empty(js_get(volume, reading.source), out, err);
    return 0;
}

int volumes_describe(const struct js *list, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *volumes = js_new_object();

    if (list && js_type(list) != JS_ARRAY)
        return error_set(err, STATUS_INVALID_ARGUMENT, "volumes: no list");
    for (size_t i = 0; i < js_length(list); i++) {
        if (describe(js_at(list, i), volumes, err) < 0)
            return error_wrap(err, "volumes[%zu]", i);
    }
    *ret = take_ptr(volumes);
    return 0;
}

static int look(void *user, const char *key, struct js *value, struct error *err)
{
    bool *is_read_only = user;

    (void) err;
    if (text_equal(key, "image") || text_equal(kind_of(key), "copied") ||
        js_get_boolean(value, "readOnly", false))
        *is_read_only = true;
    return 0;
}

bool volumes_is_read_only(const struct js *list, const char *name)
{
    bool is_read_only = false;
    struct error err;

    for (size_t i = 0; i < js_length(list); i++) {
        const struct js *volume = js_at(list, i);

        if (text_equal(js_get_string(volume, "name"), name))
            (void) !js_each(volume, look, &is_read_only, &err);
    }
    return is_read_only;
}
