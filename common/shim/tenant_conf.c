/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/tenant_conf.h"

#include "base/config.h"
#include "base/dial_out.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "base/text.h"

#define KEY(t, k, ty, field, lo, hi, text)                                                         \
    {                                                                                              \
        .table = t, .key = k, .type = ty, .offset = offsetof(struct tenant_conf, field),           \
        .min = lo, .max = hi, .initial = text                                                      \
    }

#define MIB (INT64_C(1) << 20)
#define TIB (INT64_C(1) << 40)

static const struct config_key keys[] = {
    KEY("", "provisioner", CONFIG_STRING, provisioner, 0, 0, "\"cri\""),
    KEY("", "evidence", CONFIG_STRING, evidence, 0, 0, "\"snp\""),
    KEY("", "allow_insecure_evidence", CONFIG_STRINGS, allow_insecure, 0, 0, "[]"),
    KEY("", "reference_values", CONFIG_STRING, reference_values, 0, 0,
        "\"/etc/cleave/reference-values.json\""),
    KEY("", "reference_keys", CONFIG_STRING, reference_keys, 0, 0,
        "\"/etc/cleave/reference-keys.pem\""),
    KEY("", "endorsements", CONFIG_STRING, endorsements, 0, 0, "\"/etc/cleave/endorsements\""),
    KEY("", "vendor_roots", CONFIG_STRING, vendor_roots, 0, 0, "\"\""),
    KEY("", "peers", CONFIG_STRINGS, peers, 0, 0, "[]"),
    KEY("", "default_vcpus", CONFIG_INTEGER, default_vcpus, 1, 512, "1"),
    KEY("", "default_memory", CONFIG_SIZE, default_memory, 128 * MIB, TIB, "\"512MiB\""),
    KEY("", "network", CONFIG_STRING, network, 0, 0, "\"\""),
    KEY("", "guest_root", CONFIG_BOOLEAN, guest_root, 0, 0, "false"),
    KEY("", "kubelet_root", CONFIG_STRING, kubelet_root, 0, 0, "\"/var/lib/kubelet\""),
    KEY("", "live_shares", CONFIG_BOOLEAN, live_shares, 0, 0, "true"),
    KEY("", "open_pods", CONFIG_BOOLEAN, open_pods, 0, 0, "true"),
    KEY("", "create_timeout", CONFIG_INTEGER, create_timeout, 1, 210, "210"),
    KEY("", "dial_timeout", CONFIG_INTEGER, dial_timeout, 1, 10, "10"),
    KEY("", "lease_ttl", CONFIG_INTEGER, lease_ttl, 4, 600, "60"),
    KEY("", "lease_power_off", CONFIG_INTEGER, lease_power_off, 4, 600, "600"),
    KEY("", "lost_timeout", CONFIG_INTEGER, lost_timeout, 1, 86400, "720"),
    KEY("", "request_timeout", CONFIG_INTEGER, request_timeout, 1, 600, "60"),
    KEY("", "pad_blobs", CONFIG_BOOLEAN, pad_blobs, 0, 0, "true"),
    KEY("transport", "name", CONFIG_STRING, transport, 0, 0, "\"\""),
    KEY("transport", "address", CONFIG_STRING, transport_address, 0, 0, "\"\""),
    KEY("transport", "port", CONFIG_INTEGER, transport_port, 0, 65535, "0"),
    KEY("transport", "ports", CONFIG_INTEGER, transport_ports, 1, 65535, "64"),
    KEY("cri", "endpoint", CONFIG_STRING, cri_endpoint, 0, 0,
        "\"/run/cleave/host-containerd.sock\""),
    KEY("cri", "runtime_handler", CONFIG_STRING, cri_runtime_handler, 0, 0, "\"cleave-host\""),
    KEY("static", "directory", CONFIG_STRING, static_directory, 0, 0, "\"/etc/cleave/static\""),
    KEY("stub", "guest", CONFIG_STRING, stub_guest, 0, 0, "\"\""),
    KEY("stub", "agent", CONFIG_STRING, stub_agent, 0, 0, "\"\""),
    KEY("stub", "root", CONFIG_STRING, stub_root, 0, 0, "\"\""),
};

static int check_peers(char *const *peers, struct error *err)
{
    struct tenant_conf_peer seen[TENANT_CONF_PEERS_MAX];
    size_t count = 0;

    for (; peers && peers[count]; count++) {
        if (count == TENANT_CONF_PEERS_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT, "peers has more than %d entries",
                             TENANT_CONF_PEERS_MAX);
        if (tenant_conf_peer(peers[count], &seen[count], err) < 0)
            return -1;
        for (size_t i = 0; i < count; i++)
            if (memcmp(seen[i].spki, seen[count].spki, sizeof(seen[i].spki)) == 0)
                return error_set(err, STATUS_INVALID_ARGUMENT, "peers names the key of '%s' twice",
                                 peers[count]);
    }
    return 0;
}

/* Whose working directory would be meant is nobody's guess. */
static int check_paths(const struct tenant_conf *conf, struct error *err)
{
    const struct {
        const char *key, *value;
        bool needed;
    } paths[] = {
        {"reference_values", conf->reference_values, true},
        {"reference_keys", conf->reference_keys, true},
        {"endorsements", conf->endorsements, false},
        {"vendor_roots", conf->vendor_roots, false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++)
        if (paths[i].value[0] ? paths[i].value[0] != '/' : paths[i].needed)
            return error_set(err, STATUS_INVALID_ARGUMENT, "%s is '%s': it is an absolute path",
                             paths[i].key, paths[i].value);
    return 0;
}

/* The address goes to the guest as it stands here. */
static int check_dialled(const struct tenant_conf *conf, struct error *err)
{
    struct dial_out ignored;

    if (conf->transport_address[0] == '\0')
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "transport dial-out needs transport.address: the address of this node "
                         "that guests dial");
    if (dial_out_make(conf->transport_address, 1, &ignored, err) < 0)
        return error_wrap(err, "transport.address");
    if (conf->transport_port && conf->transport_port + conf->transport_ports - 1 > UINT16_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "transport.port %lld and the %lld transport.ports from there go beyond "
                         "65535",
                         (long long) conf->transport_port, (long long) conf->transport_ports);
    return 0;
}

static bool is_transport(const char *name)
{
    return name[0] == '\0' || text_equal(name, "direct") || text_equal(name, "relay") ||
           text_equal(name, "dial-out");
}

/* What the key table cannot say. */
static int check(const char *name, const struct tenant_conf *conf, struct error *err)
{
    if (conf->provisioner[0] == '\0')
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s: provisioner is empty", name);
    if (conf->network[0] && !text_equal(conf->network, "tenant") &&
        !text_equal(conf->network, "host") && !text_equal(conf->network, "none"))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%s: network is '%s': it is \"tenant\", \"host\" or \"none\"", name,
                         conf->network);
    if (!is_transport(conf->transport))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%s: transport.name is '%s': it can be direct, relay or dial-out", name,
                         conf->transport);
    if (tenant_conf_is_dialled(conf) && check_dialled(conf, err) < 0)
        return error_wrap(err, "%s", name);
    if (conf->lost_timeout <= conf->lease_ttl + conf->lease_power_off)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%s: lost_timeout is %d: it must exceed lease_ttl and lease_power_off "
                         "together (%d), or a pod counts as dead while its guest may still run",
                         name, (int) conf->lost_timeout,
                         (int) (conf->lease_ttl + conf->lease_power_off));
    if (conf->kubelet_root[0] != '/' || text_ends(conf->kubelet_root, "/"))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%s: kubelet_root is '%s': it is an absolute path without a slash behind",
                         name, conf->kubelet_root);
    if (check_paths(conf, err) < 0 || check_peers(conf->peers, err) < 0)
        return error_wrap(err, "%s", name);
    return 0;
}

bool tenant_conf_is_dialled(const struct tenant_conf *conf)
{
    return text_equal(conf->transport, "dial-out");
}

const char *tenant_conf_network(const struct tenant_conf *conf)
{
    return conf->network[0] ? conf->network : "tenant";
}

const struct config_key *tenant_conf_keys(size_t *ret_count)
{
    *ret_count = ARRAY_LENGTH(keys);
    return keys;
}

static int finish(const char *name, struct tenant_conf *conf, struct tenant_conf *ret,
                  struct error *err)
{
    if (check(name, conf, err) < 0) {
        tenant_conf_fini(conf);
        return -1;
    }
    *ret = *conf;
    return 0;
}

int tenant_conf_load(const char *path, struct tenant_conf *ret, struct error *err)
{
    struct tenant_conf conf = {0};

    if (config_load(path, keys, ARRAY_LENGTH(keys), &conf, err) < 0 &&
        err->status != STATUS_NOT_FOUND) {
        tenant_conf_fini(&conf);
        return -1;
    }
    return finish(path, &conf, ret, err);
}

int tenant_conf_parse(const char *text, struct tenant_conf *ret, struct error *err)
{
    struct tenant_conf conf = {0};

    if (config_parse("tenant.conf", text, keys, ARRAY_LENGTH(keys), &conf, err) < 0) {
        tenant_conf_fini(&conf);
        return -1;
    }
    return finish("tenant.conf", &conf, ret, err);
}

void tenant_conf_fini(struct tenant_conf *conf)
{
    config_clear(keys, ARRAY_LENGTH(keys), conf);
}

int tenant_conf_peer(const char *entry, struct tenant_conf_peer *ret, struct error *err)
{
    static const char *const roles[] = {"control", "observe", "audit"};
    const char *colon = strchr(entry, ':');
    struct tenant_conf_peer peer = {0};

    for (size_t i = 0; colon && i < ARRAY_LENGTH(roles); i++)
        if (strlen(roles[i]) == (size_t) (colon - entry) && text_starts(entry, roles[i]))
            memcpy(peer.role, roles[i], strlen(roles[i]));
    if (!peer.role[0])
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "peers: '%s' begins with none of control:, observe:, audit:", entry);
    if (hex_decode(colon + 1, peer.spki, sizeof(peer.spki), err) < 0)
        return error_wrap(err, "peers: '%s'", entry);
    *ret = peer;
    return 0;
}
