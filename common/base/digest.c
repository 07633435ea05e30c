/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <sha2.h>

#include "base/scoped.h"
#include "base/sha256_blocks.h"

struct digest {
    enum digest_type type;
    SHA2_CTX context;
};

/* Whole blocks by the processor where it can; what is left at either end goes into the library's
 * buffer. */
static void sha256_update(SHA2_CTX *context, const uint8_t *data, size_t length)
{
    size_t held = (size_t) (context->bitcount[0] / 8 % SHA256_BLOCK);
    size_t before = held ? SHA256_BLOCK - held : 0, blocks;

    if (sha256_blocks_possible() && length >= before + SHA256_BLOCK) {
        if (before)
            SHA256Update(context, data, before);
        blocks = (length - before) / SHA256_BLOCK;
        sha256_blocks(context->state.st32, data + before, blocks);
        context->bitcount[0] += blocks * SHA256_BLOCK * 8;
        data += before + blocks * SHA256_BLOCK;
        length -= before + blocks * SHA256_BLOCK;
    }
    if (length > 0)
        SHA256Update(context, data, length);
}

void digest_sha256(const void *data, size_t length, uint8_t ret[SHA256_SIZE])
{
    SHA2_CTX context;

    SHA256Init(&context);
    sha256_update(&context, data, length);
    SHA256Final(ret, &context);
}

void digest_sha384(const void *data, size_t length, uint8_t ret[SHA384_SIZE])
{
    SHA2_CTX context;

    SHA384Init(&context);
    if (length > 0)
        SHA384Update(&context, data, length);
    SHA384Final(ret, &context);
}

void digest_sha512(const void *data, size_t length, uint8_t ret[SHA512_SIZE])
{
    SHA2_CTX context;

    SHA512Init(&context);
    if (length > 0)
        SHA512Update(&context, data, length);
    SHA512Final(ret, &context);
}

struct digest *digest_new(enum digest_type type)
{
    struct digest *digest = xnew(struct digest);

    digest->type = type;
    if (type == DIGEST_SHA256)
        SHA256Init(&digest->context);
    else
        SHA384Init(&digest->context);
    return digest;
}

void digest_free(struct digest *digest)
{
    free(digest);
}

void digest_update(struct digest *digest, const void *data, size_t length)
{
    if (length == 0)
        return;
    if (digest->type == DIGEST_SHA256)
        sha256_update(&digest->context, data, length);
    else
        SHA384Update(&digest->context, data, length);
}

void digest_value(const struct digest *digest, uint8_t *ret)
{
    SHA2_CTX copy = digest->context;

    if (digest->type == DIGEST_SHA256)
        SHA256Final(ret, &copy);
    else
        SHA384Final(ret, &copy);
}
