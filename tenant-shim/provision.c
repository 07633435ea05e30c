/* SPDX-License-Identifier: Apache-2.0 */
#include "provision.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/dial_out.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"
#include "io/child.h"
#include "pod_config.h"
#include "program.h"
#include "sealed/manifest.h"
#include "shim/tenant_conf.h"

enum { ID_DIGITS = 32 };

struct provision {
    struct child *child;
    const char *verb;
    provision_done_fn *done;
    void *user;
};

void provision_answer_clear(struct provision_answer *answer)
{
    free(answer->sandbox_id);
    free(answer->initdata_path);
    free(answer->key_path);
    free(answer->host_id);
    free(answer->transport);
    free(answer->address);
    *answer = (struct provision_answer){0};
}

int provision_find(const char *name, char **ret, struct error *err)
{
    scoped(freep) char *file = NULL;
    char *found;

    if (name[0] == '/') {
        if (!program_is(name))
            return error_set(err, STATUS_NOT_FOUND, "provisioner '%s' cannot be run", name);
        *ret = xstrdup(name);
        return 0;
    }
    if (!text_is_identifier(name))
        return error_set(err, STATUS_INVALID_ARGUMENT, "provisioner '%s' is no name", name);
    file = xformat("cleave-provision-%s", name);
    found = program_find(file);
    if (!found)
        return error_set(err, STATUS_NOT_FOUND,
                         "no program '%s' beside the shim or in PATH (provisioner = \"%s\")", file,
                         name);
    *ret = found;
    return 0;
}

/* ---- what it says -----------------------------------------------------------------------------
 */

static int parse_endpoint(const struct js *root, struct provision_answer *answer, struct error *err)
{
    const struct js *endpoint = js_at(js_get(root, "endpoints"), 0);
    const char *transport, *address;
    int64_t port = js_get_integer(endpoint, "port", 0);

    if (!endpoint)
        return error_set(err, STATUS_INTERNAL, "no endpoint");
    if (js_need_string(endpoint, "transport", &transport, err) < 0 ||
        js_need_string(endpoint, "address", &address, err) < 0)
        return -1;
    if (port < 0 || port > 65535)
        return error_set(err, STATUS_INTERNAL, "the endpoint's port is out of range");
    answer->transport = xstrdup(transport);
    answer->address = xstrdup(address);
    answer->port = (uint16_t) port;
    return 0;
}

static int parse_answer(const struct js *root, struct provision_answer *answer, struct error *err)
{
    const char *sandbox_id, *initdata, *key, *host_id = js_get_string(root, "host_id");

    if (js_need_string(root, "sandbox_id", &sandbox_id, err) < 0 ||
        js_need_string(root, "initdata_path", &initdata, err) < 0 ||
        js_need_string(root, "key_path", &key, err) < 0 || parse_endpoint(root, answer, err) < 0)
        return -1;
    if (strlen(sandbox_id) != ID_DIGITS || strspn(sandbox_id, "0123456789abcdef") != ID_DIGITS)
        return error_set(err, STATUS_INTERNAL, "sandbox_id is not 32 hex digits");
    answer->sandbox_id = xstrdup(sandbox_id);
    answer->initdata_path = xstrdup(initdata);
    answer->key_path = xstrdup(key);
    answer->host_id = xstrdup(host_id ? host_id : "");
    return 0;
}

int provision_parse(const char *text, size_t length, struct provision_answer *ret,
                    struct error *err)
{
    scoped(js_freep) struct js *root = NULL;
    struct provision_answer answer = {0};

    if (js_parse(text, length, &root, err) < 0)
        return error_wrap(err, "the provisioner's answer");
    if (parse_answer(root, &answer, err) < 0) {
        provision_answer_clear(&answer);
        return error_wrap(err, "the provisioner's answer");
    }
    *ret = answer;
    return 0;
}

static int parse_status(const char *text, size_t length, struct provision_answer *ret,
                        struct error *err)
{
    scoped(js_freep) struct js *root = NULL;
    const char *state;

    if (js_parse(text, length, &root, err) < 0)
        return error_wrap(err, "the provisioner's answer");
    state = js_get_string(root, "state");
    if (text_equal(state, "running"))
        ret->state = PROVISION_RUNS;
    else if (text_equal(state, "stopped") || text_equal(state, "absent"))
        ret->state = PROVISION_GONE;
    return 0;
}

static int parse_result(const struct provision *provision, const struct child_result *result,
                        struct provision_answer *ret, struct error *err)
{
    if (text_equal(provision->verb, "create"))
        return provision_parse(result->output, result->output_length, ret, err);
    if (text_equal(provision->verb, "status"))
        return parse_status(result->output, result->output_length, ret, err);
    return 0;
}

/* Exit 1 comes with {code, message} on stdout; anything else is explained by its stderr. */
static int explain(const struct child_result *result, struct error *err)
{
    scoped(js_freep) struct js *root = NULL;
    struct error ignored;
    const char *message = NULL;
    int64_t code = STATUS_INTERNAL;
    char text[256];

    if (!result->timed_out && !result->overflowed && result->output_length > 0 &&
        js_parse(result->output, result->output_length, &root, &ignored) == 0) {
        message = js_get_string(root, "message");
        code = js_get_integer(root, "code", STATUS_INTERNAL);
    }
    if (message && code > 0 && code <= STATUS_UNAUTHENTICATED)
        return error_set(err, (enum status) code, "provisioner: %s", message);
    if (message)
        return error_set(err, STATUS_INTERNAL, "provisioner: %s", message);
    child_explain(result, text, sizeof(text));
    return error_set(err, result->timed_out ? STATUS_DEADLINE_EXCEEDED : STATUS_INTERNAL,
                     "provisioner: %s", text);
}

static void on_done(void *user, const struct child_result *result)
{
    struct provision *provision = user;
    struct provision_answer answer = {0};
    struct error err;
    int r;

    if (result->timed_out || result->overflowed || !WIFEXITED(result->wait_status) ||
        WEXITSTATUS(result->wait_status) != 0)
        r = explain(result, &err);
    else
        r = parse_result(provision, result, &answer, &err);
    if (r < 0)
        provision->done(provision->user, NULL, &err);
    else
        provision->done(provision->user, &answer, NULL);
    provision_answer_clear(&answer);
}

/* ---- what it is told --------------------------------------------------------------------------
 */

static struct js *input_new(const char *cri_sandbox_id)
{
    struct js *input = js_new_object();

    js_set_integer(input, "version", 1);
    js_set_string(input, "cri_sandbox_id", cri_sandbox_id);
    return input;
}

char *provision_delete_input(const char *cri_sandbox_id)
{
    scoped(js_freep) struct js *input = input_new(cri_sandbox_id);

    return js_print(input);
}

static struct js *describe_dial_out(const struct dial_out *to)
{
    struct js *object = js_new_object();
    char address[DIAL_OUT_TEXT_SIZE];

    dial_out_print_address(to, address);
    js_set_string(object, "address", address);
    js_set_integer(object, "port", to->port);
    return object;
}

static void describe_manifest(const struct manifest *manifest, struct js *input)
{
    char digest[2 * MANIFEST_DIGEST_SIZE + 1];

    hex_encode(manifest->digest, MANIFEST_DIGEST_SIZE, digest);
    js_set_string(input, "manifest_digest", digest);
}

static char *create_input(const struct provision_options *options, const struct pod_config *config,
                          const struct tenant_conf *conf)
{
    scoped(js_freep) struct js *input = input_new(options->cri_sandbox_id);

    js_set_string(input, "name", config->name);
    js_set_string(input, "namespace", config->pod_namespace);
    js_set_integer(input, "vcpus", config->vcpus);
    js_set_integer(input, "memory", (int64_t) config->memory);
    js_set_string(input, "network", tenant_conf_network(conf));
    js_set_string(input, "evidence", conf->evidence);
    js_set(input, "guest_root", js_new_boolean(config->guest_root));
    if (config->endpoint)
        js_set_string(input, "endpoint", config->endpoint);
    if (config->manifest)
        describe_manifest(config->manifest, input);
    if (options->dial_out)
        js_set(input, "dial_out", describe_dial_out(options->dial_out));
    return js_print(input);
}

/* A configuration of our own goes along by name. A `create` whose shim is killed must not go on for
 * minutes, with the lock that `delete` waits for; a `delete` may well finish. */
void provision_command_make(const struct provision_options *options, const char *verb,
                            struct provision_command *ret)
{
    struct provision_command command = {.wrapper = program_in_path("setpriv")};
    size_t n = 0;

    if (options->conf_path && !text_equal(options->conf_path, TENANT_CONF_PATH)) {
        command.environment = xformat("CLEAVE_TENANT_CONF=%s", options->conf_path);
        command.argv[n++] = "env";
        command.argv[n++] = command.environment;
    }
    if (command.wrapper && text_equal(verb, "create")) {
        command.argv[n++] = command.wrapper;
        command.argv[n++] = "--pdeathsig";
        command.argv[n++] = "KILL";
    }
    command.argv[n++] = options->program;
    command.argv[n] = verb;
    *ret = command;
}

void provision_command_clear(struct provision_command *command)
{
    free(command->environment);
    free(command->wrapper);
}

struct run {
    const char *verb;
    const char *input;
};

static int start(struct loop *loop, const struct provision_options *options, const struct run *run,
                 provision_done_fn *done, void *user, struct provision **ret, struct error *err)
{
    scoped(provision_command_clear) struct provision_command command = {0};
    struct child_options child = {.argv = command.argv,
                                  .input = run->input,
                                  .input_length = strlen(run->input),
                                  .deadline_ms = options->deadline_ms ? options->deadline_ms : 1};
    struct provision *provision = xnew(struct provision);

    provision_command_make(options, run->verb, &command);
    provision->verb = run->verb;
    provision->done = done;
    provision->user = user;
    if (child_start(loop, &child, on_done, provision, &provision->child, err) < 0) {
        free(provision);
        return error_wrap(err, "provisioner '%s'", options->program);
    }
    *ret = provision;
    return 0;
}

int provision_create(struct loop *loop, const struct provision_options *options,
                     const struct pod_config *config, const struct tenant_conf *conf,
                     provision_done_fn *done, void *user, struct provision **ret, struct error *err)
{
    scoped(freep) char *input = create_input(options, config, conf);
    struct run run = {"create", input};

    return start(loop, options, &run, done, user, ret, err);
}

int provision_delete(struct loop *loop, const struct provision_options *options,
                     provision_done_fn *done, void *user, struct provision **ret, struct error *err)
{
    scoped(freep) char *input = provision_delete_input(options->cri_sandbox_id);
    struct run run = {"delete", input};

    return start(loop, options, &run, done, user, ret, err);
}

int provision_status(struct loop *loop, const struct provision_options *options,
                     provision_done_fn *done, void *user, struct provision **ret, struct error *err)
{
    scoped(freep) char *input = provision_delete_input(options->cri_sandbox_id);
    struct run run = {"status", input};

    return start(loop, options, &run, done, user, ret, err);
}

void provision_free(struct provision *provision)
{
    if (!provision)
        return;
    child_free(provision->child);
    free(provision);
}
