/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/tdvf_metadata.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "measure/le.h"
#include "measure/memory_range.h"
#include "measure/ovmf_table.h"

enum {
    GUID_SIZE = 16,
    HEADER_SIZE = 16, /* signature, length, version, number of sections */
    SECTION_SIZE = 32,
    VERSION = 1,
};

static const uint8_t metadata_guid[GUID_SIZE] = {/* e9eaf9f3-168e-44d5-a8eb-7f4d8738f6ae */
                                                 0xf3, 0xf9, 0xea, 0xe9, 0x8e, 0x16, 0xd5, 0x44,
                                                 0xa8, 0xeb, 0x7f, 0x4d, 0x87, 0x38, 0xf6, 0xae};
static const char signature[4] = {'T', 'D', 'V', 'F'};

/* Permanent memory and payloads are in TDVF's design guide, but QEMU refuses a firmware with them:
 * there is nothing to foretell. */
static const struct section_kind {
    enum tdvf_section_type type;
    const char *name;
    bool has_data, single;
} kinds[] = {
    {TDVF_BFV, "BFV", true, false},
    {TDVF_CFV, "CFV", true, true},
    {TDVF_TD_HOB, "TD HOB", false, true},
    {TDVF_TEMP_MEM, "temporary memory", false, false},
};

static const struct section_kind *kind_of(enum tdvf_section_type type)
{
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        if (kinds[i].type == type)
            return &kinds[i];
    return NULL;
}

static int check_place(const struct tdvf_section *section, size_t index, struct error *err)
{
    if (section->address % MEMORY_PAGE != 0 || section->size % MEMORY_PAGE != 0 ||
        section->size == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "TDVF section %zu: MemoryAddress 0x%llx, MemoryDataSize 0x%llx: not whole "
                         "pages",
                         index, (unsigned long long) section->address,
                         (unsigned long long) section->size);
    if (section->size > TDVF_MEMORY_MAX || section->address >= UINT64_C(1) << 32 ||
        section->address + section->size > UINT64_C(1) << 32)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "TDVF section %zu: MemoryAddress 0x%llx, MemoryDataSize 0x%llx: more than "
                         "%d bytes, or beyond 4 GiB",
                         index, (unsigned long long) section->address,
                         (unsigned long long) section->size, TDVF_MEMORY_MAX);
    return 0;
}

/* A volume fills its memory: what else there would be in it is up to the VMM. */
static int check_data(const struct tdvf_section *section, size_t index, size_t firmware,
                      struct error *err)
{
    const struct section_kind *kind = kind_of(section->type);

    if (!kind)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "TDVF section %zu: type %u is none that QEMU takes (0 to %d)", index,
                         section->type, TDVF_TEMP_MEM);
    if (section->attributes & ~(uint32_t) TDVF_MEASURED)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "TDVF section %zu: attributes 0x%x: only bit 0 (MR.EXTEND) is known",
                         index, section->attributes);
    if (section->data_size != (kind->has_data ? section->size : 0))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "TDVF section %zu: RawDataSize 0x%x of a %s with MemoryDataSize 0x%llx",
                         index, section->data_size, kind->name, (unsigned long long) section->size);
    if (section->data_at > firmware || section->data_size > firmware - section->data_at)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "TDVF section %zu: DataOffset 0x%x, RawDataSize 0x%x: beyond the "
                         "firmware's 0x%zx bytes",
                         index, section->data_at, section->data_size, firmware);
    if (!kind->has_data && section->attributes)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "TDVF section %zu: attributes 0x%x: a %s has no contents to measure",
                         index, section->attributes, kind->name);
    return 0;
}

static int check_others(const struct tdvf_metadata *metadata, const struct tdvf_section *section,
                        struct error *err)
{
    struct memory_range range = {section->address, section->size};

    for (size_t i = 0; i < metadata->count; i++) {
        const struct tdvf_section *other = &metadata->sections[i];

        if (memory_range_overlaps((struct memory_range){other->address, other->size}, range))
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "TDVF section %zu: MemoryAddress 0x%llx, MemoryDataSize 0x%llx: "
                             "overlaps section %zu",
                             metadata->count, (unsigned long long) section->address,
                             (unsigned long long) section->size, i);
        if (kind_of(section->type)->single && other->type == section->type)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "TDVF section %zu: a second %s (section %zu)", metadata->count,
                             kind_of(section->type)->name, i);
    }
    return 0;
}

static int read_sections(const struct ovmf_table *table, const uint8_t *bytes, size_t count,
                         struct tdvf_metadata *metadata, struct error *err)
{
    uint64_t total = 0;

    for (size_t i = 0; i < count; i++, bytes += SECTION_SIZE) {
        struct tdvf_section section = {
            .data_at = le_u32(bytes),
            .data_size = le_u32(bytes + 4),
            .address = le_u64(bytes + 8),
            .size = le_u64(bytes + 16),
            .type = le_u32(bytes + 24),
            .attributes = le_u32(bytes + 28),
        };

        if (check_place(&section, i, err) < 0 || check_data(&section, i, table->size, err) < 0 ||
            check_others(metadata, &section, err) < 0)
            return -1;
        total += section.size;
        if (total > TDVF_MEMORY_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "TDVF section %zu: MemoryDataSize 0x%llx: all together are more than "
                             "%d bytes",
                             i, (unsigned long long) section.size, TDVF_MEMORY_MAX);
        metadata->sections[metadata->count++] = section;
    }
    return 0;
}

/* The descriptor, behind its GUID. */
static int read_descriptor(const struct ovmf_table *table, size_t at,
                           struct tdvf_metadata *metadata, struct error *err)
{
    const uint8_t *bytes = table->image + at;
    uint32_t length = le_u32(bytes + 4), version = le_u32(bytes + 8), count = le_u32(bytes + 12);

    if (at < GUID_SIZE || memcmp(bytes - GUID_SIZE, metadata_guid, GUID_SIZE) != 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the TDX metadata at 0x%zx of the firmware has no GUID before it", at);
    if (memcmp(bytes, signature, sizeof(signature)) != 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the TDX metadata at 0x%zx of the firmware has no signature 'TDVF'", at);
    if (version != VERSION)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the version of the TDX metadata is %u, not %d", version, VERSION);
    if (count == 0 || count > TDVF_SECTIONS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "NumberOfSectionEntries of the TDX metadata is %u, not 1 to %d", count,
                         TDVF_SECTIONS_MAX);
    if (length != HEADER_SIZE + count * SECTION_SIZE || length > table->size - at)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the length of the TDX metadata is %u: not that of %u sections within the "
                         "firmware",
                         length, count);
    return read_sections(table, bytes + HEADER_SIZE, count, metadata, err);
}

int tdvf_metadata_read(const struct ovmf_table *table, struct tdvf_metadata *ret, struct error *err)
{
    struct tdvf_metadata metadata = {0};
    size_t at;

    if (ovmf_table_place(table, OVMF_TDX_METADATA, HEADER_SIZE, &at, err) < 0 ||
        read_descriptor(table, at, &metadata, err) < 0)
        return -1;
    if (!tdvf_metadata_find(&metadata, TDVF_BFV) || !tdvf_metadata_find(&metadata, TDVF_TD_HOB))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the TDX metadata has no section of type %d (BFV) or %d (TD HOB)",
                         TDVF_BFV, TDVF_TD_HOB);
    *ret = metadata;
    return 0;
}

const struct tdvf_section *tdvf_metadata_find(const struct tdvf_metadata *metadata,
                                              enum tdvf_section_type type)
{
    for (size_t i = 0; i < metadata->count; i++)
        if (metadata->sections[i].type == type)
            return &metadata->sections[i];
    return NULL;
}
