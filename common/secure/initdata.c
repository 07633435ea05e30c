/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/initdata.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "base/toml.h"

#define FORMAT_VERSION "0.1.0"

static const char *const algorithm_names[] = {"sha256", "sha384"};
static const char *const mode_names[] = {"open", "sealed"};
static const char *const network_names[] = {"tenant", "host", "none"};
static const char *const role_names[] = {NULL, "control", "observe", "audit"};

static int lookup(const char *const *names, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (names[i] && text_equal(names[i], text))
            return (int) i;
    return -1;
}

#define LOOKUP(names, text) lookup(names, ARRAY_LENGTH(names), text)

static int bad(struct error *err, const char *key, const char *value)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "initdata: %s is '%s'", key, value);
}

static int read_sandbox_id(struct initdata_content *content, const char *value, struct error *err)
{
    if (hex_decode(value, content->sandbox_id, sizeof(content->sandbox_id), err) < 0)
        return error_wrap(err, "initdata: cleave.sandbox-id");
    return 0;
}

static int read_mode(struct initdata_content *content, const char *value, struct error *err)
{
    int mode = LOOKUP(mode_names, value);

    if (mode < 0)
        return bad(err, "cleave.mode", value);
    content->mode = (enum initdata_mode) mode;
    return 0;
}

static int read_manifest(struct initdata_content *content, const char *value, struct error *err)
{
    if (hex_decode(value, content->manifest_digest, sizeof(content->manifest_digest), err) < 0)
        return error_wrap(err, "initdata: cleave.manifest-digest");
    return 0;
}

static int read_epoch(struct initdata_content *content, const char *value, struct error *err)
{
    if (!text_to_u64(value, &content->epoch))
        return bad(err, "cleave.epoch", value);
    return 0;
}

static int read_network(struct initdata_content *content, const char *value, struct error *err)
{
    int network = LOOKUP(network_names, value);

    if (network < 0)
        return bad(err, "cleave.network", value);
    content->network = (enum initdata_network) network;
    return 0;
}

static int read_peer(struct initdata_content *content, const struct js *node, struct error *err)
{
    static const char *const keys[] = {"role", "spki_sha256", NULL};
    struct peer peer;
    const char *role, *spki;

    if (js_type(node) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a peer is not an object");
    if (js_only(node, keys, err) < 0 || js_need_string(node, "role", &role, err) < 0 ||
        js_need_string(node, "spki_sha256", &spki, err) < 0 ||
        hex_decode(spki, peer.spki, sizeof(peer.spki), err) < 0)
        return -1;
    int value = LOOKUP(role_names, role);
    if (value < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "no role '%s'", role);
    peer.role = (enum peer_role) value;
    for (size_t i = 0; i < content->peer_count; i++)
        if (memcmp(content->peers[i].spki, peer.spki, sizeof(peer.spki)) == 0)
            return error_set(err, STATUS_INVALID_ARGUMENT, "a key is named twice");
    content->peers[content->peer_count++] = peer;
    return 0;
}

static int read_peers(struct initdata_content *content, const char *value, struct error *err)
{
    scoped(js_freep) struct js *list = NULL;
    bool controlled = false;

    if (js_parse(value, strlen(value), &list, err) < 0)
        return error_wrap(err, "initdata: cleave.peers");
    size_t count = js_length(list);
    if (js_type(list) != JS_ARRAY || count == 0 || count > INITDATA_PEERS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "initdata: cleave.peers is not a list of 1 to %d", INITDATA_PEERS_MAX);
    for (size_t i = 0; i < count; i++)
        if (read_peer(content, js_at(list, i), err) < 0)
            return error_wrap(err, "initdata: cleave.peers");
    for (size_t i = 0; i < count; i++)
        controlled |= content->peers[i].role == PEER_CONTROL;
    if (!controlled)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "initdata: cleave.peers names nobody with the role control");
    return 0;
}

static int read_evidence(struct initdata_limits *limits, const char *name, struct error *err)
{
    static const char *const names[] = {"snp", "tdx", "tpm", "az-snp", "az-tdx", "sample"};

    if (LOOKUP(names, name) < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "no evidence type '%s'", name);
    return text_format(limits->evidence, sizeof(limits->evidence), err, "%s", name);
}

static int read_limits(struct initdata_content *content, const char *value, struct error *err)
{
    static const char *const keys[] = {"vcpus", "memory", "guest_root", "evidence", NULL};
    struct initdata_limits *limits = &content->limits;
    scoped(js_freep) struct js *object = NULL;
    const char *evidence;
    int64_t vcpus, memory;

    if (js_parse(value, strlen(value), &object, err) < 0)
        return error_wrap(err, "initdata: cleave.limits");
    if (js_type(object) != JS_OBJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "initdata: cleave.limits is not an object");
    if (js_only(object, keys, err) < 0 ||
        js_need_integer(object, "vcpus", 1, INITDATA_VCPUS_MAX, &vcpus, err) < 0 ||
        js_need_integer(object, "memory", 1, INT64_MAX, &memory, err) < 0 ||
        js_need_string(object, "evidence", &evidence, err) < 0 ||
        read_evidence(limits, evidence, err) < 0)
        return error_wrap(err, "initdata: cleave.limits");
    if (js_type(js_get(object, "guest_root")) != JS_BOOLEAN)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "initdata: cleave.limits: guest_root is not true or false");
    limits->vcpus = (uint32_t) vcpus;
    limits->memory = (uint64_t) memory;
    limits->guest_root = js_get_boolean(object, "guest_root", false);
    return 0;
}

static const struct {
    const char *key;
    int (*read)(struct initdata_content *content, const char *value, struct error *err);
    bool optional;
} data_keys[] = {
    {"cleave.sandbox-id", read_sandbox_id, false},
    {"cleave.mode", read_mode, false},
    {"cleave.manifest-digest", read_manifest, true},
    {"cleave.peers", read_peers, false},
    {"cleave.epoch", read_epoch, false},
    {"cleave.limits", read_limits, false},
    {"cleave.network", read_network, false},
};

/* Everything in the file must be known; keys of [data] that are not ours belong to others who read
 * the same format, and are measured all the same. */
static int check_entry(const struct toml_entry *entry, struct error *err)
{
    if (entry->type != TOML_STRING)
        return error_set(err, STATUS_INVALID_ARGUMENT, "initdata: line %u: %s is not a string",
                         entry->line, entry->key);
    if (text_equal(entry->table, "") &&
        (text_equal(entry->key, "version") || text_equal(entry->key, "algorithm")))
        return 0;
    if (!text_equal(entry->table, "data"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "initdata: line %u: unknown key '%s'",
                         entry->line, entry->key);
    if (!text_starts(entry->key, "cleave."))
        return 0;
    for (size_t i = 0; i < ARRAY_LENGTH(data_keys); i++)
        if (text_equal(entry->key, data_keys[i].key))
            return 0;
    return error_set(err, STATUS_INVALID_ARGUMENT, "initdata: line %u: unknown key '%s'",
                     entry->line, entry->key);
}

/* Another digest would not stand in the hardware field as it is; sample has room for either. */
static int check_algorithm(const struct initdata_content *content, struct error *err)
{
    const char *evidence = content->limits.evidence;

    if (text_equal(evidence, "sample") || content->algorithm == initdata_algorithm_of(evidence))
        return 0;
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "initdata: algorithm is '%s', evidence %s takes %s",
                     algorithm_names[content->algorithm], evidence,
                     algorithm_names[initdata_algorithm_of(evidence)]);
}

static const char *value_of(const struct toml *toml, const char *table, const char *key)
{
    const struct toml_entry *entry = toml_find(toml, table, key);

    return entry ? entry->string : NULL;
}

static int read_head(struct initdata_content *content, const struct toml *toml, struct error *err)
{
    const char *version = value_of(toml, "", "version");
    const char *algorithm = value_of(toml, "", "algorithm");

    if (!version || !text_equal(version, FORMAT_VERSION))
        return bad(err, "version", version ? version : "missing");
    int value = algorithm ? LOOKUP(algorithm_names, algorithm) : -1;
    if (value < 0)
        return bad(err, "algorithm", algorithm ? algorithm : "missing");
    content->algorithm = (enum initdata_algorithm) value;
    return 0;
}

static int read_content(struct initdata_content *content, const struct toml *toml,
                        struct error *err)
{
    size_t count;
    const struct toml_entry *entries = toml_entries(toml, &count);

    for (size_t i = 0; i < count; i++)
        if (check_entry(&entries[i], err) < 0)
            return -1;
    if (read_head(content, toml, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LENGTH(data_keys); i++) {
        const char *value = value_of(toml, "data", data_keys[i].key);

        if (value && data_keys[i].read(content, value, err) < 0)
            return -1;
        if (!value && !data_keys[i].optional)
            return error_set(err, STATUS_INVALID_ARGUMENT, "initdata: %s is missing",
                             data_keys[i].key);
    }
    if (check_algorithm(content, err) < 0)
        return -1;
    bool has_manifest = value_of(toml, "data", "cleave.manifest-digest") != NULL;
    if (has_manifest != (content->mode == INITDATA_SEALED))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "initdata: cleave.manifest-digest goes with the mode sealed, and only so");
    return 0;
}

static char *print_peers(const struct initdata_content *content)
{
    scoped(js_freep) struct js *list = js_new_array();
    char spki[65];

    for (size_t i = 0; i < content->peer_count; i++) {
        struct js *peer = js_new_object();

        hex_encode(content->peers[i].spki, 32, spki);
        js_set_string(peer, "role", peer_role_name(content->peers[i].role));
        js_set_string(peer, "spki_sha256", spki);
        js_append(list, peer);
    }
    return js_print(list);
}

static char *print_limits(const struct initdata_limits *limits)
{
    scoped(js_freep) struct js *object = js_new_object();

    js_set_integer(object, "vcpus", limits->vcpus);
    js_set_integer(object, "memory", (int64_t) limits->memory);
    js_set(object, "guest_root", js_new_boolean(limits->guest_root));
    js_set_string(object, "evidence", limits->evidence);
    return js_print(object);
}

int initdata_parse(const void *bytes, size_t length, struct initdata **ret, struct error *err)
{
    scoped(initdata_freep) struct initdata *initdata = xnew(struct initdata);
    scoped(toml_freep) struct toml *toml = NULL;

    if (length == 0 || length > INITDATA_SIZE_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "initdata has %zu bytes, at most %d", length,
                         INITDATA_SIZE_MAX);
    initdata->bytes = xmemdup(bytes, length);
    initdata->length = length;
    if (toml_parse((const char *) initdata->bytes, length, &toml, err) < 0)
        return error_wrap(err, "initdata");
    if (read_content(&initdata->content, toml, err) < 0)
        return -1;
    digest_sha384(initdata->bytes, length, initdata->digest);
    if (initdata->content.algorithm == INITDATA_SHA256)
        digest_sha256(initdata->bytes, length, initdata->hardware_digest);
    else
        memcpy(initdata->hardware_digest, initdata->digest, sizeof(initdata->digest));
    *ret = take_ptr(initdata);
    return 0;
}

int initdata_load(const char *path, struct initdata **ret, struct error *err)
{
    scoped(freep) char *bytes = NULL;
    size_t length;

    if (file_read(path, INITDATA_SIZE_MAX, &bytes, &length, err) < 0)
        return -1;
    if (initdata_parse(bytes, length, ret, err) < 0)
        return error_wrap(err, "'%s'", path);
    return 0;
}

int initdata_make(const struct initdata_content *content, struct initdata **ret, struct error *err)
{
    char id[2 * INITDATA_SANDBOX_ID_SIZE + 1];
    char manifest[2 * sizeof(content->manifest_digest) + 1];
    scoped(freep) char *peers = print_peers(content);
    scoped(freep) char *limits = print_limits(&content->limits);
    scoped(freep) char *sealed = NULL;

    hex_encode(content->sandbox_id, sizeof(content->sandbox_id), id);
    hex_encode(content->manifest_digest, sizeof(content->manifest_digest), manifest);
    if (content->mode == INITDATA_SEALED)
        sealed = xformat("\"cleave.manifest-digest\" = \"%s\"\n", manifest);
    scoped(freep) char *text = xformat(
        "version = \"" FORMAT_VERSION "\"\n"
        "algorithm = \"%s\"\n\n"
        "[data]\n"
        "\"cleave.sandbox-id\" = \"%s\"\n"
        "\"cleave.mode\" = \"%s\"\n"
        "%s"
        "\"cleave.peers\" = '%s'\n"
        "\"cleave.epoch\" = \"%" PRIu64 "\"\n"
        "\"cleave.limits\" = '%s'\n"
        "\"cleave.network\" = \"%s\"\n",
        algorithm_names[content->algorithm], id, mode_names[content->mode], sealed ? sealed : "",
        peers, content->epoch, limits, initdata_network_name(content->network));
    return initdata_parse(text, strlen(text), ret, err);
}

void initdata_free(struct initdata *initdata)
{
    if (!initdata)
        return;
    free(initdata->bytes);
    free(initdata);
}

const struct peer *initdata_peer(const struct initdata *initdata, const uint8_t spki[32])
{
    for (size_t i = 0; i < initdata->content.peer_count; i++)
        if (memcmp(initdata->content.peers[i].spki, spki, 32) == 0)
            return &initdata->content.peers[i];
    return NULL;
}

int initdata_check_sealing(const struct initdata *initdata, const uint8_t *manifest_digest,
                           struct error *err)
{
    const struct initdata_content *content = &initdata->content;
    size_t size = sizeof(content->manifest_digest);
    scoped(freep) char *has = hex_text(content->manifest_digest, size);
    scoped(freep) char *wants = manifest_digest ? hex_text(manifest_digest, size) : NULL;

    if (!wants && content->mode == INITDATA_SEALED)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "the initdata is sealed with manifest %s, and the pod is open: it has no "
                         "annotation cleave.dev/manifest",
                         has);
    if (wants && content->mode == INITDATA_OPEN)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "the initdata says open, and the pod is sealed with manifest %s", wants);
    if (wants && !text_equal(has, wants))
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "the initdata is sealed with manifest %s, and the pod with %s", has,
                         wants);
    return 0;
}

const char *peer_role_name(enum peer_role role)
{
    return (size_t) role < ARRAY_LENGTH(role_names) && role_names[role] ? role_names[role] : "none";
}

const char *initdata_network_name(enum initdata_network network)
{
    return network_names[network];
}

size_t initdata_digest_size(enum initdata_algorithm algorithm)
{
    return algorithm == INITDATA_SHA256 ? SHA256_SIZE : SHA384_SIZE;
}

enum initdata_algorithm initdata_algorithm_of(const char *evidence)
{
    return text_equal(evidence, "tdx") || text_equal(evidence, "sample") ? INITDATA_SHA384
                                                                         : INITDATA_SHA256;
}
