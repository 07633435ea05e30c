/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The reference values of a node: read, verified, and brought up to date whenever a file of them
 * has changed. A file counts if it is signed by one of the node's keys, has not expired, and is not
 * older than one that was seen here (reference_state.h). There is no falling back to what was good
 * before: whoever has to do without values has to refuse.
 */
#include <stdint.h>

struct error;
struct evidence_endorsements;
struct reference_store;
struct reference_values;

#define REFERENCE_STORE_DIRECTORY "/var/lib/cleave/t/reference"

struct reference_store_paths {
    const char *values;       /* JSON; its signature stands beside it, with .sig behind the name */
    const char *keys;         /* PEM: who may sign it */
    const char *endorsements; /* directory; "" or NULL: none */
    const char *roots;        /* PEM, instead of the vendors'; "" or NULL: the vendors' */
    const char *state;        /* directory; NULL: REFERENCE_STORE_DIRECTORY */
};

/* Copies the paths, reads nothing. */
struct reference_store *reference_store_new(const struct reference_store_paths *paths);
void reference_store_free(struct reference_store *store);
static inline void reference_store_freep(struct reference_store **p)
{
    if (*p)
        reference_store_free(*p);
}

/* What holds now; good until the next call. An error says what to do, and leaves the store without
 * values. */
int reference_store_get(struct reference_store *store, const struct reference_values **ret,
                        struct error *err) __attribute__((warn_unused_result));
/* Grows whenever a call has read something that says other things than before. */
uint64_t reference_store_generation(const struct reference_store *store);
/* Of the last call that succeeded; good until the next one. */
const struct evidence_endorsements *reference_store_endorsements(
    const struct reference_store *store);
/* The highest floor that any file ever had for this pod; 0: none. Likewise; where nothing holds,
 * higher than any epoch. */
uint64_t reference_store_epoch_min(const struct reference_store *store, const char *pod_namespace,
                                   const char *pod_name);
