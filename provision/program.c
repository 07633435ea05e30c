/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "shim/tenant_conf.h"

enum { REQUEST_MAX = 64 * 1024, VERSION = 1, GUEST_PORT = 7433 };

static const char *const verb_names[] = {"create", "status", "delete", "mint"};

static provision_fn *find_verb(const struct provisioner *provisioner, const char *verb)
{
    provision_fn *const fns[] = {provisioner->create, provisioner->status, provisioner->destroy,
                                 provisioner->mint};

    for (size_t i = 0; i < ARRAY_LENGTH(verb_names); i++)
        if (text_equal(verb, verb_names[i]))
            return fns[i];
    return NULL;
}

static int read_dial_out(const struct js *object, struct dial_out *ret, struct error *err)
{
    static const char *const keys[] = {"address", "port", NULL};
    const char *address;
    int64_t port;

    if (js_only(object, keys, err) < 0 || js_need_string(object, "address", &address, err) < 0 ||
        js_need_integer(object, "port", 1, UINT16_MAX, &port, err) < 0)
        return error_wrap(err, "dial_out");
    return dial_out_make(address, (uint16_t) port, ret, err);
}

/* Absent: the pod is open. */
static int read_manifest_digest(const struct js *root, struct provision_request *request,
                                struct error *err)
{
    const char *text;

    if (!js_get(root, "manifest_digest"))
        return 0;
    if (js_need_string(root, "manifest_digest", &text, err) < 0)
        return -1;
    if (hex_decode(text, request->manifest_digest, sizeof(request->manifest_digest), err) < 0)
        return error_wrap(err, "manifest_digest");
    request->is_sealed = true;
    return 0;
}

/* What create and mint have. */
static int read_description(const struct js *root, struct provision_request *request,
                            struct error *err)
{
    int64_t vcpus, memory;

    if (js_need_string(root, "name", &request->pod_name, err) < 0 ||
        js_need_string(root, "namespace", &request->pod_namespace, err) < 0 ||
        js_need_string(root, "network", &request->network, err) < 0 ||
        js_need_string(root, "evidence", &request->evidence, err) < 0 ||
        js_need_integer(root, "vcpus", 1, 1024, &vcpus, err) < 0 ||
        js_need_integer(root, "memory", INT64_C(1) << 20, INT64_C(1) << 44, &memory, err) < 0)
        return -1;
    if (js_get(root, "guest_root") && js_type(js_get(root, "guest_root")) != JS_BOOLEAN)
        return error_set(err, STATUS_INVALID_ARGUMENT, "guest_root is not true or false");
    request->guest_root = js_get_boolean(root, "guest_root", false);
    request->vcpus = (uint32_t) vcpus;
    request->memory = (uint64_t) memory;
    return read_manifest_digest(root, request, err);
}

static int read_create(const struct js *root, struct provision_request *request, struct error *err)
{
    static const char *const keys[] = {
        "version",  "cri_sandbox_id",  "name",     "namespace",  "vcpus",
        "memory",   "network",         "evidence", "guest_root", "endpoint",
        "dial_out", "manifest_digest", NULL};

    if (js_only(root, keys, err) < 0 || read_description(root, request, err) < 0)
        return -1;
    if (js_get(root, "endpoint") && js_need_string(root, "endpoint", &request->endpoint, err) < 0)
        return -1;
    return js_get(root, "dial_out")
               ? read_dial_out(js_get(root, "dial_out"), &request->dial_out, err)
               : 0;
}

static int read_mint(const struct js *root, struct provision_request *request, struct error *err)
{
    static const char *const keys[] = {"version",         "name",    "namespace", "vcpus",
                                       "memory",          "network", "evidence",  "guest_root",
                                       "manifest_digest", NULL};

    return js_only(root, keys, err) < 0 ? -1 : read_description(root, request, err);
}

int provision_read_request(const char *verb, const struct js *root, struct provision_request *ret,
                           struct error *err)
{
    static const char *const id_keys[] = {"version", "cri_sandbox_id", NULL};
    struct provision_request request = {0};
    int64_t version;

    if (js_need_integer(root, "version", VERSION, VERSION, &version, err) < 0)
        return -1;
    if (text_equal(verb, "mint")) {
        if (read_mint(root, &request, err) < 0)
            return -1;
        *ret = request;
        return 0;
    }
    if (js_need_string(root, "cri_sandbox_id", &request.cri_sandbox_id, err) < 0)
        return -1;
    if (!text_is_identifier(request.cri_sandbox_id)) /* it becomes a file name */
        return error_set(err, STATUS_INVALID_ARGUMENT, "cri_sandbox_id is not an identifier");
    if (text_equal(verb, "create") ? read_create(root, &request, err) < 0
                                   : js_only(root, id_keys, err) < 0)
        return -1;
    *ret = request;
    return 0;
}

void provision_answer(struct js *answer, const char *sandbox_id, const char *initdata_path,
                      const char *key_path, const char *host_id)
{
    js_set_string(answer, "sandbox_id", sandbox_id);
    js_set_string(answer, "initdata_path", initdata_path);
    js_set_string(answer, "key_path", key_path);
    js_set_string(answer, "host_id", host_id);
    js_set(answer, "endpoints", js_new_array());
}

void provision_add_dial_out(struct js *answer, const struct dial_out *dial_out)
{
    char address[DIAL_OUT_TEXT_SIZE];

    dial_out_print_address(dial_out, address);
    provision_add_endpoint(answer, "dial-out", address, dial_out->port);
}

void provision_add_endpoint(struct js *answer, const char *transport, const char *address,
                            int64_t port)
{
    struct js *endpoint = js_new_object();

    js_set_string(endpoint, "transport", transport);
    js_set_string(endpoint, "address", address);
    js_set_integer(endpoint, "port", port > 0 ? port : GUEST_PORT);
    js_append(js_get(answer, "endpoints"), endpoint);
}

static int read_stdin(struct js **ret, struct error *err)
{
    scoped(freep) char *text = xalloc(REQUEST_MAX + 1);
    size_t used = 0;
    ssize_t n;

    while ((n = read(STDIN_FILENO, text + used, REQUEST_MAX + 1 - used)) > 0) {
        used += (size_t) n;
        if (used > REQUEST_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT, "the request is larger than %d bytes",
                             REQUEST_MAX);
    }
    if (n < 0)
        return error_set(err, STATUS_INTERNAL, "stdin cannot be read");
    if (js_parse(text, used, ret, err) < 0)
        return error_wrap(err, "the request on stdin");
    return 0;
}

/* A tenant shim whose runtime has a configuration of its own says so. */
static const char *conf_path(void)
{
    const char *path = getenv("CLEAVE_TENANT_CONF");

    return path && *path == '/' ? path : TENANT_CONF_PATH;
}

static int serve(const char *verb, provision_fn *fn, struct js *answer, struct error *err)
{
    struct tenant_conf conf;
    struct provision_request request;
    scoped(js_freep) struct js *root = NULL;
    int result;

    if (read_stdin(&root, err) < 0 || provision_read_request(verb, root, &request, err) < 0 ||
        tenant_conf_load(conf_path(), &conf, err) < 0)
        return -1;
    result = fn(&request, &conf, answer, err);
    tenant_conf_fini(&conf);
    return result;
}

static int print(struct js *answer)
{
    scoped(freep) char *text = js_print(answer);

    return printf("%s\n", text) < 0 || fflush(stdout) != 0 ? -1 : 0;
}

static int usage(const struct provisioner *provisioner, FILE *to)
{
    fprintf(to,
            "%s: %s\n\nUsage: %s create|status|delete%s  (one JSON object on stdin, one on "
            "stdout)\n"
            "Configuration: $CLEAVE_TENANT_CONF, else " TENANT_CONF_PATH "\n",
            provisioner->program, provisioner->summary, provisioner->program,
            provisioner->mint ? "|mint" : "");
    if (provisioner->mint)
        fputs(
            "\nmint makes a key and initdata for a host half that is to be made by somebody else, "
            "from\n"
            "{\"version\": 1, \"namespace\": ..., \"name\": ..., \"vcpus\": 1, \"memory\": BYTES,\n"
            " \"network\": \"tenant\"|\"host\"|\"none\", \"evidence\": TYPE} and, for a sealed "
            "pod,\n"
            "\"manifest_digest\": HEX. It answers where they lie and the host half's annotations; "
            "when\n"
            "its address is known, the directory is renamed to ADDRESS:PORT beside its own "
            "parent.\n\n",
            to);
    fputs(
        "Evidence of the type \"sample\" is insecure: it proves nothing and is for development.\n",
        to);
    return to == stdout ? 0 : 1;
}

int provision_main(const struct provisioner *provisioner, int argc, char *argv[])
{
    provision_fn *fn = argc == 2 ? find_verb(provisioner, argv[1]) : NULL;
    scoped(js_freep) struct js *answer = js_new_object();
    struct error err;

    if (argc == 2 && text_equal(argv[1], "--version"))
        return printf("%s %s\n", provisioner->program, CLEAVE_VERSION) < 0;
    if (!fn)
        return usage(provisioner, argc == 2 && text_equal(argv[1], "--help") ? stdout : stderr);
    log_open(provisioner->program);
    if (serve(argv[1], fn, answer, &err) < 0) {
        js_free(answer);
        answer = js_new_object();
        js_set_integer(answer, "code", err.status);
        js_set_string(answer, "message", err.message);
        (void) print(answer);
        return 1;
    }
    return print(answer) < 0 ? 1 : 0;
}
