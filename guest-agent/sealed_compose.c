/* SPDX-License-Identifier: Apache-2.0 */
#include "sealed_compose.h"

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "dropped.h"
#include "oci/spec.h"
#include "sealed/manifest.h"
#include "sealed_volumes.h"

/* ---- environment ---- */

/* {"NAME": "value"}; of several the last one counts, as it does for who reads them. */
static struct js *variables_of(const struct js *spec)
{
    const struct js *list = js_path(spec, "process", "env");
    struct js *ret = js_new_object();

    for (size_t i = 0; js_type(list) == JS_ARRAY && i < js_length(list); i++) {
        const char *entry = js_string(js_at(list, i));
        size_t length = entry ? strcspn(entry, "=") : 0;
        scoped(freep) char *name = entry ? xstrndup(entry, length) : NULL;

        if (length > 0 && entry[length] == '=')
            js_set_string(ret, name, entry + length + 1);
    }
    return ret;
}

struct environment {
    const struct sealed_composition *composition;
    const struct js *own, *came; /* variables_of() the manifest's spec and of what came */
    struct js *list;             /* what becomes of them */
    struct js *result;           /* the same as an object */
    struct dropped *dropped;
};

static void add_variable(struct environment *environment, const char *name, const char *value)
{
    scoped(freep) char *entry = xformat("%s=%s", name, value);

    js_append(environment->list, js_new_string(entry));
    js_set_string(environment->result, name, value);
}

static int add_own(void *user, const char *name, struct js *value, struct error *err)
{
    struct environment *environment = user;
    const struct sealed_composition *composition = environment->composition;
    const char *came = manifest_is_hole(composition->manifest, composition->slot, name)
                           ? js_get_string(environment->came, name)
                           : NULL;

    add_variable(environment, name, came ? came : js_string(value));
    return 0;
}

static int add_came(void *user, const char *name, struct js *value, struct error *err)
{
    struct environment *environment = user;
    const struct sealed_composition *composition = environment->composition;

    if (!js_get(environment->own, name) &&
        manifest_takes(composition->manifest, composition->slot, name, js_string(value)))
        add_variable(environment, name, js_string(value));
    else if (!text_equal(js_get_string(environment->result, name), js_string(value)))
        dropped_add(environment->dropped, "variable", name);
    return 0;
}

static int compose_environment(const struct sealed_composition *composition, struct js *process,
                               struct dropped *dropped, struct error *err)
{
    scoped(js_freep) struct js *own = variables_of(composition->slot->spec);
    scoped(js_freep) struct js *came = variables_of(composition->came);
    scoped(js_freep) struct js *result = js_new_object();
    scoped(js_freep) struct js *list = js_new_array();
    struct environment environment = {.composition = composition,
                                      .own = own,
                                      .came = came,
                                      .list = list,
                                      .result = result,
                                      .dropped = dropped};

    if (js_each(own, add_own, &environment, err) < 0 ||
        js_each(came, add_came, &environment, err) < 0)
        return -1;
    js_set(process, "env", take_ptr(list));
    return 0;
}

/* ---- mounts ---- */

/* Files of the pod: where the content is a hole, the node may have one of its own for this
 * container. The name is the manifest's, and so is what is in /etc/hostname, but where the manifest
 * itself wants the node's. */
static void fill_file(struct js *mount, const struct js *came)
{
    static const struct {
        const char *destination, *agents, *nodes;
        bool is_hole;
    } files[] = {
        {"/etc/hosts", "cleave:hosts", "cleave:file:hosts", true},
        {"/etc/resolv.conf", "cleave:resolv.conf", "cleave:file:resolv.conf", true},
        {"/etc/hostname", "cleave:hostname", "cleave:file:hostname", false},
    };
    const char *destination = js_get_string(mount, "destination");
    const char *source = js_get_string(mount, "source");

    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        bool wants_nodes = text_equal(source, files[i].nodes);
        bool has_nodes = text_equal(js_get_string(spec_mount(came, destination), "source"),
                                    files[i].nodes);

        if (!text_equal(destination, files[i].destination) ||
            (!wants_nodes && !text_equal(source, files[i].agents)))
            continue;
        js_set_string(mount, "source",
                      has_nodes && (wants_nodes || files[i].is_hole) ? files[i].nodes
                                                                     : files[i].agents);
        return;
    }
}

/* The guest keeps a read-only share read-only itself: what its node does is not measured. */
static struct js *volume_mount(const struct manifest_mount *mount, const char *source)
{
    const char *options[] = {"rbind", "rprivate", mount->read_only ? "ro" : "rw"};
    struct js *ret = js_new_object(), *list = js_new_array();

    for (size_t i = 0; i < ARRAY_LENGTH(options); i++)
        js_append(list, js_new_string(options[i]));
    js_set_string(ret, "destination", mount->destination);
    js_set_string(ret, "type", "bind");
    js_set_string(ret, "source", source);
    js_set(ret, "options", list);
    return ret;
}

static size_t depth_of(const struct js *mount)
{
    const char *path = js_get_string(mount, "destination");
    size_t depth = 0;

    for (; path && *path; path++)
        depth += *path == '/' && path[1] != '/' && path[1] != '\0';
    return depth;
}

/* What is mounted in another mount comes behind it; equals stay as they were, a volume behind what
 * the specification has there. */
static struct js *in_order(const struct js *mounts)
{
    struct js *ret = js_new_array();
    size_t left = js_length(mounts);

    for (size_t depth = 0; left > 0; depth++) {
        for (size_t i = 0; i < js_length(mounts); i++) {
            if (depth_of(js_at(mounts, i)) != depth)
                continue;
            js_append(ret, js_copy(js_at(mounts, i)));
            left--;
        }
    }
    return ret;
}

static int add_volumes(const struct sealed_composition *composition, struct js *mounts,
                       struct error *err)
{
    const struct manifest_slot *slot = composition->slot;

    for (size_t i = 0; i < slot->mount_count; i++) {
        const struct manifest_mount *mount = &slot->mounts[i];
        const char *came = js_get_string(spec_mount(composition->came, mount->destination),
                                         "source");
        scoped(freep) char *source = NULL;

        if (!came)
            return error_set(err, STATUS_FAILED_PRECONDITION,
                             "mount '%s': the manifest has the volume '%s' there, and nothing came",
                             mount->destination, mount->volume->name);
        source = sealed_volumes_source(composition->volumes, mount, came, err);
        if (!source)
            return -1;
        js_append(mounts, volume_mount(mount, source));
    }
    return 0;
}

static int compose_mounts(const struct sealed_composition *composition, struct js *spec,
                          struct error *err)
{
    const struct js *own = js_get(composition->slot->spec, "mounts");
    scoped(js_freep) struct js *mounts = js_type(own) == JS_ARRAY ? js_copy(own) : js_new_array();

    for (size_t i = 0; i < js_length(mounts); i++)
        fill_file(js_at(mounts, i), composition->came);
    if (add_volumes(composition, mounts, err) < 0)
        return -1;
    js_set(spec, "mounts", in_order(mounts));
    return 0;
}

/* ---- what was dropped ---- */

static bool has_option(const struct js *mount, const char *name)
{
    const struct js *options = js_get(mount, "options");

    for (size_t i = 0; i < js_length(options); i++) {
        if (text_equal(js_string(js_at(options, i)), name))
            return true;
    }
    return false;
}

static bool is_of_volume(const struct manifest_slot *slot, const char *destination)
{
    for (size_t i = 0; i < slot->mount_count; i++) {
        if (text_equal(slot->mounts[i].destination, destination))
            return true;
    }
    return false;
}

static void drop_mounts(const struct sealed_composition *composition, const struct js *spec,
                        struct dropped *dropped)
{
    const struct js *mounts = js_get(composition->came, "mounts");

    for (size_t i = 0; js_type(mounts) == JS_ARRAY && i < js_length(mounts); i++) {
        const struct js *came = js_at(mounts, i);
        const char *destination = js_get_string(came, "destination");
        const struct js *own = spec_mount(spec, destination ?: "");

        if (destination && is_of_volume(composition->slot, destination))
            continue; /* it was judged */
        if (!own || !text_equal(js_get_string(own, "source"), js_get_string(came, "source")) ||
            !text_equal(js_get_string(own, "type"), js_get_string(came, "type")) ||
            has_option(own, "ro") != has_option(came, "ro"))
            dropped_add(dropped, "mount", destination ?: "");
    }
}

static bool is_same(const struct js *a, const struct js *b)
{
    scoped(freep) char *one = js_print_canonical(a), *other = js_print_canonical(b);

    return text_equal(one, other);
}

struct comparison {
    const struct js *own;
    const char *within; /* "process.", "linux.", "" */
    struct dropped *dropped;
};

static int drop_member(void *user, const char *key, struct js *value, struct error *err)
{
    /* Judged by themselves; or nothing that any container is given (confine.c). */
    static const char *const others[] = {"process",    "linux",       "mounts",  "process.env",
                                         "ociVersion", "annotations", "hostname"};
    const struct comparison *comparison = user;
    scoped(freep) char *name = xformat("%s%s", comparison->within, key);
    const struct js *own = js_get(comparison->own, key);

    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        if (text_equal(name, others[i]))
            return 0;
    }
    if (!own || !is_same(own, value))
        dropped_add(comparison->dropped, name, "");
    return 0;
}

static int drop_members(const struct sealed_composition *composition, struct dropped *dropped,
                        struct error *err)
{
    static const struct {
        const char *object, *within;
    } parts[] = {{"process", "process."}, {"linux", "linux."}};
    const struct js *spec = composition->slot->spec;
    struct comparison comparison = {spec, "", dropped};

    if (js_each(composition->came, drop_member, &comparison, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        const struct js *came = js_get(composition->came, parts[i].object);

        comparison.own = js_get(spec, parts[i].object);
        comparison.within = parts[i].within;
        if (js_type(came) == JS_OBJECT && js_each(came, drop_member, &comparison, err) < 0)
            return -1;
    }
    return 0;
}

int sealed_compose(const struct sealed_composition *composition, struct js **ret,
                   struct dropped *ret_dropped, struct error *err)
{
    scoped(js_freep) struct js *spec = js_copy(composition->slot->spec);
    struct js *process = js_get(spec, "process");
    struct dropped dropped = {0};

    if (js_type(composition->came) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the spec is not a JSON object");
    if (js_type(process) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the manifest's specification of container '%s' has no process",
                         composition->slot->name);
    if (compose_environment(composition, process, &dropped, err) < 0 ||
        compose_mounts(composition, spec, err) < 0 || drop_members(composition, &dropped, err) < 0)
        return -1;
    drop_mounts(composition, spec, &dropped);
    *ret = take_ptr(spec);
    *ret_dropped = dropped;
    return 0;
}
