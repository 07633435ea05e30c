/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Makes the identity of one sandbox: id, tenant key, epoch, initdata. Called inside `create` of a
 * provisioner. */
#include <stddef.h>
#include <stdint.h>

#include "secure/initdata.h"

struct error;

#define MINT_DIRECTORY "/run/cleave/t"
#define MINT_EPOCHS    "/var/lib/cleave/t/epoch"

struct mint_options {
    const char *directory;     /* NULL: MINT_DIRECTORY */
    const char *epochs;        /* NULL: MINT_EPOCHS */
    const char *pod_namespace; /* Kubernetes' namespace and name: the epoch counts per pod */
    const char *pod_name;
    struct initdata_limits limits;
    enum initdata_network network;
    enum initdata_mode mode;
    uint8_t manifest_digest[48];    /* sealed only */
    const struct peer *extra_peers; /* at most 8 */
    size_t extra_peer_count;
};

struct mint {
    char sandbox_id[33]; /* 32 hex digits */
    uint64_t epoch;
    char *initdata_path; /* <directory>/<sandbox_id>/initdata.toml */
    char *key_path;      /* <directory>/<sandbox_id>/key.pem, 0600 */
    struct initdata *initdata;
};

/* The algorithm follows from limits.evidence. On failure nothing is left in the directory; an epoch
 * may have been used up. */
int mint_make(const struct mint_options *options, struct mint *ret, struct error *err)
    __attribute__((warn_unused_result));
void mint_fini(struct mint *mint); /* frees memory, leaves the files */
/* Removes key and initdata; an absent one is no error. directory NULL: MINT_DIRECTORY. */
int mint_remove(const char *directory, const char *sandbox_id, struct error *err)
    __attribute__((warn_unused_result));
/* One more than ever before for this pod, written and synced under a lock before it returns. */
int epoch_next(const char *path, const char *pod_namespace, const char *pod_name, uint64_t *ret,
               struct error *err) __attribute__((warn_unused_result));
