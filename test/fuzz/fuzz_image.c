/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "oci/image.h"
#include "oci/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scoped(image_clear_manifest) struct image_manifest manifest = {0};
    scoped(image_clear_config) struct image_config config = {0};
    scoped(js_freep) struct js *spec = NULL;
    const char *text = (const char *) data;
    struct image_descriptor picked;
    struct error err;

    if (image_pick_platform(text, size, &picked, &err) == 0 && !reference_is_digest(picked.digest))
        abort();
    if (image_parse_manifest(text, size, &manifest, &err) == 0)
        for (size_t i = 0; i < manifest.layer_count; i++)
            if (!reference_is_digest(manifest.layers[i].blob.digest))
                abort();
    if (image_parse_config(text, size, &config, &err) == 0)
        for (size_t i = 0; i < config.diff_id_count; i++)
            if (!reference_is_digest(config.diff_ids[i]))
                abort();
    if (spec_parse(text, size, &spec, &err) == 0) {
        (void) spec_program(spec);
        (void) spec_environment(spec, "PATH");
        (void) spec_mount(spec, "/proc");
        (void) spec_namespace(spec, "pid");
    }
    return 0;
}
