/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/sev_metadata.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "measure/kernel_hashes.h"
#include "measure/le.h"
#include "measure/memory_range.h"
#include "measure/ovmf_table.h"

enum {
    HEADER_SIZE = 16, /* signature, size, version, number of sections */
    SECTION_SIZE = 12,
    VERSION = 1,
};

static const char signature[4] = {'A', 'S', 'E', 'V'};

/* Whether a type is one page that there is once, or any memory. */
static const struct section_kind {
    enum sev_section_type type;
    bool single;
} kinds[] = {
    {SEV_SECTION_MEMORY, false},   {SEV_SECTION_SECRETS, true},       {SEV_SECTION_CPUID, true},
    {SEV_SECTION_SVSM_CAA, false}, {SEV_SECTION_KERNEL_HASHES, true},
};

static const struct section_kind *kind_of(enum sev_section_type type)
{
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        if (kinds[i].type == type)
            return &kinds[i];
    return NULL;
}

static struct memory_range range_of(const struct sev_section *section)
{
    return (struct memory_range){section->start, section->size};
}

static int check_place(const struct sev_section *section, size_t index, size_t firmware,
                       struct error *err)
{
    uint64_t end = (uint64_t) section->start + section->size;

    if (section->start % MEMORY_PAGE != 0 || section->size % MEMORY_PAGE != 0 || section->size == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "SEV section %zu: address 0x%x, size 0x%x: not whole pages", index,
                         section->start, section->size);
    if (end > (UINT64_C(1) << 32) - firmware)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "SEV section %zu: address 0x%x, size 0x%x: reaches into the firmware",
                         index, section->start, section->size);
    return 0;
}

static int check_type(const struct sev_section *section, size_t index, struct error *err)
{
    const struct section_kind *kind = kind_of(section->type);

    if (!kind)
        return error_set(err, STATUS_INVALID_ARGUMENT, "SEV section %zu: type %u is unknown", index,
                         section->type);
    if (kind->single && section->size != MEMORY_PAGE)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "SEV section %zu: a section of type %u has one page, not size 0x%x", index,
                         section->type, section->size);
    return 0;
}

static int check_others(const struct sev_metadata *metadata, const struct sev_section *section,
                        struct error *err)
{
    bool single = kind_of(section->type)->single;

    for (size_t i = 0; i < metadata->count; i++) {
        if (memory_range_overlaps(range_of(&metadata->sections[i]), range_of(section)))
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "SEV section %zu: address 0x%x, size 0x%x: overlaps section %zu",
                             metadata->count, section->start, section->size, i);
        if (single && metadata->sections[i].type == section->type)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "SEV section %zu: type %u a second time (section %zu)",
                             metadata->count, section->type, i);
    }
    return 0;
}

static int read_sections(const uint8_t *bytes, size_t count, size_t firmware,
                         struct sev_metadata *metadata, struct error *err)
{
    uint64_t total = 0;

    for (size_t i = 0; i < count; i++, bytes += SECTION_SIZE) {
        struct sev_section section = {le_u32(bytes), le_u32(bytes + 4), le_u32(bytes + 8)};

        if (check_place(&section, i, firmware, err) < 0 || check_type(&section, i, err) < 0 ||
            check_others(metadata, &section, err) < 0)
            return -1;
        total += section.size;
        if (total > SEV_MEMORY_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "SEV section %zu: size 0x%x: all together are more than %d bytes", i,
                             section.size, SEV_MEMORY_MAX);
        metadata->sections[metadata->count++] = section;
    }
    return 0;
}

static int read_header(const struct ovmf_table *table, struct sev_metadata *metadata,
                       struct error *err)
{
    const uint8_t *bytes;
    uint32_t size, version, count;
    size_t at;

    if (ovmf_table_place(table, OVMF_SEV_METADATA, HEADER_SIZE, &at, err) < 0)
        return -1;
    bytes = table->image + at;
    size = le_u32(bytes + 4);
    version = le_u32(bytes + 8);
    count = le_u32(bytes + 12);
    if (memcmp(bytes, signature, sizeof(signature)) != 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the SEV metadata at 0x%zx of the firmware has no signature 'ASEV'", at);
    if (version != VERSION)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the version of the SEV metadata is %u, not %d", version, VERSION);
    if (count == 0 || count > SEV_SECTIONS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the SEV metadata has %u sections, not 1 to "
                         "%d",
                         count, SEV_SECTIONS_MAX);
    if (size != HEADER_SIZE + count * SECTION_SIZE || size > table->size - at)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the size of the SEV metadata is %u: not that of %u sections within the "
                         "firmware",
                         size, count);
    return read_sections(bytes + HEADER_SIZE, count, table->size, metadata, err);
}

/* The hashes of a kernel go to a place that lies in the page of that type; a firmware without such
 * a page may still have the entry, with zeros in it. */
static int read_hash_table(const struct ovmf_table *table, struct sev_metadata *metadata,
                           struct error *err)
{
    const uint8_t *data = table->entries[OVMF_HASH_TABLE].data;
    uint32_t address = 0, size = 0;

    if (data) {
        if (table->entries[OVMF_HASH_TABLE].size != 8)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "the entry 'SEV hash table' of the firmware's table has %zu bytes, "
                             "not 8",
                             table->entries[OVMF_HASH_TABLE].size);
        address = le_u32(data);
        size = le_u32(data + 4);
    }
    for (size_t i = 0; i < metadata->count; i++) {
        const struct sev_section *page = &metadata->sections[i];

        if (page->type != SEV_SECTION_KERNEL_HASHES)
            continue;
        if (address < page->start || size < KERNEL_HASHES_SIZE ||
            (uint64_t) address + size > (uint64_t) page->start + page->size)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "the SEV hash table, address 0x%x, size 0x%x, does not lie in SEV "
                             "section %zu",
                             address, size, i);
        metadata->hash_table = address;
    }
    return 0;
}

static int read_reset_block(const struct ovmf_table *table, struct sev_metadata *metadata,
                            struct error *err)
{
    if (!table->entries[OVMF_RESET_BLOCK].data)
        return 0;
    if (table->entries[OVMF_RESET_BLOCK].size != 4)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the entry 'SEV-ES reset block' of the firmware's table has %zu bytes, "
                         "not 4",
                         table->entries[OVMF_RESET_BLOCK].size);
    metadata->reset_address = le_u32(table->entries[OVMF_RESET_BLOCK].data);
    return 0;
}

int sev_metadata_read(const struct ovmf_table *table, struct sev_metadata *ret, struct error *err)
{
    struct sev_metadata metadata = {0};

    if (read_header(table, &metadata, err) < 0 || read_reset_block(table, &metadata, err) < 0 ||
        read_hash_table(table, &metadata, err) < 0)
        return -1;
    *ret = metadata;
    return 0;
}
