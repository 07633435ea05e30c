/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_rootfs.h"

#include "base/error.h"
#include "base/json.h"
#include "shim/bundle.h"
#include "task.pb-c.h"
#include "tree.h"

int codec_rootfs(const struct Task__CreateTaskRequest *request, const struct bundle *bundle,
                 char **ret, struct error *err)
{
    const char *path = js_get_string(js_get(bundle->spec, "root"), "path");
    struct tree_mount mounts[TREE_MOUNTS_MAX];

    *ret = NULL;
    if (request->n_rootfs > TREE_MOUNTS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the root has more than %d mounts",
                         TREE_MOUNTS_MAX);
    for (size_t i = 0; i < request->n_rootfs; i++) {
        const Task__Mount *mount = request->rootfs[i];

        if (mount->target[0])
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "the root has a mount on '%s': only whole roots can be sent",
                             mount->target);
        mounts[i] = (struct tree_mount){mount->type, mount->source, mount->options,
                                        mount->n_options};
    }
    if (request->n_rootfs > 0)
        return tree_of_mounts(mounts, request->n_rootfs, ret, err);
    if (path && path[0]) {
        scoped(freep) char *absolute = path[0] == '/' ? xstrdup(path)
                                                      : xformat("%s/%s", bundle->path, path);

        *ret = tree_of_directory(absolute);
    }
    return 0;
}
