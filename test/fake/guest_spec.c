/* SPDX-License-Identifier: Apache-2.0 */
/* What the tenant shim would send for a specification of containerd's: prints it. The namespaces of
 * any process are taken for the pod's. */
#include <stdio.h>

#include "base/error.h"
#include "base/json.h"
#include "oci/spec.h"
#include "spec_rules.h"

enum { ARGUMENTS = 7 };

static const char *owner_of_pid(void *user, uint32_t pid)
{
    (void) user;
    return pid ? "" : NULL;
}

static int fail(const struct error *err)
{
    fprintf(stderr, "guest-spec: %s\n", err->message);
    return 1;
}

int main(int argc, char *argv[])
{
    scoped(guest_spec_freep) struct guest_spec *guest = NULL;
    scoped(js_freep) struct js *spec = NULL;
    scoped(freep) char *text = NULL;
    struct spec_context context = {.owner_of_pid = owner_of_pid};
    struct error err;

    if (argc != ARGUMENTS) {
        fprintf(stderr,
                "usage: guest-spec BUNDLE KUBELET_ROOT POD_UID CONTAINER SANDBOX_DIR SHM\n");
        return 2;
    }
    context.node = (struct volume_node){.kubelet_root = argv[2],
                                        .pod_uid = argv[3],
                                        .container_id = argv[4],
                                        .sandbox_dir = argv[5],
                                        .shm_source = argv[6]};
    if (spec_read(argv[1], &spec, &err) < 0)
        return fail(&err);
    context.annotations = js_get(spec, "annotations");
    if (spec_rules_apply(spec, &context, &guest, &err) < 0)
        return fail(&err);
    text = js_print(guest->spec);
    puts(text);
    return 0;
}
