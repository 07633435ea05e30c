/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* /etc/cleave/tenant.conf: read by the tenant shim, by the provisioners (each its own table) and by
 * `cleave check tenant`. One table of keys, so that a key that nobody knows is an error everywhere.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct config_key;

#define TENANT_CONF_PATH "/etc/cleave/tenant.conf"

enum { TENANT_CONF_PEERS_MAX = 8 };

struct tenant_conf {
    char *provisioner;      /* "cri", "static", ...: cleave-provision-NAME; or an absolute path */
    char *evidence;         /* the one type that the initdata of new sandboxes asks for */
    char **allow_insecure;  /* names of insecure evidence types that are taken nevertheless */
    char *reference_values; /* file that says which guests are good; signed, NAME.sig beside it */
    char *reference_keys;   /* PEM: who may sign it */
    char *endorsements;     /* directory of the vendors' certificates and lists; empty: none */
    char *vendor_roots;     /* PEM: roots instead of the vendors'; empty: the vendors' */
    char **peers;           /* keys besides the tenant's own, "role:<SHA-256 of the SPKI in hex>" */
    int64_t default_vcpus;
    uint64_t default_memory;
    char *network;      /* "tenant", "host", "none"; "": tenant_conf_network(), or the guest's */
    bool guest_root;    /* containers may hold power that reaches the agent */
    bool live_shares;   /* containers may see directories of this node live */
    bool open_pods;     /* false: only those that come with a manifest */
    char *kubelet_root; /* below it kubelet has the volumes of pods */
    int64_t create_timeout;  /* seconds for the whole of RunPodSandbox's Create */
    int64_t dial_timeout;    /* seconds for one attempt to reach a guest that should be there */
    int64_t lease_ttl;       /* seconds without a renewal until a guest freezes */
    int64_t lease_power_off; /* seconds that it stays frozen before it powers off */
    int64_t lost_timeout;    /* seconds without a channel after which a pod counts as dead */
    int64_t request_timeout; /* seconds for one request to the agent */
    bool pad_blobs;          /* to 1 MiB: hides the length of an image's layers */

    /* [transport]: replaces what the provisioner answers; empty and 0: as answered. With dial-out
     * the address is this node's, and the port the first of those that are tried, 0 any. */
    char *transport;
    char *transport_address;
    int64_t transport_port;
    int64_t transport_ports;

    /* [cri], of cleave-provision-cri */
    char *cri_endpoint; /* a unix path */
    char *cri_runtime_handler;
    /* [static], of cleave-provision-static */
    char *static_directory; /* where initdata and keys lie, by endpoint */
    /* [stub], of the test provisioner only */
    char *stub_guest;
    char *stub_agent;
    char *stub_root;
};

/* What connects the pods of sandboxes that are made. */
const char *tenant_conf_network(const struct tenant_conf *conf);
/* The guest dials this node. */
bool tenant_conf_is_dialled(const struct tenant_conf *conf);
const struct config_key *tenant_conf_keys(size_t *ret_count);
/* A file that is absent gives the defaults; anything wrong in it is an error with its line. */
int tenant_conf_load(const char *path, struct tenant_conf *ret, struct error *err)
    __attribute__((warn_unused_result));
/* For tests and tools: text in place of a file. */
int tenant_conf_parse(const char *text, struct tenant_conf *ret, struct error *err)
    __attribute__((warn_unused_result));
void tenant_conf_fini(struct tenant_conf *conf);

struct tenant_conf_peer {
    char role[8]; /* control, observe, audit */
    uint8_t spki[32];
};
/* One entry of `peers`; an error names it. Those of a configuration that was loaded are good. */
int tenant_conf_peer(const char *entry, struct tenant_conf_peer *ret, struct error *err)
    __attribute__((warn_unused_result));
