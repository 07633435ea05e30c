/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What every provisioner is: `cleave-provision-X create|status|delete`, one JSON object on stdin,
 * one on stdout. `mint` is for its operator, where somebody else makes the guest. An error is
 * {"code": 5, "message": "..."} (google.rpc.Code) and exit code 1. */
#include <stdbool.h>
#include <stdint.h>

#include "base/dial_out.h"

struct error;
struct js;
struct tenant_conf;

struct provision_request {
    const char *cri_sandbox_id; /* the idempotency key of all but mint */
    /* create and mint only */
    const char *pod_name;
    const char *pod_namespace;
    uint32_t vcpus;
    uint64_t memory; /* bytes */
    const char *network;
    const char *evidence;
    bool guest_root;      /* the pod does not do without it; tenant.conf decides */
    const char *endpoint; /* "address:port", static only; NULL if absent */
    bool is_sealed;       /* with this manifest, and no other */
    uint8_t manifest_digest[48];
    struct dial_out dial_out; /* where the guest is to dial; family 0: it listens */
};

/* Fills answer, or sets err. */
typedef int provision_fn(const struct provision_request *request, const struct tenant_conf *conf,
                         struct js *answer, struct error *err);

struct provisioner {
    const char *program;
    const char *summary; /* for --help */
    provision_fn *create;
    provision_fn *status;
    provision_fn *destroy;
    provision_fn *mint; /* or NULL: create does it */
};

/* All of main(). */
int provision_main(const struct provisioner *provisioner, int argc, char *argv[]);
/* What create answers, from its parts. */
void provision_answer(struct js *answer, const char *sandbox_id, const char *initdata_path,
                      const char *key_path, const char *host_id);
/* The guest will dial, as the request wants it. */
void provision_add_dial_out(struct js *answer, const struct dial_out *dial_out);
void provision_add_endpoint(struct js *answer, const char *transport, const char *address,
                            int64_t port);
/* Strict: what is missing, of the wrong type or unknown is refused. The texts are borrowed from
 * root. */
int provision_read_request(const char *verb, const struct js *root, struct provision_request *ret,
                           struct error *err) __attribute__((warn_unused_result));
