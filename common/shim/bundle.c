/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/bundle.h"

#include <limits.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"

/* In this order: what names the pod that a container belongs to. */
static const char *const group_keys[] = {
    "io.containerd.runc.v2.group",
    "io.kubernetes.cri.sandbox-id",
    "io.kubernetes.cri-o.SandboxID",
};

static int read_spec(const char *path, struct js **ret, struct error *err)
{
    scoped(freep) char *file = xformat("%s/config.json", path);
    scoped(freep) char *text = NULL;
    size_t length = 0;

    if (!file_exists(file))
        return 0;
    if (file_read(file, BUNDLE_SPEC_MAX, &text, &length, err) < 0)
        return -1;
    if (js_parse(text, length, ret, err) < 0)
        return error_wrap(err, "%s", file);
    return 0;
}

/* containerd 2 leaves the sandbox's id in a file of that name in the bundle of a member. */
static char *read_sandbox_file(const char *path)
{
    scoped(freep) char *file = xformat("%s/sandbox", path);
    scoped(freep) char *text = NULL;
    struct error ignored;
    size_t length = 0;

    if (!file_exists(file) || file_read(file, 256, &text, &length, &ignored) < 0)
        return NULL;
    return text_is_identifier(text) ? take_ptr(text) : NULL;
}

static const char *container_type(const struct bundle *bundle)
{
    const char *type = bundle_annotation(bundle, "io.kubernetes.cri.container-type");

    return type ? type : bundle_annotation(bundle, "io.kubernetes.cri-o.ContainerType");
}

static void find_role(struct bundle *bundle)
{
    const char *type = container_type(bundle);

    for (size_t i = 0; i < ARRAY_LENGTH(group_keys) && !bundle->sandbox_id; i++) {
        const char *id = bundle_annotation(bundle, group_keys[i]);

        if (id && text_is_identifier(id))
            bundle->sandbox_id = xstrdup(id);
    }
    if (bundle_is_sandbox_controller(bundle->path) || text_equal(type, "sandbox"))
        bundle->role = BUNDLE_SANDBOX;
    else if (text_equal(type, "container") || bundle->sandbox_id)
        bundle->role = BUNDLE_CONTAINER;
}

int bundle_open(const char *path, struct bundle **ret, struct error *err)
{
    scoped(bundle_freep) struct bundle *bundle = xnew(struct bundle);

    bundle->path = xstrdup(path);
    if (read_spec(path, &bundle->spec, err) < 0)
        return -1;
    bundle->sandbox_id = read_sandbox_file(path);
    find_role(bundle);
    *ret = take_ptr(bundle);
    return 0;
}

void bundle_free(struct bundle *bundle)
{
    if (!bundle)
        return;
    js_freep(&bundle->spec);
    free(bundle->path);
    free(bundle->sandbox_id);
    free(bundle);
}

const char *bundle_annotation(const struct bundle *bundle, const char *key)
{
    return js_get_string(js_get(bundle->spec, "annotations"), key);
}

const char *bundle_group(const struct bundle *bundle, const char *id)
{
    return bundle->sandbox_id ? bundle->sandbox_id : id;
}

char *bundle_socket(const char *path)
{
    scoped(freep) char *file = xformat("%s/address", path);
    scoped(freep) char *text = NULL;
    struct error ignored;
    size_t length;

    if (!file_exists(file) || file_read(file, PATH_MAX, &text, &length, &ignored) < 0 ||
        !text_starts(text, "unix:///"))
        return NULL;
    return xstrdup(text + strlen("unix://"));
}

bool bundle_is_sandbox_controller(const char *path)
{
    return strstr(path, "/io.containerd.sandbox.controller.v1.shim/");
}
