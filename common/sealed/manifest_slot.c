/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "sealed/manifest_private.h"
#include "sealed/kube_name.h"

static const char *const kind_names[] = {
    [MANIFEST_INIT] = "init", [MANIFEST_SIDECAR] = "sidecar", [MANIFEST_APP] = "app"};

static bool is_digest(const char *text)
{
    return text_starts(text, "sha256:") && manifest_is_hex(text + strlen("sha256:"), 64);
}

static bool is_text(const char *text)
{
    return text != NULL;
}

/* A list of strings of one form. */
struct words {
    const char *key;
    size_t max;
    bool (*is_good)(const char *text);
    const char *form; /* for the sentence */
};

static int read_words(const struct js *list, const struct words *words, const char **ret,
                      struct error *err)
{
    for (size_t i = 0; i < js_length(list); i++) {
        const char *text = js_string(js_at(list, i));

        if (!text || !words->is_good(text))
            return error_set(err, STATUS_INVALID_ARGUMENT, "%s[%zu]%s%.64s%s is not %s", words->key,
                             i, text ? " '" : "", text ? text : "", text ? "'" : "", words->form);
        ret[i] = text;
    }
    return 0;
}

static int need_words(const struct js *node, const struct words *words, const char ***ret,
                      size_t *ret_count, struct error *err)
{
    struct js *list = NULL;

    if (manifest_need(node, words->key, JS_ARRAY, &list, err) < 0)
        return -1;
    if (js_length(list) > words->max)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "'%s' has more than %zu members",
                         words->key, words->max);
    *ret = xnew_array(const char *, js_length(list));
    *ret_count = js_length(list);
    return read_words(list, words, *ret, err);
}

static int read_image(const struct js *node, struct manifest_slot *slot, struct error *err)
{
    static const struct words layers = {"layers", MANIFEST_LAYERS_MAX, is_digest,
                                        "\"sha256:\" and 64 digits"};

    if (js_need_string(node, "config", &slot->config_digest, err) < 0)
        return -1;
    if (!is_digest(slot->config_digest))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "config '%.80s' is not \"sha256:\" and 64 digits", slot->config_digest);
    if (need_words(node, &layers, &slot->layers, &slot->layer_count, err) < 0)
        return -1;
    if (slot->layer_count == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "'layers' is empty");
    return 0;
}

static int read_environment(const struct js *node, struct manifest_slot *slot, struct error *err)
{
    static const struct words names = {"environment", MANIFEST_HOLES_MAX, kube_name_is_variable,
                                       "the name of a variable"};

    if (need_words(node, &names, &slot->environment, &slot->environment_count, err) < 0)
        return -1;
    for (size_t i = 0; i < slot->environment_count; i++)
        for (size_t k = 0; k < i; k++)
            if (text_equal(slot->environment[i], slot->environment[k]))
                return error_set(err, STATUS_INVALID_ARGUMENT, "environment: '%.64s' stands twice",
                                 slot->environment[i]);
    return 0;
}

static int read_command(const struct js *list, struct manifest_command *command, struct error *err)
{
    static const struct words args = {"args", SIZE_MAX, is_text, "a string"};

    if (js_type(list) != JS_ARRAY)
        return error_set(err, STATUS_INVALID_ARGUMENT, "it is not an array");
    command->args = xnew_array(const char *, js_length(list) + 1);
    if (read_words(list, &args, command->args, err) < 0)
        return -1;
    if (!command->args[0] || !*command->args[0])
        return error_set(err, STATUS_INVALID_ARGUMENT, "it names no program");
    return 0;
}

static int read_execs(const struct js *node, struct manifest_slot *slot, struct error *err)
{
    struct js *list = NULL;

    if (manifest_need(node, "exec", JS_ARRAY, &list, err) < 0)
        return -1;
    if (js_length(list) > MANIFEST_EXECS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "'exec' has more than %d members",
                         MANIFEST_EXECS_MAX);
    slot->execs = xnew_array(struct manifest_command, js_length(list));
    slot->exec_count = js_length(list);
    for (size_t i = 0; i < slot->exec_count; i++)
        if (read_command(js_at(list, i), &slot->execs[i], err) < 0)
            return error_wrap(err, "exec[%zu]", i);
    return 0;
}

static int read_mount(const struct manifest *manifest, const struct js *node,
                      struct manifest_mount *mount, struct error *err)
{
    static const char *const keys[] = {"destination", "path", "read_only", "volume", NULL};
    const char *volume;

    if (js_type(node) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "it is not an object");
    if (js_only(node, keys, err) < 0 ||
        js_need_string(node, "destination", &mount->destination, err) < 0 ||
        js_need_string(node, "path", &mount->path, err) < 0 ||
        js_need_string(node, "volume", &volume, err) < 0 ||
        manifest_need_boolean(node, "read_only", &mount->read_only, err) < 0)
        return -1;
    mount->volume = manifest_volume(manifest, volume);
    if (!mount->volume)
        return error_set(err, STATUS_INVALID_ARGUMENT, "'volumes' has no '%.64s'", volume);
    if (!manifest_is_destination(mount->destination))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "destination '%.64s' is not a plain absolute path", mount->destination);
    if (*mount->path && !manifest_is_plain(mount->path))
        return error_set(err, STATUS_INVALID_ARGUMENT, "path '%.64s' is not a plain relative path",
                         mount->path);
    return 0;
}

/* Of the mounts before this one, and of the specification's own. */
static bool is_taken(const struct manifest_slot *slot, size_t index)
{
    const struct js *others = js_get(slot->spec, "mounts");
    const char *destination = slot->mounts[index].destination;

    for (size_t i = 0; i < index; i++)
        if (text_equal(slot->mounts[i].destination, destination))
            return true;
    for (size_t i = 0; i < js_length(others); i++)
        if (text_equal(js_get_string(js_at(others, i), "destination"), destination))
            return true;
    return false;
}

static bool is_beneath(const char *path, const char *directory)
{
    return text_starts(path, directory) && path[strlen(directory)] == '/';
}

/* The runtime goes through links on its way to a destination. In a share they are those of the
 * tenant's node, which could so lead a mount over any directory of the container. */
static int check_share(const struct manifest_slot *slot, const struct manifest_mount *share,
                       struct error *err)
{
    const struct js *others = js_get(slot->spec, "mounts");

    for (size_t i = 0; i < slot->mount_count + js_length(others); i++) {
        const char *path = i < slot->mount_count
                               ? slot->mounts[i].destination
                               : js_get_string(js_at(others, i - slot->mount_count), "destination");

        if (is_beneath(path, share->destination))
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "'%.64s' lies in the share at '%.64s', where a link on the node could "
                             "lead it anywhere in the container: mount it elsewhere",
                             path, share->destination);
    }
    return 0;
}

static int check_shares(const struct manifest_slot *slot, struct error *err)
{
    for (size_t i = 0; i < slot->mount_count; i++)
        if (slot->mounts[i].volume->kind == MANIFEST_SHARE &&
            check_share(slot, &slot->mounts[i], err) < 0)
            return error_wrap(err, "mounts[%zu]", i);
    return 0;
}

static int read_mounts(const struct manifest *manifest, const struct js *node,
                       struct manifest_slot *slot, struct error *err)
{
    struct js *list = NULL;

    if (manifest_need(node, "mounts", JS_ARRAY, &list, err) < 0)
        return -1;
    if (js_length(list) > MANIFEST_MOUNTS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "'mounts' has more than %d members",
                         MANIFEST_MOUNTS_MAX);
    slot->mounts = xnew_array(struct manifest_mount, js_length(list));
    slot->mount_count = js_length(list);
    for (size_t i = 0; i < slot->mount_count; i++) {
        if (read_mount(manifest, js_at(list, i), &slot->mounts[i], err) < 0)
            return error_wrap(err, "mounts[%zu]", i);
        if (is_taken(slot, i))
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "mounts[%zu]: something else is on '%.64s' already", i,
                             slot->mounts[i].destination);
    }
    return check_shares(slot, err);
}

static int read_spec(const struct js *node, struct manifest_slot *slot, struct error *err)
{
    struct js *spec = NULL;

    if (manifest_need(node, "spec", JS_OBJECT, &spec, err) < 0)
        return -1;
    slot->spec = spec;
    return manifest_check_spec(spec, err) < 0 ? error_wrap(err, "spec") : 0;
}

int manifest_read_slot(const struct manifest *manifest, const struct js *node,
                       struct manifest_slot *slot, struct error *err)
{
    static const char *const keys[] = {"config", "environment", "exec", "kind",  "layers",
                                       "mounts", "name",        "spec", "stdin", NULL};
    unsigned kind = 0;

    if (js_type(node) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "it is not an object");
    if (js_need_string(node, "name", &slot->name, err) < 0 || js_only(node, keys, err) < 0)
        return -1;
    if (!kube_name_is_label(slot->name))
        return error_set(err, STATUS_INVALID_ARGUMENT, "'%.64s' is not the name of a container",
                         slot->name);
    if (manifest_need_one_of(node, "kind", kind_names, ARRAY_LENGTH(kind_names), &kind, err) < 0 ||
        manifest_need_boolean(node, "stdin", &slot->has_stdin, err) < 0 ||
        read_image(node, slot, err) < 0 || read_spec(node, slot, err) < 0 ||
        read_mounts(manifest, node, slot, err) < 0 || read_environment(node, slot, err) < 0 ||
        read_execs(node, slot, err) < 0)
        return error_wrap(err, "'%s'", slot->name);
    slot->kind = (enum manifest_kind) kind;
    return 0;
}

void manifest_clear_slot(struct manifest_slot *slot)
{
    for (size_t i = 0; i < slot->exec_count; i++)
        free(slot->execs[i].args);
    free(slot->execs);
    free(slot->environment);
    free(slot->mounts);
    free(slot->layers);
}

const char *manifest_kind_name(enum manifest_kind kind)
{
    return kind_names[kind];
}
