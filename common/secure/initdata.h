/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The measured description of a sandbox: who may speak to it and what it may become. Read once,
 * those bytes hashed and those bytes parsed. Strict: an unknown cleave.* key, a wrong size or a
 * wrong value is an error. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

enum {
    INITDATA_SIZE_MAX = 16 * 1024,
    INITDATA_PEERS_MAX = 9, /* the tenant's key and at most 8 more */
    INITDATA_SANDBOX_ID_SIZE = 16,
    INITDATA_VCPUS_MAX = 1024,
};

enum initdata_algorithm { INITDATA_SHA256, INITDATA_SHA384 };
enum initdata_mode { INITDATA_OPEN = 0, INITDATA_SEALED = 1 };
enum initdata_network { INITDATA_NETWORK_TENANT, INITDATA_NETWORK_HOST, INITDATA_NETWORK_NONE };
enum peer_role { PEER_CONTROL = 1, PEER_OBSERVE, PEER_AUDIT };

struct peer {
    enum peer_role role;
    uint8_t spki[32]; /* SHA-256 of the SubjectPublicKeyInfo (DER) */
};

struct initdata_limits {
    uint32_t vcpus;
    uint64_t memory;   /* bytes */
    bool guest_root;   /* containers may hold power that reaches the agent */
    char evidence[16]; /* the one type that the agent offers: "snp", ..., "sample" */
};

/* What initdata says. */
struct initdata_content {
    enum initdata_algorithm algorithm;
    uint8_t sandbox_id[INITDATA_SANDBOX_ID_SIZE];
    enum initdata_mode mode;
    uint8_t manifest_digest[48]; /* zero if open */
    struct peer peers[INITDATA_PEERS_MAX];
    size_t peer_count;
    uint64_t epoch;
    struct initdata_limits limits;
    enum initdata_network network;
};

/* The bytes with their content and digest. */
struct initdata {
    uint8_t *bytes;
    size_t length;
    uint8_t digest[48];          /* SHA-384, as the statement holds it */
    uint8_t hardware_digest[48]; /* by the algorithm, zero-padded, as the hardware field holds it */
    struct initdata_content content;
};

size_t initdata_digest_size(enum initdata_algorithm algorithm); /* without the zeros */

int initdata_parse(const void *bytes, size_t length, struct initdata **ret, struct error *err)
    __attribute__((warn_unused_result)); /* copies */
int initdata_load(const char *path, struct initdata **ret, struct error *err)
    __attribute__((warn_unused_result));
/* The one spelling of a content; parses what it made before it returns it. */
int initdata_make(const struct initdata_content *content, struct initdata **ret, struct error *err)
    __attribute__((warn_unused_result));
void initdata_free(struct initdata *initdata);
static inline void initdata_freep(struct initdata **p)
{
    if (*p)
        initdata_free(*p);
}
/* NULL if the key is not named. */
const struct peer *initdata_peer(const struct initdata *initdata, const uint8_t spki[32]);
/* That it is sealed with this manifest, or open if manifest_digest is NULL; FAILED_PRECONDITION
 * says what it is instead. */
int initdata_check_sealing(const struct initdata *initdata, const uint8_t *manifest_digest,
                           struct error *err) __attribute__((warn_unused_result));
const char *peer_role_name(enum peer_role role); /* "control" */
const char *initdata_network_name(enum initdata_network network);
/* The one that fills the hardware field of this evidence type without being cut. */
enum initdata_algorithm initdata_algorithm_of(const char *evidence);
