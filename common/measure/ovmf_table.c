/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/ovmf_table.h"

#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "measure/le.h"
#include "measure/memory_range.h"

enum {
    GUID_SIZE = 16,
    BEHIND_TABLE = 32,
    HEADER_SIZE = 2 + GUID_SIZE, /* of an entry; it stands behind the entry's data */
};

static const uint8_t footer[GUID_SIZE] = {/* 96b582de-1fb2-45f7-baea-a366c55a082d */
                                          0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                                          0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};

static const struct {
    const char *name;
    uint8_t guid[GUID_SIZE];
} known[OVMF_ENTRIES] = {
    [OVMF_RESET_BLOCK] = {"SEV-ES reset block", /* 00f771de-1a7e-4fcb-890e-68c77e2fb44e */
                          {0xde, 0x71, 0xf7, 0x00, 0x7e, 0x1a, 0xcb, 0x4f, 0x89, 0x0e, 0x68, 0xc7,
                           0x7e, 0x2f, 0xb4, 0x4e}},
    [OVMF_HASH_TABLE] = {"SEV hash table", /* 7255371f-3a3b-4b04-927b-1da6efa8d454 */
                         {0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04, 0x4b, 0x92, 0x7b, 0x1d, 0xa6,
                          0xef, 0xa8, 0xd4, 0x54}},
    [OVMF_SEV_METADATA] = {"SEV metadata", /* dc886566-984a-4798-a75e-5585a7bf67cc */
                           {0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47, 0xa7, 0x5e, 0x55, 0x85,
                            0xa7, 0xbf, 0x67, 0xcc}},
    [OVMF_TDX_METADATA] = {"TDX metadata", /* e47a6535-984a-4798-865e-4685a7bf8ec2 */
                           {0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98, 0x98, 0x47, 0x86, 0x5e, 0x46, 0x85,
                            0xa7, 0xbf, 0x8e, 0xc2}},
};

static int take_entry(struct ovmf_table *table, const uint8_t *header, size_t size,
                      struct error *err)
{
    for (size_t i = 0; i < OVMF_ENTRIES; i++) {
        if (memcmp(header + 2, known[i].guid, GUID_SIZE) != 0)
            continue;
        if (table->entries[i].data)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "the firmware's table has its entry '%s' twice", known[i].name);
        table->entries[i].data = header + HEADER_SIZE - size;
        table->entries[i].size = size - HEADER_SIZE;
    }
    return 0;
}

/* From the end to the beginning: that is how the VMM walks it. */
static int walk(struct ovmf_table *table, size_t start, size_t end, struct error *err)
{
    while (end > start) {
        const uint8_t *header = table->image + end - HEADER_SIZE;
        size_t size;

        if (end - start < HEADER_SIZE)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "the firmware's table begins with %zu bytes that are no entry",
                             end - start);
        size = le_u16(header);
        if (size < HEADER_SIZE || size > end - start)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "the length of the entry at 0x%zx of the firmware is %zu, not %d to "
                             "%zu",
                             end - HEADER_SIZE, size, HEADER_SIZE, end - start);
        if (take_entry(table, header, size, err) < 0)
            return -1;
        end -= size;
    }
    return 0;
}

int ovmf_table_open(struct ovmf_table *ret, const void *image, size_t size, struct error *err)
{
    struct ovmf_table table = {.image = image, .size = size};
    size_t end, length;

    if (size == 0 || size > OVMF_SIZE_MAX || size % MEMORY_PAGE != 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the firmware has %zu bytes: not whole pages of %d, at most %d", size,
                         MEMORY_PAGE, OVMF_SIZE_MAX);
    end = size - BEHIND_TABLE - HEADER_SIZE;
    if (memcmp(table.image + end + 2, footer, GUID_SIZE) != 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the firmware has no table of GUIDs 32 bytes before its end: it is not an "
                         "OVMF image (or only its variables)");
    length = le_u16(table.image + end);
    if (length < HEADER_SIZE || length - HEADER_SIZE > end)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the length of the firmware's table is %zu, not %d to %zu", length,
                         HEADER_SIZE, end + HEADER_SIZE);
    if (walk(&table, end + HEADER_SIZE - length, end, err) < 0)
        return -1;
    *ret = table;
    return 0;
}

int ovmf_table_place(const struct ovmf_table *table, enum ovmf_entry entry, size_t need,
                     size_t *ret_at, struct error *err)
{
    uint32_t distance;

    if (!table->entries[entry].data)
        return error_set(err, STATUS_NOT_FOUND, "the firmware's table has no entry '%s'",
                         known[entry].name);
    if (table->entries[entry].size != sizeof(distance))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the entry '%s' of the firmware's table has %zu bytes, not %zu",
                         known[entry].name, table->entries[entry].size, sizeof(distance));
    distance = le_u32(table->entries[entry].data);
    if (distance > table->size || distance < need)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the %s begins %u bytes before the end of the firmware, not %zu to %zu",
                         known[entry].name, distance, need, table->size);
    *ret_at = table->size - distance;
    return 0;
}
