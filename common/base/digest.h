/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* SHA-256, SHA-384 and SHA-512 by libmd. */
#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32, SHA384_SIZE = 48, SHA512_SIZE = 64 };
enum digest_type { DIGEST_SHA256, DIGEST_SHA384 };

void digest_sha256(const void *data, size_t length, uint8_t ret[SHA256_SIZE]);
void digest_sha384(const void *data, size_t length, uint8_t ret[SHA384_SIZE]);
void digest_sha512(const void *data, size_t length, uint8_t ret[SHA512_SIZE]);

struct digest; /* incremental */
struct digest *digest_new(enum digest_type type);
void digest_free(struct digest *digest);
static inline void digest_freep(struct digest **p)
{
    if (*p)
        digest_free(*p);
}
void digest_update(struct digest *digest, const void *data, size_t length);
/* The value so far; the digest can go on. Writes 32 or 48 bytes. */
void digest_value(const struct digest *digest, uint8_t *ret);
