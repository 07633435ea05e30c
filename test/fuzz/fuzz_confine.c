/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "confine.h"
#include "mounts.h"
#include "volumes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scoped(volumes_freep) struct volumes *volumes = volumes_new("/nowhere/volumes");
    const struct mounts_places places = {.pod_directory = "/nowhere/pod",
                                         .container_directory = "/nowhere/one",
                                         .root = "/nowhere/one/rootfs",
                                         .volumes = volumes};
    struct confine_options options = {.root = "/r", .cgroup = "/cleave/x", .net_path = "/n"};
    scoped(js_freep) struct js *spec = NULL;
    struct error err;

    if (js_parse((const char *) data, size, &spec, &err) < 0)
        return 0;
    for (int root = 0; root < 2; root++) {
        scoped(js_freep) struct js *copy = js_copy(spec);
        scoped(js_freep) struct js *mounts = NULL;

        options.guest_root = root;
        if (confine_spec(copy, &options, &err) < 0)
            continue;
        if (js_get(copy, "annotations") || js_length(js_path(copy, "linux", "namespaces")) != 6)
            abort();
        (void) !mounts_rewrite(js_get(copy, "mounts"), &places, &mounts, &err);
    }
    return 0;
}
