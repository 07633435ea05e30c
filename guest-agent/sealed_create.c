/* SPDX-License-Identifier: Apache-2.0 */
#include "sealed_create.h"

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "container.h"
#include "dropped.h"
#include "mounts.h"
#include "pod.h"
#include "rootfs.h"
#include "sealed.h"
#include "sealed/manifest.h"
#include "sealed_compose.h"
#include "sealed_slots.h"
#include "streams.h"
#include "volumes.h"

/* The store gives a layer only under the diff_id that its content had. */
static int check_layers(const struct manifest_slot *slot, const struct container_options *options,
                        struct error *err)
{
    if (options->layer_count != slot->layer_count)
        return error_set(err, STATUS_PERMISSION_DENIED,
                         "container '%s' has %zu layers in the manifest, and %zu came", slot->name,
                         slot->layer_count, options->layer_count);
    for (size_t i = 0; i < slot->layer_count; i++) {
        if (!text_equal(options->layers[i].diff_id, slot->layers[i]))
            return error_set(err, STATUS_PERMISSION_DENIED,
                             "layer %zu of container '%s' is not the manifest's, whose diff_id is "
                             "%s: the node has another image",
                             i, slot->name, slot->layers[i]);
    }
    return 0;
}

static int check_streams(const struct manifest_slot *slot, unsigned wanted, struct error *err)
{
    bool has_terminal = js_get_boolean(js_get(slot->spec, "process"), "terminal", false);

    if (has_terminal != ((wanted & STREAMS_TERMINAL) != 0))
        return error_set(err, STATUS_PERMISSION_DENIED,
                         "the manifest gives container '%s' %s terminal", slot->name,
                         has_terminal ? "a" : "no");
    if ((wanted & STREAMS_STDIN) && !slot->has_stdin)
        return error_set(err, STATUS_PERMISSION_DENIED,
                         "the manifest gives container '%s' no stdin", slot->name);
    return 0;
}

/* Those that no mount of the result names are never seen by the container. */
static void drop_files(const struct container_options *options, const struct js *spec,
                       struct dropped *dropped)
{
    const struct js *mounts = js_get(spec, "mounts");

    for (size_t i = 0; i < options->file_count; i++) {
        scoped(freep) char *source = xformat("cleave:file:%s", options->files[i].name);
        bool is_used = false;

        for (size_t j = 0; j < js_length(mounts) && !is_used; j++)
            is_used = text_equal(js_get_string(js_at(mounts, j), "source"), source);
        if (!is_used)
            dropped_add(dropped, "file", options->files[i].name);
    }
}

/* The size is the manifest's to say, and what the node asked for is more, or less: less holds. */
static int limit_volumes(struct pod *pod, const struct manifest_slot *slot, struct error *err)
{
    for (size_t i = 0; i < slot->mount_count; i++) {
        const struct manifest_volume *volume = slot->mounts[i].volume;

        if (volume->kind == MANIFEST_EMPTY && volume->size > 0 &&
            volumes_limit(pod->volumes, sealed_volumes_name(sealed_volumes(pod->sealed), volume),
                          volume->size, err) < 0)
            return -1;
    }
    return 0;
}

static int compose(struct pod *pod, const struct manifest_slot *slot,
                   const struct sealed_creation *creation, char **ret, struct error *err)
{
    const struct sealed_composition composition = {.manifest = sealed_manifest(pod->sealed),
                                                   .slot = slot,
                                                   .volumes = sealed_volumes(pod->sealed),
                                                   .came = creation->came};
    scoped(freep) char *whose = xformat("container '%s' is '%s'", creation->options->id,
                                        slot->name);
    scoped(js_freep) struct js *spec = NULL;
    struct dropped dropped;

    if (sealed_compose(&composition, &spec, &dropped, err) < 0 || limit_volumes(pod, slot, err) < 0)
        return -1;
    drop_files(creation->options, spec, &dropped);
    dropped_log(&dropped, whose);
    *ret = js_print(spec);
    return 0;
}

static const struct manifest_slot *find_slot(const struct manifest *manifest, const char *name,
                                             struct error *err)
{
    const struct manifest_slot *slot = manifest_slot(manifest, name);

    if (!slot && *name)
        error_set(err, STATUS_PERMISSION_DENIED, "the pod's manifest has no container '%.100s'",
                  name);
    else if (!slot)
        error_set(err, STATUS_PERMISSION_DENIED,
                  "the pod is sealed, and its manifest allows no container but its own");
    return slot;
}

int sealed_create(struct pod *pod, const struct sealed_creation *creation, char **ret,
                  struct error *err)
{
    const struct manifest *manifest = pod->sealed ? sealed_manifest(pod->sealed) : NULL;
    const struct manifest_slot *slot;

    if (!pod->sealed || (*creation->slot == '\0' && manifest->debug)) {
        *ret = NULL;
        return 0;
    }
    slot = find_slot(manifest, creation->slot, err);
    if (!slot || sealed_slots_check(sealed_slots(pod->sealed), slot, err) < 0 ||
        check_layers(slot, creation->options, err) < 0 ||
        check_streams(slot, creation->options->wanted, err) < 0)
        return -1;
    return compose(pod, slot, creation, ret, err);
}
