/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/bootstrap.h"

#include <limits.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "base/text.h"
#include "shim/bundle.h"
#include "shiminfo.pb-c.h"

#define SOCKET_DIRECTORY "/run/containerd/s"

enum flag_kind { FLAG_VALUE, FLAG_SWITCH };

struct flag {
    const char *name;
    enum flag_kind kind;
    size_t offset;
};

/* Go's flag package knows no difference between one dash and two. */
static const struct flag flags[] = {
    {"namespace", FLAG_VALUE, offsetof(struct bootstrap, ns)},
    {"id", FLAG_VALUE, offsetof(struct bootstrap, id)},
    {"bundle", FLAG_VALUE, offsetof(struct bootstrap, bundle)},
    {"address", FLAG_VALUE, offsetof(struct bootstrap, address)},
    {"publish-binary", FLAG_VALUE, offsetof(struct bootstrap, publish_binary)},
    {"socket", FLAG_VALUE, offsetof(struct bootstrap, socket)},
    {"debug-socket", FLAG_VALUE, offsetof(struct bootstrap, debug_socket)},
    {"debug", FLAG_SWITCH, offsetof(struct bootstrap, debug)},
    {"info", FLAG_SWITCH, offsetof(struct bootstrap, info)},
    {"v", FLAG_SWITCH, offsetof(struct bootstrap, version)},
};

static const struct flag *find_flag(const char *name, size_t length)
{
    for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
        if (strlen(flags[i].name) == length && memcmp(flags[i].name, name, length) == 0)
            return &flags[i];
    }
    return NULL;
}

static int parse_switch(const char *text, bool *ret)
{
    if (!text || text_equal(text, "true") || text_equal(text, "1"))
        *ret = true;
    else if (text_equal(text, "false") || text_equal(text, "0"))
        *ret = false;
    else
        return -1;
    return 0;
}

/* One flag at argv[*index]; steps over its value. */
static int parse_flag(struct bootstrap *bootstrap, char *argv[], int *index, struct error *err)
{
    const char *word = argv[*index];
    const char *name = word + (word[1] == '-' ? 2 : 1);
    size_t length = strcspn(name, "=");
    const char *value = name[length] ? name + length + 1 : NULL;
    const struct flag *flag = find_flag(name, length);
    void *field;

    if (!flag)
        return error_set(err, STATUS_INVALID_ARGUMENT, "unknown flag '%s'", word);
    field = (char *) bootstrap + flag->offset;
    if (flag->kind == FLAG_SWITCH) {
        if (parse_switch(value, field) < 0)
            return error_set(err, STATUS_INVALID_ARGUMENT, "flag '%s' is true or false", word);
        return 0;
    }
    if (!value)
        value = argv[++*index];
    if (!value)
        return error_set(err, STATUS_INVALID_ARGUMENT, "flag '%s' lacks its value", word);
    *(const char **) field = value;
    return 0;
}

static int parse_verb(struct bootstrap *bootstrap, const char *word, struct error *err)
{
    if (bootstrap->info)
        bootstrap->verb = VERB_INFO;
    else if (bootstrap->version)
        bootstrap->verb = VERB_VERSION;
    else if (!word || text_equal(word, "serve"))
        bootstrap->verb = VERB_SERVE;
    else if (text_equal(word, "start"))
        bootstrap->verb = VERB_START;
    else if (text_equal(word, "delete"))
        bootstrap->verb = VERB_DELETE;
    else
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "unknown verb '%s'; this program is started by containerd", word);
    return 0;
}

static const char *or_environment(const char *value, const char *name)
{
    if (!value)
        value = getenv(name);
    return value ? value : "";
}

static int check(const struct bootstrap *bootstrap, struct error *err)
{
    if (bootstrap->verb == VERB_INFO || bootstrap->verb == VERB_VERSION)
        return 0;
    if (!text_is_identifier(bootstrap->ns))
        return error_set(err, STATUS_INVALID_ARGUMENT, "-namespace '%s' is not an identifier",
                         bootstrap->ns);
    if (!text_is_identifier(bootstrap->id))
        return error_set(err, STATUS_INVALID_ARGUMENT, "-id '%s' is not an identifier",
                         bootstrap->id);
    return 0;
}

int bootstrap_parse(int argc, char *argv[], struct bootstrap *ret, struct error *err)
{
    struct bootstrap bootstrap = {0};
    int i = 1;

    while (i < argc && argv[i][0] == '-' && argv[i][1] != '\0') {
        if (parse_flag(&bootstrap, argv, &i, err) < 0)
            return -1;
        i++;
    }
    if (parse_verb(&bootstrap, i < argc ? argv[i] : NULL, err) < 0)
        return -1;
    bootstrap.ns = or_environment(bootstrap.ns, "NAMESPACE");
    bootstrap.address = or_environment(bootstrap.address, "GRPC_ADDRESS");
    bootstrap.ttrpc_address = or_environment(NULL, "TTRPC_ADDRESS");
    if (!bootstrap.id)
        bootstrap.id = "";
    if (!bootstrap.publish_binary)
        bootstrap.publish_binary = "";
    if (!bootstrap.socket)
        bootstrap.socket = "";
    if (check(&bootstrap, err) < 0)
        return -1;
    bootstrap.owned_bundle = bootstrap.bundle ? realpath(bootstrap.bundle, NULL)
                                              : realpath(".", NULL);
    /* `delete` may come when the bundle is gone: its name still says whose it was. */
    if (!bootstrap.owned_bundle)
        bootstrap.owned_bundle = xstrdup(bootstrap.bundle ? bootstrap.bundle : "");
    bootstrap.bundle = bootstrap.owned_bundle;
    *ret = bootstrap;
    return 0;
}

void bootstrap_clear(struct bootstrap *bootstrap)
{
    free(bootstrap->owned_bundle);
    *bootstrap = (struct bootstrap){0};
}

int bootstrap_socket(const struct bootstrap *bootstrap, const char *directory, const char *group,
                     char ret[BOOTSTRAP_SOCKET_SIZE], struct error *err)
{
    scoped(freep) char *name = xformat("cleave\n%s\n%s\n%s", bootstrap->address, bootstrap->ns,
                                       group);
    uint8_t digest[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];

    digest_sha256(name, strlen(name), digest);
    hex_encode(digest, sizeof(digest), hex);
    return text_format(ret, BOOTSTRAP_SOCKET_SIZE, err, "%s/%s",
                       directory ? directory : SOCKET_DIRECTORY, hex);
}

char *bootstrap_answer(const char *bundle, const char *socket)
{
    if (bundle_is_sandbox_controller(bundle))
        return xformat("{\"version\":3,\"address\":\"unix://%s\",\"protocol\":\"ttrpc\"}\n",
                       socket);
    return xformat("unix://%s\n", socket);
}

static void copy_any(const Ttrpc__Any *any, struct bootstrap_options *ret)
{
    if (!any || !any->type_url || !*any->type_url)
        return;
    ret->type_url = xstrdup(any->type_url);
    text_make_utf8(ret->type_url);
    ret->length = any->value.len;
    ret->value = xmemdup(any->value.data, any->value.len);
}

/* Both messages begin with a string in field 1: of BootstrapParams it is the id. */
void bootstrap_read_options(const uint8_t *data, size_t length, const char *id,
                            struct bootstrap_options *ret)
{
    Shiminfo__BootstrapParams *params = shiminfo__bootstrap_params__unpack(NULL, length, data);

    *ret = (struct bootstrap_options){0};
    if (params && text_equal(params->instance_id, id)) {
        for (size_t i = 0; i < params->n_extensions && !ret->type_url; i++)
            copy_any(params->extensions[i]->value, ret);
        if (params->socket_dir[0] == '/')
            ret->socket_directory = xstrdup(params->socket_dir);
    } else {
        Ttrpc__Any *any = ttrpc__any__unpack(NULL, length, data);

        copy_any(any, ret);
        if (any)
            ttrpc__any__free_unpacked(any, NULL);
    }
    if (params)
        shiminfo__bootstrap_params__free_unpacked(params, NULL);
}

void bootstrap_options_clear(struct bootstrap_options *options)
{
    free(options->type_url);
    free(options->value);
    free(options->socket_directory);
    *options = (struct bootstrap_options){0};
}
