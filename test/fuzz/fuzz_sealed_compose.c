/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever comes with Create of a sealed guest: but for what is in a hole, the result is the
 * manifest's. */
#include <stdlib.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "dropped.h"
#include "sealed/manifest.h"
#include "sealed_compose.h"
#include "sealed_volumes.h"
#include "volumes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DIGEST "\"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""
#define MOUNT(destination, path, read_only, volume)                                                \
    "{\"destination\":\"" destination "\",\"path\":\"" path "\",\"read_only\":" read_only          \
    ",\"volume\":\"" volume "\"}"

static const char text[] =
    "{\"containers\":[{\"config\":" DIGEST ",\"environment\":[\"TOKEN\"],\"exec\":[],"
    "\"kind\":\"app\",\"layers\":[" DIGEST
    "],\"mounts\":[" MOUNT("/c", "", "true", "c") "," MOUNT("/e", "p", "false", "e") "," MOUNT(
        "/s", "", "true",
        "s") "],\"name\":\"main\","
             "\"spec\":{\"mounts\":[{\"destination\":\"/etc/hosts\",\"source\":\"cleave:hosts\","
             "\"type\":\"bind\"}],\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"/app\"],"
             "\"env\":[\"A=1\"]}},\"stdin\":false}],\"debug\":false,\"pod\":{\"hostname\":\"h\","
             "\"name\":"
             "\"n\",\"namespace\":\"s\",\"sysctls\":{},\"uid\":\"\"},\"restart_policy\":\"Always\","
             "\"salt\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\","
             "\"service_environment\":true,\"version\":1,\"volumes\":{\"c\":{\"kind\":\"copied\"},"
             "\"e\":{\"kind\":\"empty\",\"memory\":false,\"size\":0},\"s\":{\"kind\":\"share\"}}}";

static bool look(void *user, const char *name, struct volumes_about *ret)
{
    *ret = (struct volumes_about){.is_copied = *name == 'c'};
    return *name == 'c' || *name == 'e';
}

/* What may be filled, and nothing else. */
static void check_holes(const struct js *env, const struct manifest *manifest)
{
    if (!text_equal(js_string(js_at(env, 0)), "A=1"))
        abort();
    for (size_t i = 1; i < js_length(env); i++) {
        const char *entry = js_string(js_at(env, i));
        scoped(freep) char *name = xstrndup(entry, strcspn(entry, "="));

        if (!manifest_is_hole(manifest, &manifest->slots[0], name))
            abort();
    }
}

static void check(struct js *spec, const struct manifest *manifest)
{
    static const char rest[] =
        "{\"mounts\":[{\"destination\":\"/"
        "c\",\"options\":[\"rbind\",\"rprivate\",\"ro\"],\"type\":\"bind\"},{\"destination\":\"/"
        "e\",\"options\":[\"rbind\",\"rprivate\","
        "\"rw\"],\"type\":\"bind\"},{\"destination\":\"/s\",\"options\":[\"rbind\",\"rprivate\","
        "\"ro\"],\"type\":\"bind\"},{\"destination\":\"/etc/hosts\","
        "\"type\":\"bind\"}],\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"/app\"]}}";
    scoped(freep) char *printed = NULL;

    check_holes(js_path(spec, "process", "env"), manifest);
    js_remove(js_get(spec, "process"), "env");
    for (size_t i = 0; i < js_length(js_get(spec, "mounts")); i++) {
        struct js *mount = js_at(js_get(spec, "mounts"), i);

        if (!text_starts(js_get_string(mount, "source"), "cleave:"))
            abort();
        js_remove(mount, "source");
    }
    printed = js_print_canonical(spec);
    if (!text_equal(printed, rest))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scoped(manifest_freep) struct manifest *manifest = NULL;
    scoped(sealed_volumes_freep) struct sealed_volumes *volumes = NULL;
    scoped(js_freep) struct js *came = NULL;
    scoped(js_freep) struct js *spec = NULL;
    struct dropped dropped;
    struct error err;

    if (manifest_parse(text, sizeof(text) - 1, &manifest, &err) < 0)
        abort();
    if (js_parse((const char *) data, size, &came, &err) < 0)
        return 0;
    volumes = sealed_volumes_new(manifest, look, NULL);
    const struct sealed_composition composition = {
        .manifest = manifest, .slot = &manifest->slots[0], .volumes = volumes, .came = came};
    if (sealed_compose(&composition, &spec, &dropped, &err) == 0)
        check(spec, manifest);
    return 0;
}
