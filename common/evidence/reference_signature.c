/* SPDX-License-Identifier: Apache-2.0 */
/* Who may say what is good: a detached signature by one of several keys. */
#include <mbedtls/ecp.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>

#include "base/digest.h"
#include "base/error.h"
#include "evidence/pem.h"
#include "evidence/reference_values.h"

enum { KEYS_MAX = 8, KEY_DER_MAX = 256 };

/* One key off the front of the text. */
static int take_key(struct chain_bytes *text, mbedtls_pk_context *key, struct error *err)
{
    uint8_t der[KEY_DER_MAX];
    struct pem_block block = {.label = "PUBLIC KEY", .der = der, .room = sizeof(der)};
    enum pem_result result = pem_take(text, &block);

    if (result == PEM_OTHER)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "something else than PEM public keys stands there");
    if (result != PEM_TAKEN || mbedtls_pk_parse_public_key(key, der, block.length) != 0 ||
        mbedtls_pk_get_type(key) != MBEDTLS_PK_ECKEY ||
        mbedtls_pk_ec(*key)->grp.id != MBEDTLS_ECP_DP_SECP256R1)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a key is not on P-256 (openssl ecparam -genkey -name prime256v1)");
    return 0;
}

/* 1: it made the signature, 0: it did not. */
static int try_key(struct chain_bytes *text, struct chain_bytes signature,
                   const uint8_t hash[SHA256_SIZE], struct error *err)
{
    scoped(mbedtls_pk_free) mbedtls_pk_context key;

    mbedtls_pk_init(&key);
    if (take_key(text, &key, err) < 0)
        return -1;
    return mbedtls_pk_verify(&key, MBEDTLS_MD_SHA256, hash, SHA256_SIZE, signature.data,
                             signature.length) == 0;
}

/* All keys are read, also behind the one that fits: a file that is wrong is wrong every time. */
static int try_keys(struct chain_bytes keys, struct chain_bytes signature,
                    const uint8_t hash[SHA256_SIZE], struct error *err)
{
    size_t count = 0;
    int found = 0;

    for (keys = pem_trimmed(keys); keys.length; keys = pem_trimmed(keys), count++) {
        if (count == KEYS_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT, "more than %d keys", KEYS_MAX);
        int rc = try_key(&keys, signature, hash, err);
        if (rc < 0)
            return -1;
        found |= rc;
    }
    if (!count)
        return error_set(err, STATUS_INVALID_ARGUMENT, "there is no key");
    return found;
}

int reference_values_verify_signature(struct chain_bytes text, struct chain_bytes signature,
                                      struct chain_bytes keys, struct error *err)
{
    uint8_t hash[SHA256_SIZE];
    int rc;

    if (!signature.length || signature.length > REFERENCE_VALUES_SIGNATURE_MAX)
        return error_set(err, STATUS_UNAUTHENTICATED,
                         "signature of %zu bytes: `openssl dgst -sha256 -sign` writes 1 to %d",
                         signature.length, REFERENCE_VALUES_SIGNATURE_MAX);
    if (keys.length > REFERENCE_VALUES_KEYS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "keys of %zu bytes, at most %d are taken",
                         keys.length, REFERENCE_VALUES_KEYS_MAX);
    digest_sha256(text.data, text.length, hash);
    rc = try_keys(keys, signature, hash, err);
    if (rc < 0)
        return error_wrap(err, "keys");
    if (!rc)
        return error_set(err, STATUS_UNAUTHENTICATED,
                         "the signature is by none of the keys, or the text was changed after it "
                         "was signed");
    return 0;
}
