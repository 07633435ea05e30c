/* SPDX-License-Identifier: Apache-2.0 */
/* cleave verify: is a pod's manifest what this pod and these images make? It is composed again,
 * with the manifest's own salt, and has to have the same bytes. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "defaults.h"
#include "describe.h"
#include "difference.h"
#include "halves.h"
#include "layout.h"
#include "sealed/manifest.h"
#include "sealed_file.h"
#include "seccomp_profile.h"
#include "verbs.h"
#include "volumes.h"

struct query {
    const char *path, *seccomp;
    struct layouts layouts;
};

static int usage(FILE *to)
{
    fputs(
        "Usage: cleave verify POD [--layout DIR]... [--seccomp FILE]\n\n"
        "Unpacks the manifest of a sealed pod (annotation cleave.dev/manifest) as strictly as its "
        "guest does,\n"
        "prints its digest, and compares it with the Pod that carries it. With the pod's images "
        "it is composed\n"
        "again and has to have the same bytes; without, only what the Pod alone says is "
        "compared.\n"
        "What differs is named; values are shown.\n\n"
        "  --layout DIR    an OCI image layout with images of the pod, as for `cleave split`\n"
        "  --seccomp FILE  as `cleave split` got it\n\n"
        "Exit code: 0 they agree, 1 they do not, or there is no manifest that a guest would "
        "take, 2 the\n"
        "command line was wrong.\n",
        to);
    return to == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

static void say(void *user, const char *path, const struct js *a, const struct js *b)
{
    (void) user;
    difference_print(path, &(struct difference_side){"the manifest", a},
                     &(struct difference_side){"the pod", b});
}

static int compare(const struct js *manifest, const struct js *pod, struct error *err)
{
    size_t different = difference_find(manifest, pod, say, NULL);

    if (different == 0)
        return 0;
    return error_set(err, STATUS_FAILED_PRECONDITION,
                     "the manifest is not what this pod makes: %zu difference%s", different,
                     different == 1 ? "" : "s");
}

/* ---- with the images ----------------------------------------------------------------------- */

static int compare_whole(const struct query *query, const struct manifest *manifest,
                         const struct js *pod, struct error *err)
{
    scoped(js_freep) struct js *seccomp = NULL, *again = NULL;
    struct describe describe = {.pod = pod,
                                .layouts = &query->layouts,
                                .salt = js_get_string(manifest->root, "salt"),
                                .flags = manifest->debug ? DESCRIBE_DEBUG : 0};
    scoped(freep) char *text = NULL;

    if (seccomp_profile_read(query->seccomp, &seccomp, err) < 0)
        return -1;
    describe.seccomp = seccomp;
    if (describe_pod(&describe, &again, err) < 0 || compare(manifest->root, again, err) < 0)
        return -1;
    text = js_print_canonical(again);
    if (!text_equal(text, manifest->text))
        return error_set(err, STATUS_INTERNAL, "the same members in other bytes");
    puts("composed again of this pod and its images, it has the same bytes");
    return 0;
}

/* ---- without them -------------------------------------------------------------------------- */

static void add_slots(struct js *slots, const struct js *list, const char *kind)
{
    for (size_t i = 0; i < js_length(list); i++) {
        bool is_sidecar = text_equal(js_get_string(js_at(list, i), "restartPolicy"), "Always");
        struct js *slot = js_new_object();

        js_set_string(slot, "name", js_get_string(js_at(list, i), "name") ?: "");
        js_set_string(slot, "kind", is_sidecar ? "sidecar" : kind);
        js_append(slots, slot);
    }
}

static struct js *names_of(const char *name, const char *name_space)
{
    struct js *names = js_new_object();

    js_set_string(names, "name", name ? name : "");
    js_set_string(names, "namespace", name_space ? name_space : "");
    return names;
}

static int outline_of_pod(const struct js *pod, struct js **ret, struct error *err)
{
    scoped(js_freep) struct js *outline = js_new_object();
    const struct js *metadata = js_get(pod, "metadata"), *spec = js_get(pod, "spec");
    struct js *volumes = NULL, *slots = js_new_array();

    js_set(outline, "containers", slots);
    js_set(outline, "pod",
           names_of(js_get_string(metadata, "name"), js_get_string(metadata, "namespace")));
    js_set_string(outline, "restart_policy", js_get_string(spec, "restartPolicy") ?: "");
    js_set(outline, "service_environment",
           js_new_boolean(js_get_boolean(spec, "enableServiceLinks", true)));
    if (volumes_describe(js_get(spec, "volumes"), &volumes, err) < 0)
        return -1;
    js_set(outline, "volumes", volumes);
    add_slots(slots, js_get(spec, "initContainers"), manifest_kind_name(MANIFEST_INIT));
    add_slots(slots, js_get(spec, "containers"), manifest_kind_name(MANIFEST_APP));
    *ret = take_ptr(outline);
    return 0;
}

static struct js *outline_of_manifest(const struct manifest *manifest)
{
    struct js *outline = js_new_object(), *slots = js_new_array();

    js_set(outline, "pod", names_of(manifest->pod_name, manifest->pod_namespace));
    js_set_string(outline, "restart_policy", manifest_restart_name(manifest->restart));
    js_set(outline, "service_environment", js_new_boolean(manifest->service_environment));
    js_set(outline, "volumes", js_copy(js_get(manifest->root, "volumes")));
    js_set(outline, "containers", slots);
    for (size_t i = 0; i < manifest->slot_count; i++) {
        struct js *slot = js_new_object();

        js_set_string(slot, "name", manifest->slots[i].name);
        js_set_string(slot, "kind", manifest_kind_name(manifest->slots[i].kind));
        js_append(slots, slot);
    }
    return outline;
}

static int compare_outline(const struct manifest *manifest, const struct js *pod, struct error *err)
{
    scoped(js_freep) struct js *is = outline_of_manifest(manifest), *expected = NULL;

    if (outline_of_pod(pod, &expected, err) < 0 || compare(is, expected, err) < 0)
        return -1;
    puts("names, containers, volumes and restart policy are the pod's; what its images say was not "
         "looked at (--layout)");
    return 0;
}

/* ---- the verb ------------------------------------------------------------------------------ */

static void say_manifest(const struct manifest *manifest)
{
    scoped(freep) char *digest = hex_text(manifest->digest, sizeof(manifest->digest));

    printf("digest %s\n", digest);
    printf("pod %s/%s, %zu container%s%s\n", manifest->pod_namespace, manifest->pod_name,
           manifest->slot_count, manifest->slot_count == 1 ? "" : "s",
           manifest->debug ? ", debug: any exec, and containers that are not in the manifest" : "");
}

static int verify(const struct query *query, struct error *err)
{
    scoped(manifest_freep) struct manifest *manifest = NULL;
    scoped(js_freep) struct js *half = NULL, *pod = NULL;

    if (sealed_file_read(query->path, &manifest, &half, err) < 0)
        return -1;
    if (!half)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "'%s' is a manifest, and there is no Pod to compare it with: give the Pod "
                         "that carries it",
                         query->path);
    say_manifest(manifest);
    halves_strip(half);
    if (describe_check(half, err) < 0 || halves_normalise(half, &pod, err) < 0)
        return -1;
    defaults_apply(pod);
    return query->layouts.count ? compare_whole(query, manifest, pod, err)
                                : compare_outline(manifest, pod, err);
}

static int fail(const struct error *err)
{
    (void) fflush(stdout);
    fprintf(stderr, "cleave verify: %s\n", err->message);
    return EXIT_FAILURE;
}

int verify_main(int argc, char *argv[])
{
    static const struct option options[] = {{"layout", required_argument, NULL, 'l'},
                                            {"seccomp", required_argument, NULL, 's'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct query query = {0};
    struct error err;
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (option == 's')
            query.seccomp = optarg;
        else if (option != 'l')
            return usage(option == 'h' ? stdout : stderr);
        else if (layouts_add(&query.layouts, optarg, &err) < 0)
            return fail(&err);
    }
    if (argc - optind != 1)
        return usage(stderr);
    query.path = argv[optind];
    return verify(&query, &err) < 0 ? fail(&err) : EXIT_SUCCESS;
}
