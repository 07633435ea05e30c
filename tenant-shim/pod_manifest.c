/* SPDX-License-Identifier: Apache-2.0 */
#include "pod_manifest.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "pod_config.h"
#include "sealed/manifest.h"
#include "sealed/package.h"
#include "spec_rules.h"

static int check_field(const char *field, const char *manifests, const char *pods,
                       struct error *err)
{
    if (text_equal(manifests, pods))
        return 0;
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "the manifest is of another pod: its %s is '%.100s', this pod's is '%.100s'",
                     field, manifests, pods);
}

static int check_pod(const struct manifest *manifest, const struct pod_config *config,
                     struct error *err)
{
    if (check_field("name", manifest->pod_name, config->name, err) < 0 ||
        check_field("namespace", manifest->pod_namespace, config->pod_namespace, err) < 0 ||
        check_field("hostname", manifest->hostname, config->hostname, err) < 0)
        return -1;
    if (!*manifest->pod_uid) /* it was made before Kubernetes gave the pod one */
        return 0;
    return check_field("uid", manifest->pod_uid, config->uid, err);
}

static int read_package(const char *annotation, const struct pod_config *config,
                        struct manifest **ret, struct error *err)
{
    scoped(manifest_freep) struct manifest *manifest = NULL;
    scoped(freep) char *text = NULL;
    size_t length;

    if (package_open(annotation, &text, &length, err) < 0 ||
        manifest_parse(text, length, &manifest, err) < 0 || check_pod(manifest, config, err) < 0)
        return -1;
    *ret = take_ptr(manifest);
    return 0;
}

int pod_manifest_read(const char *annotation, const struct pod_config *config,
                      struct manifest **ret, struct error *err)
{
    if (read_package(annotation, config, ret, err) < 0)
        return error_wrap(err, "cleave.dev/manifest");
    return 0;
}

int pod_manifest_slot(const struct manifest *manifest, const struct js *annotations,
                      const struct manifest_slot **ret, struct error *err)
{
    const char *name = js_get_string(annotations, "io.kubernetes.cri.container-name");
    const struct manifest_slot *slot;

    if (!name)
        name = js_get_string(annotations, "io.kubernetes.container.name"); /* CRI-O's */
    slot = name ? manifest_slot(manifest, name) : NULL;
    if (!slot && !manifest->debug)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "the pod is sealed, and its manifest has no container '%.100s'",
                         name ? name : "");
    *ret = slot;
    return 0;
}

static bool has_share(const struct manifest_slot *slot, const char *destination)
{
    for (size_t i = 0; i < slot->mount_count; i++)
        if (text_equal(slot->mounts[i].destination, destination))
            return slot->mounts[i].volume->kind == MANIFEST_SHARE;
    return false;
}

int pod_manifest_check_shares(const struct manifest_slot *slot, const struct guest_spec *spec,
                              struct error *err)
{
    for (size_t i = 0; i < spec->share_count; i++) {
        const struct spec_share *share = &spec->shares[i];

        if (!has_share(slot, share->destination))
            return error_set(err, STATUS_FAILED_PRECONDITION,
                             "mount '%s': '%s' would be a live share of this node, and the "
                             "manifest of this sealed pod gives '%s' none there",
                             share->destination, share->source, slot->name);
    }
    return 0;
}
