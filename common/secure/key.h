/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A P-256 key pair with its self-signed leaf certificate. Peers know it by the SHA-256 of its
 * SubjectPublicKeyInfo (DER); nothing else in the certificate is ever looked at. */
#include <stdint.h>

struct error;
struct key;

enum { KEY_SPKI_SIZE = 32 };

int key_generate(struct key **ret, struct error *err) __attribute__((warn_unused_result));
/* PEM, of a file that is at most 0600. */
int key_load(const char *path, struct key **ret, struct error *err)
    __attribute__((warn_unused_result));
int key_save(const struct key *key, const char *path, struct error *err)
    __attribute__((warn_unused_result)); /* atomically, 0600 */
void key_free(struct key *key);          /* wipes */
static inline void key_freep(struct key **p)
{
    if (*p)
        key_free(*p);
}
const uint8_t *key_spki(const struct key *key); /* KEY_SPKI_SIZE bytes */
