/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/snp_table.h"

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "base/scoped.h"

enum { GUID_SIZE = 16 };

/* As they lie in memory: the first three groups of a GUID are little-endian. */
static const uint8_t leaves[][GUID_SIZE] = {
    /* 63da758d-e664-4564-adc5-f4b93be8accd: VCEK */
    {0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
     0xcd},
    /* a8074bc2-a25a-483e-aae6-39c045a0b8a1: VLEK */
    {0xc2, 0x4b, 0x07, 0xa8, 0x5a, 0xa2, 0x3e, 0x48, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8,
     0xa1},
};

struct entry {
    uint8_t guid[GUID_SIZE];
    uint32_t offset, length;
};

static int fail(struct evidence_verdict *verdict, const char *what, unsigned number)
{
    return evidence_fail_field(verdict, APPRAISAL_FORMAT, "certificate_table",
                               "certificate table: entry %u %s", number, what);
}

static uint32_t read_u32(struct reader *reader)
{
    return __builtin_bswap32(reader_u32(reader)); /* little-endian */
}

static bool read_entry(struct reader *reader, struct entry *ret)
{
    reader_copy(reader, ret->guid, GUID_SIZE);
    ret->offset = read_u32(reader);
    ret->length = read_u32(reader);
    return !reader->failed;
}

static bool is_leaf(const struct entry *entry)
{
    for (size_t i = 0; i < ARRAY_LENGTH(leaves); i++)
        if (memcmp(entry->guid, leaves[i], GUID_SIZE) == 0)
            return true;
    return false;
}

int snp_table_leaf(struct chain_bytes table, struct chain_bytes *ret,
                   struct evidence_verdict *verdict)
{
    static const uint8_t end[GUID_SIZE];
    struct reader reader;
    struct entry entry;

    *ret = (struct chain_bytes){0};
    if (!table.length)
        return 0;
    reader_init(&reader, table.data, table.length);
    for (unsigned number = 0; number <= SNP_TABLE_ENTRIES_MAX; number++) {
        if (!read_entry(&reader, &entry))
            return fail(verdict, "goes past the end", number);
        if (memcmp(entry.guid, end, GUID_SIZE) == 0)
            return 0;
        if (entry.offset > table.length || entry.length > table.length - entry.offset)
            return fail(verdict, "names bytes past the end", number);
        if (!is_leaf(&entry))
            continue;
        if (ret->length)
            return fail(verdict, "is a second VCEK or VLEK", number);
        if (!entry.length)
            return fail(verdict, "is an empty certificate", number);
        *ret = (struct chain_bytes){table.data + entry.offset, entry.length};
    }
    return fail(verdict, "is one too many", SNP_TABLE_ENTRIES_MAX);
}
