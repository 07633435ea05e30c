/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/tpm_quote.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "evidence/finding.h"

enum {
    ALG_SHA256 = 0x000b,
    ALG_SHA384 = 0x000c,
    ST_ATTEST_QUOTE = 0x8018,
    NAME_MAX_SIZE = 2 + 64,
    NONCE_MAX = 64,
    SELECT_SIZE = 3, /* bytes of a bit map of 24 PCRs */
};

static const uint32_t generated_value = 0xff544347; /* "\xffTCG": made inside of the TPM */

static const uint8_t *read_sized(struct reader *reader, size_t *ret_size)
{
    *ret_size = reader_u16(reader);
    return reader_bytes(reader, *ret_size);
}

static int read_bank(struct reader *reader, struct tpm_quote *quote, struct finding *finding)
{
    unsigned id = reader_u16(reader), size = reader_u8(reader);
    const uint8_t *bits = reader_bytes(reader, size);
    enum digest_type type = id == ALG_SHA256 ? DIGEST_SHA256 : DIGEST_SHA384;

    if (reader->failed)
        return 0; /* looked at once, at the end */
    if (id != ALG_SHA256 && id != ALG_SHA384)
        return finding_set(finding, FINDING_QUOTE_BANK,
                           "quote: pcrSelect: bank 0x%04x is neither SHA-256 nor SHA-384", id);
    if (size != SELECT_SIZE)
        return finding_set(finding, FINDING_QUOTE_BANK,
                           "quote: pcrSelect: sizeofSelect of bank %s is %u, not %d",
                           registers_bank(type), size, SELECT_SIZE);
    for (size_t i = 0; i < quote->bank_count; i++)
        if (quote->banks[i].type == type)
            return finding_set(finding, FINDING_QUOTE_BANK,
                               "quote: pcrSelect: bank %s stands there twice",
                               registers_bank(type));
    quote->banks[quote->bank_count].type = type;
    quote->banks[quote->bank_count++].set = bits[0] | (uint32_t) bits[1] << 8 |
                                            (uint32_t) bits[2] << 16;
    return 0;
}

static int read_banks(struct reader *reader, struct tpm_quote *quote, struct finding *finding)
{
    uint32_t count = reader_u32(reader);

    if (!reader->failed && (count == 0 || count > TPM_QUOTE_BANKS_MAX))
        return finding_set(finding, FINDING_QUOTE_BANK, "quote: pcrSelect: %u banks, not 1 to %d",
                           count, TPM_QUOTE_BANKS_MAX);
    for (uint32_t i = 0; i < count && !reader->failed; i++)
        if (read_bank(reader, quote, finding) < 0)
            return -1;
    return 0;
}

/* TPMS_CLOCK_INFO */
static int read_clock(struct reader *reader, struct tpm_quote *quote, struct finding *finding)
{
    unsigned safe;

    quote->clock = reader_u64(reader);
    quote->reset_count = reader_u32(reader);
    quote->restart_count = reader_u32(reader);
    safe = reader_u8(reader);
    if (!reader->failed && safe > 1)
        return finding_set(finding, FINDING_QUOTE_CLOCK, "quote: clockInfo.safe is %u", safe);
    quote->safe = safe;
    return 0;
}

static int read_head(struct reader *reader, struct tpm_quote *quote, struct finding *finding)
{
    uint32_t magic = reader_u32(reader);
    unsigned type = reader_u16(reader);

    if (reader->failed)
        return finding_set(finding, FINDING_QUOTE_SIZE, "quote: message of %zu bytes",
                           reader->size);
    if (magic != generated_value)
        return finding_set(finding, FINDING_QUOTE_MAGIC,
                           "quote: magic is 0x%08x: not made inside of a TPM", magic);
    if (type != ST_ATTEST_QUOTE)
        return finding_set(finding, FINDING_QUOTE_TYPE, "quote: type is 0x%04x, not 0x%04x", type,
                           ST_ATTEST_QUOTE);
    quote->signer = read_sized(reader, &quote->signer_size);
    if (quote->signer_size > NAME_MAX_SIZE)
        return finding_set(finding, FINDING_QUOTE_SIGNER, "quote: qualifiedSigner of %zu bytes",
                           quote->signer_size);
    quote->nonce = read_sized(reader, &quote->nonce_size);
    if (quote->nonce_size > NONCE_MAX)
        return finding_set(finding, FINDING_QUOTE_NONCE, "quote: extraData of %zu bytes, limit %d",
                           quote->nonce_size, NONCE_MAX);
    return 0;
}

int tpm_quote_parse(const void *message, size_t size, struct tpm_quote *ret,
                    struct finding *finding)
{
    struct tpm_quote quote = {0};
    struct reader reader;

    if (size > TPM_QUOTE_MAX)
        return finding_set(finding, FINDING_QUOTE_SIZE, "quote: message of %zu bytes, limit %d",
                           size, TPM_QUOTE_MAX);
    reader_init(&reader, message, size);
    if (read_head(&reader, &quote, finding) < 0 || read_clock(&reader, &quote, finding) < 0)
        return -1;
    quote.firmware = reader_u64(&reader);
    if (read_banks(&reader, &quote, finding) < 0)
        return -1;
    quote.pcr_digest = read_sized(&reader, &quote.pcr_digest_size);
    if (!reader_complete(&reader))
        return finding_set(finding, FINDING_QUOTE_SIZE,
                           "quote: message of %zu bytes is cut short, or something is behind it",
                           size);
    *ret = quote;
    return 0;
}

static const struct registers *bank_of(const struct tpm_quote_expected *expected,
                                       enum digest_type type)
{
    for (size_t i = 0; i < expected->bank_count; i++)
        if (expected->banks[i].type == type)
            return &expected->banks[i];
    return NULL;
}

static int check_selection(const struct tpm_quote *quote, const struct tpm_quote_expected *expected,
                           struct finding *finding)
{
    for (size_t i = 0; i < quote->bank_count; i++) {
        const char *name = registers_bank(quote->banks[i].type);
        const struct registers *bank = bank_of(expected, quote->banks[i].type);

        if (!bank)
            return finding_set(finding, FINDING_QUOTE_BANK,
                               "quote: pcrSelect: bank %s is not asked for", name);
        if (quote->banks[i].set != bank->set)
            return finding_set(finding, FINDING_QUOTE_PCRS,
                               "quote: pcrSelect: bank %s has PCRs 0x%06x, not exactly 0x%06x",
                               name, quote->banks[i].set, bank->set);
    }
    if (quote->bank_count != expected->bank_count)
        return finding_set(finding, FINDING_QUOTE_BANK, "quote: pcrSelect: %zu banks, not %zu",
                           quote->bank_count, expected->bank_count);
    return 0;
}

/* The TPM hashes the values bank by bank, in ascending order of the PCRs, with the hash of the
 * signature's scheme. */
static int check_digest(const struct tpm_quote *quote, const struct tpm_quote_expected *expected,
                        struct finding *finding)
{
    uint8_t values[TPM_QUOTE_BANKS_MAX * REGISTERS_MAX * SHA384_SIZE], digest[SHA256_SIZE];
    size_t size = 0;

    for (size_t i = 0; i < quote->bank_count; i++) {
        const struct registers *bank = bank_of(expected, quote->banks[i].type);

        for (unsigned pcr = 0; pcr < REGISTERS_MAX; pcr++) {
            if (!(bank->set & BIT(pcr)))
                continue;
            memcpy(values + size, bank->values[pcr], registers_size(bank->type));
            size += registers_size(bank->type);
        }
    }
    digest_sha256(values, size, digest);
    if (quote->pcr_digest_size != sizeof(digest) ||
        memcmp(quote->pcr_digest, digest, sizeof(digest)) != 0)
        return finding_set(finding, FINDING_QUOTE_DIGEST,
                           "quote: pcrDigest is not that of the PCR values that came with it");
    return 0;
}

int tpm_quote_check(const struct tpm_quote *quote, const struct tpm_quote_expected *expected,
                    struct finding *finding)
{
    assert(expected->nonce_size > 0); /* or any old quote would do */
    if (quote->nonce_size != expected->nonce_size ||
        memcmp(quote->nonce, expected->nonce, quote->nonce_size) != 0)
        return finding_set(finding, FINDING_QUOTE_NONCE,
                           "quote: extraData (%zu bytes) is not what was asked for (%zu bytes)",
                           quote->nonce_size, expected->nonce_size);
    if (expected->reset_count && quote->reset_count != *expected->reset_count)
        return finding_set(finding, FINDING_QUOTE_RESET,
                           "quote: clockInfo.resetCount is %u, not %u: another boot",
                           quote->reset_count, *expected->reset_count);
    if (expected->firmware && quote->firmware != *expected->firmware)
        return finding_set(finding, FINDING_QUOTE_FIRMWARE,
                           "quote: firmwareVersion is 0x%016" PRIx64 ", not 0x%016" PRIx64,
                           quote->firmware, *expected->firmware);
    if (check_selection(quote, expected, finding) < 0)
        return -1;
    return check_digest(quote, expected, finding);
}
