/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "sealed/manifest.h"
#include "sealed/package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was taken is its own canonical print, and every reference in it leads somewhere. */
static void check_manifest(const struct manifest *manifest, const uint8_t *data, size_t size)
{
    scoped(freep) char *text = js_print_canonical(manifest->root);

    if (strlen(text) != size || memcmp(text, data, size) != 0)
        abort();
    if (manifest->slots[manifest->slot_count - 1].kind != MANIFEST_APP)
        abort();
    for (size_t i = 0; i < manifest->slot_count; i++) {
        const struct manifest_slot *slot = &manifest->slots[i];

        if (manifest_slot(manifest, slot->name) != slot || slot->layer_count == 0)
            abort();
        for (size_t k = 0; k < slot->mount_count; k++)
            if (manifest_volume(manifest, slot->mounts[k].volume->name) != slot->mounts[k].volume)
                abort();
        for (size_t k = 0; k < slot->environment_count; k++)
            if (!manifest_is_hole(manifest, slot, slot->environment[k]))
                abort();
    }
}

/* The input as a manifest, and as a package of one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scoped(manifest_freep) struct manifest *manifest = NULL;
    scoped(freep) char *text = xstrndup((const char *) data, size), *document = NULL;
    struct error err;
    size_t length;

    if (manifest_parse(data, size, &manifest, &err) == 0)
        check_manifest(manifest, data, size);
    if (package_open(text, &document, &length, &err) == 0 && length > MANIFEST_SIZE_MAX)
        abort();
    return 0;
}
