/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Quotes of a TPM that does not exist. */
#include "evidence/tpm_quote.h"
#include "tpm_fixture.h"

static uint8_t nonce[32];

static inline void make_registers(struct registers *ret, enum digest_type type, uint32_t set)
{
    registers_init(ret, REGISTERS_PCR, type);
    ret->set = set;
    for (unsigned i = 0; i < REGISTERS_MAX; i++)
        memset(ret->values[i], (int) (i + 1), registers_size(type));
}

static inline void write_bank(struct writer *writer, const struct registers *bank,
                              struct digest *digest)
{
    writer_u16(writer, bank->type == DIGEST_SHA256 ? SHA256_ID : SHA384_ID);
    writer_u8(writer, 3);
    for (unsigned i = 0; i < 3; i++)
        writer_u8(writer, (uint8_t) (bank->set >> 8 * i));
    for (unsigned i = 0; i < REGISTERS_MAX; i++)
        if (bank->set & BIT(i))
            digest_update(digest, bank->values[i], registers_size(bank->type));
}

static inline void write_quote(struct writer *writer, const struct registers *banks, size_t count)
{
    scoped(digest_freep) struct digest *digest = digest_new(DIGEST_SHA256);
    uint8_t name[34] = {0, SHA256_ID, 1, 2, 3}, value[SHA256_SIZE];

    writer_init(writer, TPM_QUOTE_MAX + 1);
    writer_u32(writer, 0xff544347);
    writer_u16(writer, 0x8018);
    write_sized(writer, name, sizeof(name));
    write_sized(writer, nonce, sizeof(nonce));
    writer_u64(writer, 1234567); /* clock */
    writer_u32(writer, 7);       /* resetCount */
    writer_u32(writer, 3);       /* restartCount */
    writer_u8(writer, 1);        /* safe */
    writer_u64(writer, 0x2019102300163636);
    writer_u32(writer, (uint32_t) count);
    for (size_t i = 0; i < count; i++)
        write_bank(writer, &banks[i], digest);
    digest_value(digest, value);
    write_sized(writer, value, sizeof(value));
    ck_assert(!writer->failed);
}
