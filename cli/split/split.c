/* SPDX-License-Identifier: Apache-2.0 */
/* cleave split: a Pod becomes the manifest of a sealed pod and the Pod that the tenant's cluster
 * gets. Everything comes from files: no cluster and no registry is asked. */
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/random.h"
#include "base/scoped.h"
#include "base/text.h"
#include "defaults.h"
#include "describe.h"
#include "document.h"
#include "halves.h"
#include "host_half.h"
#include "layout.h"
#include "sealed/manifest.h"
#include "sealed/package.h"
#include "seccomp_profile.h"
#include "verbs.h"

enum { FILE_MODE = 0600, DIRECTORY_MODE = 0700 };

struct options {
    const char *pod;
    const char *output;
    const char *seccomp;
    const char *salt;
    struct layouts layouts;
    struct host_half_options half; /* without an anchor's image there is none */
    enum describe_flags flags;
};

static int usage(FILE *to)
{
    fputs(
        "Usage: cleave split POD --layout DIR [--layout DIR]... [--output DIR]\n"
        "                    [--anchor-image IMAGE [--host-label KEY]... [--guest-memory SIZE]]\n\n"
        "Makes of a Pod (YAML or JSON, \"-\" is standard input) the files of a sealed pod "
        "(docs/sealed-pods.md):\n\n"
        "  tenant.json      the manifest: all that its guest will run\n"
        "  tenant-pod.json  the Pod for the tenant's cluster, with the manifest as an "
        "annotation\n"
        "  host-pod.json    with --anchor-image: a shell of a Pod for the host's cluster "
        "(docs/spec-split.md);\n"
        "                   what says on which node the pod runs is then there alone\n\n"
        "and prints the manifest's digest. Images have to be pinned (NAME@sha256:...) and are read "
        "from OCI image\n"
        "layouts. What admission would add to the pod, such as a service account's token, is not "
        "in the manifest\n"
        "and is dropped in the guest; to have it, split what the cluster makes of the pod:\n"
        "  kubectl create --dry-run=server -o yaml -f pod.yaml | cleave split - ...\n\n"
        "  --layout DIR    a directory with oci-layout and blobs/ (skopeo copy --all "
        "docker://IMAGE oci:DIR)\n"
        "  --seccomp FILE  what RuntimeDefault and Localhost mean: a LinuxSeccomp object of the "
        "OCI specification\n"
        "  --debug         any exec, and containers that are not in the manifest\n"
        "  --output DIR    where to, instead of here\n"
        "  --salt HEX      the manifest's salt, 64 digits, instead of a random one: the same input "
        "gives the same\n"
        "                  manifest, and a host that knows it can guess what the digest stands "
        "for\n"
        "  --anchor-image IMAGE  of the host half's one container, which is never started\n"
        "  --host-label KEY      a label of the pod that the host half gets, too\n"
        "  --guest-memory SIZE   for the guest itself, besides what its containers may use: 512MiB "
        "if not given\n\n"
        "Exit code: 0 it is done, 1 it is not (and says why), 2 the command line was wrong.\n",
        to);
    return to == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

/* ---- the parts ----------------------------------------------------------------------------- */

static int make_salt(const char *given, char ret[2 * MANIFEST_SALT_SIZE + 1], struct error *err)
{
    uint8_t salt[MANIFEST_SALT_SIZE];

    if (!given)
        random_bytes(salt, sizeof(salt));
    else if (hex_decode(given, salt, sizeof(salt), err) < 0)
        return error_wrap(err, "--salt");
    hex_encode(salt, sizeof(salt), ret);
    return 0;
}

static void set_annotation(struct js *pod, const char *name, const char *value)
{
    struct js *metadata = js_get(pod, "metadata");

    if (js_type(js_get(metadata, "annotations")) != JS_OBJECT)
        js_set(metadata, "annotations", js_new_object());
    js_set_string(js_get(metadata, "annotations"), name, value);
}

/* Without a host half, whoever makes it decides where it runs, and the pod stays whole. */
static int make_halves(const struct options *options, const struct js *pod, struct js **ret_host,
                       struct js **ret_tenant, struct error *err)
{
    if (options->half.anchor_image)
        return halves_split(pod, &options->half, ret_host, ret_tenant, err);
    *ret_tenant = js_copy(pod);
    return 0;
}

static int write_file(const char *directory, const char *name, const char *text, struct error *err)
{
    scoped(freep) char *path = xformat("%s/%s", directory, name);

    return file_write_atomic(path, text, strlen(text), FILE_MODE, err);
}

static int write_pod(const char *directory, const char *name, const struct js *pod,
                     struct error *err)
{
    scoped(freep) char *text = js_print_canonical(pod);

    return write_file(directory, name, text, err);
}

static int write_halves(const struct options *options, const struct js *pod, const char *manifest,
                        struct error *err)
{
    scoped(js_freep) struct js *host = NULL, *tenant = NULL;
    scoped(freep) char *package = NULL;

    if (package_make(manifest, strlen(manifest), &package, err) < 0)
        return error_wrap(err, "the annotation " MANIFEST_ANNOTATION);
    if (make_halves(options, pod, &host, &tenant, err) < 0)
        return error_wrap(err, "the host half");
    set_annotation(tenant, MANIFEST_ANNOTATION, package);
    if (file_make_directories(options->output, DIRECTORY_MODE, err) < 0 ||
        write_file(options->output, "tenant.json", manifest, err) < 0 ||
        write_pod(options->output, "tenant-pod.json", tenant, err) < 0)
        return -1;
    return host ? write_pod(options->output, "host-pod.json", host, err) : 0;
}

static void say_digest(const struct manifest *manifest)
{
    scoped(freep) char *digest = hex_text(manifest->digest, sizeof(manifest->digest));

    printf("%s\n", digest);
}

/* ---- the verb ------------------------------------------------------------------------------ */

static int split(const struct options *options, struct error *err)
{
    scoped(js_freep) struct js *given = NULL, *pod = NULL, *seccomp = NULL, *description = NULL;
    scoped(manifest_freep) struct manifest *manifest = NULL;
    scoped(freep) char *text = NULL;
    char salt[2 * MANIFEST_SALT_SIZE + 1];

    if (make_salt(options->salt, salt, err) < 0 ||
        seccomp_profile_read(options->seccomp, &seccomp, err) < 0 ||
        document_read(options->pod, &given, err) < 0 || describe_check(given, err) < 0 ||
        halves_normalise(given, &pod, err) < 0)
        return -1;
    defaults_apply(pod);
    if (describe_pod(&(struct describe){.pod = pod,
                                        .layouts = &options->layouts,
                                        .seccomp = seccomp,
                                        .salt = salt,
                                        .flags = options->flags},
                     &description, err) < 0)
        return -1;
    text = js_print_canonical(description);
    /* As strictly as the guest will read it. */
    if (manifest_parse(text, strlen(text), &manifest, err) < 0)
        return error_wrap(err, "the manifest");
    if (write_halves(options, pod, text, err) < 0)
        return -1;
    say_digest(manifest);
    return 0;
}

static int add_label(struct host_half_options *half, const char *key, struct error *err)
{
    if (half->label_count == HOST_HALF_LABELS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "--host-label: more than %d",
                         HOST_HALF_LABELS_MAX);
    half->labels[half->label_count++] = key;
    return 0;
}

static int set_guest_memory(struct host_half_options *half, const char *text, struct error *err)
{
    uint64_t size;

    if (text_to_size(text, &size, err) < 0)
        return error_wrap(err, "--guest-memory");
    if (size > INT64_MAX)
        return error_set(err, STATUS_OUT_OF_RANGE, "--guest-memory: more than there can be");
    half->guest_memory = (int64_t) size;
    return 0;
}

static int take_option(struct options *options, int option, struct error *err)
{
    switch (option) {
    case 'l':
        return layouts_add(&options->layouts, optarg, err);
    case 's':
        options->seccomp = optarg;
        return 0;
    case 'd':
        options->flags |= DESCRIBE_DEBUG;
        return 0;
    case 'a':
        options->half.anchor_image = optarg;
        return 0;
    case 'b':
        return add_label(&options->half, optarg, err);
    case 'm':
        return set_guest_memory(&options->half, optarg, err);
    case 'o':
        options->output = optarg;
        return 0;
    default:
        options->salt = optarg;
        return 0;
    }
}

int split_main(int argc, char *argv[])
{
    static const struct option table[] = {{"layout", required_argument, NULL, 'l'},
                                          {"seccomp", required_argument, NULL, 's'},
                                          {"debug", no_argument, NULL, 'd'},
                                          {"output", required_argument, NULL, 'o'},
                                          {"salt", required_argument, NULL, 'x'},
                                          {"anchor-image", required_argument, NULL, 'a'},
                                          {"host-label", required_argument, NULL, 'b'},
                                          {"guest-memory", required_argument, NULL, 'm'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    struct options options = {.output = ".", .half.guest_memory = HOST_HALF_GUEST_MEMORY};
    struct error err;
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", table, NULL)) != -1) {
        if (option == 'h')
            return usage(stdout);
        if (option == '?' || option == ':')
            return usage(stderr);
        if (take_option(&options, option, &err) < 0) {
            fprintf(stderr, "cleave split: %s\n", err.message);
            return EXIT_FAILURE;
        }
    }
    if (argc - optind != 1)
        return usage(stderr);
    options.pod = argv[optind];
    host_half_new_link(options.half.link);
    if (split(&options, &err) == 0)
        return EXIT_SUCCESS;
    fprintf(stderr, "cleave split: %s\n", err.message);
    return EXIT_FAILURE;
}
