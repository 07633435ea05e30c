/* SPDX-License-Identifier: Apache-2.0 */
/* Of the specification in a slot only that is checked which the manifest gives a meaning to: where
 * mounts may come from, and that nothing in it stands twice, so that a reader cannot take the one
 * for the other. Whether a container may have what it says is the agent's to judge. */
#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "sealed/manifest_private.h"

enum { SPEC_MOUNTS_MAX = 256, SPEC_ENVIRONMENT_MAX = 4096 };

bool manifest_is_plain(const char *path)
{
    for (;;) {
        size_t length = strcspn(path, "/");

        if (length == 0 || (path[0] == '.' && (length == 1 || (length == 2 && path[1] == '.'))))
            return false;
        if (!path[length])
            return true;
        path += length + 1;
    }
}

bool manifest_is_destination(const char *path)
{
    return path[0] == '/' && manifest_is_plain(path + 1);
}

static int check_args(const struct js *process, struct error *err)
{
    struct js *args = NULL;

    if (manifest_need(process, "args", JS_ARRAY, &args, err) < 0)
        return -1;
    for (size_t i = 0; i < js_length(args); i++)
        if (!js_string(js_at(args, i)))
            return error_set(err, STATUS_INVALID_ARGUMENT, "'args' has a member that is no string");
    if (js_length(args) == 0 || !*js_string(js_at(args, 0)))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'args' names no program");
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const char *one = *(const char *const *) a, *other = *(const char *const *) b;
    size_t length = strcspn(one, "="), other_length = strcspn(other, "=");
    int r = memcmp(one, other, length < other_length ? length : other_length);

    return r ? r : (length > other_length) - (length < other_length);
}

static int check_environment(const struct js *process, struct error *err)
{
    scoped(freep) const char **list = NULL;
    struct js *environment = NULL;
    size_t count;

    if (!js_get(process, "env"))
        return 0;
    if (manifest_need(process, "env", JS_ARRAY, &environment, err) < 0)
        return -1;
    count = js_length(environment);
    if (count > SPEC_ENVIRONMENT_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d variables",
                         SPEC_ENVIRONMENT_MAX);
    list = xnew_array(const char *, count);
    for (size_t i = 0; i < count; i++) {
        list[i] = js_string(js_at(environment, i));
        if (!list[i] || list[i][0] == '=' || !strchr(list[i], '='))
            return error_set(err, STATUS_INVALID_ARGUMENT, "'env' has a member not of the form %s",
                             "NAME=value");
    }
    qsort(list, count, sizeof(*list), by_name);
    for (size_t i = 1; i < count; i++)
        if (by_name(&list[i - 1], &list[i]) == 0)
            return error_set(err, STATUS_INVALID_ARGUMENT, "'env' has the variable '%.*s' twice",
                             (int) strnlen(list[i], strcspn(list[i], "=")), list[i]);
    return 0;
}

/* What of "cleave:..." a specification may name itself: what the agent makes, and the files of the
 * pod that the tenant's node may have made. Volumes and shares come by the slot's mounts alone. */
static bool is_source(const char *source, const char *destination)
{
    static const char *const made[] = {"hosts", "resolv.conf",     "hostname",
                                       "shm",   "termination-log", "image"};
    static const char *const given[] = {"hosts", "resolv.conf", "hostname"};

    for (size_t i = 0; i < ARRAY_LENGTH(made); i++)
        if (text_equal(source, made[i]))
            return true;
    for (size_t i = 0; i < ARRAY_LENGTH(given); i++)
        if (text_starts(source, "file:") && text_equal(source + strlen("file:"), given[i]))
            return text_starts(destination, "/etc/") &&
                   text_equal(destination + strlen("/etc/"), given[i]);
    return false;
}

static int check_mount(const struct js *mount, struct error *err)
{
    const char *destination, *source = js_get_string(mount, "source");

    if (js_type(mount) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "it is not an object");
    if (js_need_string(mount, "destination", &destination, err) < 0)
        return -1;
    if (!manifest_is_destination(destination))
        return error_set(err, STATUS_INVALID_ARGUMENT, "destination '%.64s' is not plain",
                         destination);
    if (js_get(mount, "source") && !source)
        return error_set(err, STATUS_INVALID_ARGUMENT, "'source' is not a string");
    if (source && text_starts(source, "cleave:") &&
        !is_source(source + strlen("cleave:"), destination))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "'%.64s' is not a source that a spec may name for '%.64s': volumes and "
                         "shares stand in the container's own 'mounts'",
                         source, destination);
    return 0;
}

static int check_mounts(const struct js *spec, struct error *err)
{
    struct js *mounts = NULL;

    if (!js_get(spec, "mounts"))
        return 0;
    if (manifest_need(spec, "mounts", JS_ARRAY, &mounts, err) < 0)
        return -1;
    if (js_length(mounts) > SPEC_MOUNTS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d mounts", SPEC_MOUNTS_MAX);
    for (size_t i = 0; i < js_length(mounts); i++) {
        if (check_mount(js_at(mounts, i), err) < 0)
            return error_wrap(err, "mounts[%zu]", i);
        for (size_t k = 0; k < i; k++)
            if (text_equal(js_get_string(js_at(mounts, i), "destination"),
                           js_get_string(js_at(mounts, k), "destination")))
                return error_set(err, STATUS_INVALID_ARGUMENT,
                                 "mounts[%zu]: the destination '%.64s' stands twice", i,
                                 js_get_string(js_at(mounts, i), "destination"));
    }
    return 0;
}

int manifest_check_spec(const struct js *spec, struct error *err)
{
    const char *version;
    struct js *process = NULL;

    if (js_need_string(spec, "ociVersion", &version, err) < 0 ||
        manifest_need(spec, "process", JS_OBJECT, &process, err) < 0)
        return -1;
    if (check_args(process, err) < 0 || check_environment(process, err) < 0)
        return error_wrap(err, "process");
    return check_mounts(spec, err);
}

bool manifest_spec_sets(const struct js *spec, const char *variable)
{
    const struct js *environment = js_path(spec, "process", "env");
    size_t length = strlen(variable);

    for (size_t i = 0; i < js_length(environment); i++) {
        const char *entry = js_string(js_at(environment, i));

        if (strncmp(entry, variable, length) == 0 && entry[length] == '=')
            return true;
    }
    return false;
}
