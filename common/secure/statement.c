/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/statement.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "base/scoped.h"

enum { TAG_SIZE = 32, LAYOUT_VERSION = 1, DIGEST_MAX = 64, NEAR = 64 };

static const char tag[TAG_SIZE] = "cleave evidence v1";

static const struct statement_field fields[] = {
    {"tag", 0, 32},
    {"layout version", 32, 1},
    {"role", 33, 1},
    {"evidence type", 34, 1},
    {"mode", 35, 1},
    {"TLS version", 36, 2},
    {"appraisal number", 38, 2},
    {"nonce", 40, 32},
    {"exporter", 72, 32},
    {"guest key", 104, 32},
    {"peer key", 136, 32},
    {"initdata digest", 168, 48},
    {"manifest digest", 216, 48},
    {"sandbox id", 264, 16},
    {"instance id", 280, 32},
    {"epoch", 312, 8},
};

struct blame {
    uint8_t candidate[STATEMENT_SIZE];
    statement_hash_fn *hash;
    const uint8_t *digest;
    size_t digest_size;
};

static bool explains(const struct blame *blame)
{
    uint8_t digest[DIGEST_MAX];

    blame->hash(blame->candidate, STATEMENT_SIZE, digest);
    return memcmp(digest, blame->digest, blame->digest_size) == 0;
}

static bool blame_bits(struct blame *blame, const struct statement_field *field)
{
    bool found = false;

    for (unsigned bit = 0; bit < field->length * 8u && !found; bit++) {
        uint8_t *byte = blame->candidate + field->offset + bit / 8;

        *byte ^= (uint8_t) (1u << bit % 8);
        found = explains(blame);
        *byte ^= (uint8_t) (1u << bit % 8);
    }
    return found;
}

static bool blame_zero(struct blame *blame, const struct statement_field *field)
{
    uint8_t old[64];

    memcpy(old, blame->candidate + field->offset, field->length);
    memset(blame->candidate + field->offset, 0, field->length);
    bool found = explains(blame);
    memcpy(blame->candidate + field->offset, old, field->length);
    return found;
}

/* Off by up to NEAR, in the last byte: versions, numbers, epochs. */
static bool blame_near(struct blame *blame, const struct statement_field *field)
{
    uint8_t *byte = blame->candidate + field->offset + field->length - 1;
    uint8_t old = *byte;
    bool found = false;

    for (int delta = -NEAR; delta <= NEAR && !found; delta++) {
        *byte = (uint8_t) (old + delta);
        found = explains(blame);
    }
    *byte = old;
    return found;
}

void statement_write(const struct statement *statement, uint8_t ret[STATEMENT_SIZE])
{
    struct writer writer;

    writer_init(&writer, STATEMENT_SIZE);
    writer_bytes(&writer, tag, sizeof(tag));
    writer_u8(&writer, LAYOUT_VERSION);
    writer_u8(&writer, (uint8_t) statement->role);
    writer_u8(&writer, statement->evidence);
    writer_u8(&writer, statement->mode);
    writer_u16(&writer, statement->tls_version);
    writer_u16(&writer, statement->number);
    writer_bytes(&writer, statement->nonce, sizeof(statement->nonce));
    writer_bytes(&writer, statement->exporter, sizeof(statement->exporter));
    writer_bytes(&writer, statement->guest_spki, sizeof(statement->guest_spki));
    writer_bytes(&writer, statement->peer_spki, sizeof(statement->peer_spki));
    writer_bytes(&writer, statement->initdata_digest, sizeof(statement->initdata_digest));
    writer_bytes(&writer, statement->manifest_digest, sizeof(statement->manifest_digest));
    writer_bytes(&writer, statement->sandbox_id, sizeof(statement->sandbox_id));
    writer_bytes(&writer, statement->instance_id, sizeof(statement->instance_id));
    writer_u64(&writer, statement->epoch);
    assert(!writer.failed && writer.size == STATEMENT_SIZE);
    memcpy(ret, writer.data, STATEMENT_SIZE);
    writer_fini(&writer);
}

const struct statement_field *statement_field(size_t index)
{
    return index < ARRAY_LENGTH(fields) ? &fields[index] : NULL;
}

const struct statement_field *statement_blame(const uint8_t expected[STATEMENT_SIZE],
                                              statement_hash_fn *hash, const uint8_t *signed_digest,
                                              size_t digest_size)
{
    struct blame blame = {.hash = hash, .digest = signed_digest, .digest_size = digest_size};

    assert(digest_size <= DIGEST_MAX);
    memcpy(blame.candidate, expected, STATEMENT_SIZE);
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
        if (blame_bits(&blame, &fields[i]) || blame_zero(&blame, &fields[i]) ||
            blame_near(&blame, &fields[i]))
            return &fields[i];
    return NULL;
}
