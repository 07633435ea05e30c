/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A firmware of two pages that has what a VMM looks for in OVMF, and nothing that could run. Byte n
 * is n % 251, but for
 *
 *     0x1000  SEV metadata: six sections          0x1100  GUID and TDX metadata: six sections
 *     0x1fce  the footer of the table, which grows downwards: reset block, hash table, a block that
 *             nobody knows, SEV and TDX metadata
 */
#include <stdint.h>
#include <string.h>

enum {
    OVMF_SIZE = 0x2000,
    OVMF_SEV_AT = 0x1000,
    OVMF_SEV_SECTIONS_AT = OVMF_SEV_AT + 16,
    OVMF_TDX_AT = 0x1110,
    OVMF_TDX_SECTIONS_AT = OVMF_TDX_AT + 16,
    OVMF_FOOTER_AT = OVMF_SIZE - 32 - 18,
    /* The length of each entry, behind its data. */
    OVMF_RESET_AT = OVMF_FOOTER_AT - 18,
    OVMF_HASHES_AT = OVMF_RESET_AT - 4 - 18,
    OVMF_OTHER_AT = OVMF_HASHES_AT - 8 - 18,
    OVMF_SEV_ENTRY_AT = OVMF_OTHER_AT - 3 - 18,
    OVMF_TDX_ENTRY_AT = OVMF_SEV_ENTRY_AT - 4 - 18,
    OVMF_TABLE_AT = OVMF_TDX_ENTRY_AT - 4, /* its lowest byte */
};

static inline void ovmf_put(uint8_t *image, size_t at, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        image[at + i] = (uint8_t) (value >> 8 * i);
}

static inline void ovmf_put_entry(uint8_t *image, size_t at, const char *guid, uint64_t data,
                                  unsigned size)
{
    ovmf_put(image, at - size, data, size);
    ovmf_put(image, at, size + 18, 2);
    memcpy(image + at + 2, guid, 16);
}

static inline void ovmf_put_sev(uint8_t *image)
{
    static const uint32_t sections[][3] = {
        {0x800000, 0x9000, 1}, {0x80a000, 0x3000, 1},    {0x80d000, 0x1000, 2},
        {0x80e000, 0x1000, 3}, {0x80f000, 0x1000, 0x10}, {0x811000, 0x2000, 4},
    };

    memcpy(image + OVMF_SEV_AT, "ASEV", 4);
    ovmf_put(image, OVMF_SEV_AT + 4, 16 + sizeof(sections), 4);
    ovmf_put(image, OVMF_SEV_AT + 8, 1, 4);
    ovmf_put(image, OVMF_SEV_AT + 12, sizeof(sections) / sizeof(sections[0]), 4);
    for (size_t i = 0; i < 3 * (sizeof(sections) / sizeof(sections[0])); i++)
        ovmf_put(image, OVMF_SEV_SECTIONS_AT + 4 * i, sections[i / 3][i % 3], 4);
}

static inline void ovmf_put_tdx(uint8_t *image)
{
    static const struct {
        uint32_t data_at, data_size;
        uint64_t address, size;
        uint32_t type, attributes;
    } sections[] = {
        {0x1000, 0x1000, 0xfffff000, 0x1000, 0, 1},
        {0, 0x1000, 0xffffe000, 0x1000, 1, 0},
        {0, 0, 0x810000, 0x10000, 3, 0},
        {0, 0, 0x80b000, 0x2000, 3, 0},
        {0, 0, 0x809000, 0x2000, 2, 0},
        {0, 0, 0x800000, 0x6000, 3, 0},
    };

    memcpy(image + OVMF_TDX_AT - 16,
           "\xf3\xf9\xea\xe9\x8e\x16\xd5\x44\xa8\xeb\x7f\x4d\x87\x38\xf6\xae", 16);
    memcpy(image + OVMF_TDX_AT, "TDVF", 4);
    ovmf_put(image, OVMF_TDX_AT + 4, 16 + sizeof(sections), 4);
    ovmf_put(image, OVMF_TDX_AT + 8, 1, 4);
    ovmf_put(image, OVMF_TDX_AT + 12, sizeof(sections) / sizeof(sections[0]), 4);
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        size_t at = OVMF_TDX_SECTIONS_AT + 32 * i;

        ovmf_put(image, at, sections[i].data_at, 4);
        ovmf_put(image, at + 4, sections[i].data_size, 4);
        ovmf_put(image, at + 8, sections[i].address, 8);
        ovmf_put(image, at + 16, sections[i].size, 8);
        ovmf_put(image, at + 24, sections[i].type, 4);
        ovmf_put(image, at + 28, sections[i].attributes, 4);
    }
}

static inline void ovmf_make(uint8_t image[OVMF_SIZE])
{
    for (size_t i = 0; i < OVMF_SIZE; i++)
        image[i] = (uint8_t) (i % 251);
    ovmf_put_sev(image);
    ovmf_put_tdx(image);
    ovmf_put(image, OVMF_FOOTER_AT, OVMF_FOOTER_AT + 18 - OVMF_TABLE_AT, 2);
    memcpy(image + OVMF_FOOTER_AT + 2,
           "\xde\x82\xb5\x96\xb2\x1f\xf7\x45\xba\xea\xa3\x66\xc5\x5a\x08\x2d", 16);
    ovmf_put_entry(image, OVMF_RESET_AT,
                   "\xde\x71\xf7\x00\x7e\x1a\xcb\x4f\x89\x0e\x68\xc7\x7e\x2f\xb4\x4e", 0x80b004, 4);
    ovmf_put_entry(image, OVMF_HASHES_AT,
                   "\x1f\x37\x55\x72\x3b\x3a\x04\x4b\x92\x7b\x1d\xa6\xef\xa8\xd4\x54",
                   UINT64_C(0x4000080fc00), 8);
    ovmf_put_entry(image, OVMF_OTHER_AT, "nobody knows me!", 0x332211, 3);
    ovmf_put_entry(image, OVMF_SEV_ENTRY_AT,
                   "\x66\x65\x88\xdc\x4a\x98\x98\x47\xa7\x5e\x55\x85\xa7\xbf\x67\xcc",
                   OVMF_SIZE - OVMF_SEV_AT, 4);
    ovmf_put_entry(image, OVMF_TDX_ENTRY_AT,
                   "\x35\x65\x7a\xe4\x4a\x98\x98\x47\x86\x5e\x46\x85\xa7\xbf\x8e\xc2",
                   OVMF_SIZE - OVMF_TDX_AT, 4);
}
