/* SPDX-License-Identifier: Apache-2.0 */
#include "minting.h"

#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "program.h"
#include "secure/mint.h"
#include "shim/tenant_conf.h"

static int network_of(const char *name, enum initdata_network *ret, struct error *err)
{
    const enum initdata_network all[] = {INITDATA_NETWORK_TENANT, INITDATA_NETWORK_HOST,
                                         INITDATA_NETWORK_NONE};

    for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
        if (text_equal(name, initdata_network_name(all[i]))) {
            *ret = all[i];
            return 0;
        }
    return error_set(err, STATUS_INVALID_ARGUMENT, "network '%s' is not known", name);
}

static int read_peers(const struct tenant_conf *conf, struct peer *ret, size_t *ret_count,
                      struct error *err)
{
    const enum peer_role roles[] = {PEER_CONTROL, PEER_OBSERVE, PEER_AUDIT};
    size_t count = 0;

    for (; conf->peers && conf->peers[count]; count++) {
        struct tenant_conf_peer peer;

        if (tenant_conf_peer(conf->peers[count], &peer, err) < 0)
            return -1;
        memcpy(ret[count].spki, peer.spki, sizeof(peer.spki));
        for (size_t i = 0; i < ARRAY_LENGTH(roles); i++)
            if (text_equal(peer.role, peer_role_name(roles[i])))
                ret[count].role = roles[i];
    }
    *ret_count = count;
    return 0;
}

int minting_make(const char *directory, const struct provision_request *request,
                 const struct tenant_conf *conf, struct mint *ret, struct error *err)
{
    struct peer peers[TENANT_CONF_PEERS_MAX] = {0};
    struct mint_options options = {
        .directory = directory,
        .pod_namespace = request->pod_namespace,
        .pod_name = request->pod_name,
        .mode = request->is_sealed ? INITDATA_SEALED : INITDATA_OPEN,
        .limits = {.vcpus = request->vcpus,
                   .memory = request->memory,
                   .guest_root = conf->guest_root && request->guest_root},
        .extra_peers = peers,
    };

    memcpy(options.manifest_digest, request->manifest_digest, sizeof(options.manifest_digest));
    if (read_peers(conf, peers, &options.extra_peer_count, err) < 0 ||
        network_of(request->network, &options.network, err) < 0 ||
        text_format(options.limits.evidence, sizeof(options.limits.evidence), err, "%s",
                    request->evidence) < 0)
        return -1;
    return mint_make(&options, ret, err);
}
