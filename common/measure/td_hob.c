/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/td_hob.h"

#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "measure/le.h"
#include "measure/memory_range.h"
#include "measure/tdvf_metadata.h"

/* EFI_HOB_HANDOFF_INFO_TABLE, EFI_HOB_RESOURCE_DESCRIPTOR, the generic header at the end. */
enum {
    HANDOFF = 1,
    HANDOFF_SIZE = 56,
    HANDOFF_VERSION = 9,
    HANDOFF_VERSION_AT = 8,
    HANDOFF_END_AT = 48,
    RESOURCE = 3,
    RESOURCE_SIZE = 48,
    RESOURCE_TYPE_AT = 24,
    RESOURCE_ATTRIBUTES_AT = 28,
    RESOURCE_START_AT = 32,
    RESOURCE_LENGTH_AT = 40,
    END_SIZE = 8,
};
enum { RESOURCE_MEMORY = 0, RESOURCE_UNACCEPTED = 7 };
enum { PRESENT_INITIALISED_TESTED = 7 };
/* The sections that are there already, a gap before each, the rest, what is above 4 GiB. */
enum { LIST_MAX = HANDOFF_SIZE + (2 * TDVF_SECTIONS_MAX + 2) * RESOURCE_SIZE };

#define LOW_MEMORY_MOST UINT64_C(0xb0000000) /* a q35 with less has all of it below 4 GiB... */
#define LOW_MEMORY_ELSE UINT64_C(0x80000000) /* ...with more, that much */
#define MEMORY_MAX      (UINT64_C(1) << 46)
#define FOUR_GIB        (UINT64_C(1) << 32)

struct list {
    uint8_t bytes[LIST_MAX];
    size_t size;
};

static void add_resource(struct list *list, unsigned type, uint64_t start, uint64_t length)
{
    uint8_t *to = list->bytes + list->size;

    if (length == 0)
        return;
    le_put_u16(to, RESOURCE);
    le_put_u16(to + 2, RESOURCE_SIZE);
    le_put_u32(to + RESOURCE_TYPE_AT, type);
    le_put_u32(to + RESOURCE_ATTRIBUTES_AT, PRESENT_INITIALISED_TESTED);
    le_put_u64(to + RESOURCE_START_AT, start);
    le_put_u64(to + RESOURCE_LENGTH_AT, length);
    list->size += RESOURCE_SIZE;
}

/* The section that follows an address, NULL: none. Volumes do not count: they are no RAM. */
static const struct tdvf_section *next_section(const struct tdvf_metadata *metadata, uint64_t from)
{
    const struct tdvf_section *next = NULL;

    for (size_t i = 0; i < metadata->count; i++) {
        const struct tdvf_section *section = &metadata->sections[i];

        if (section->type != TDVF_TD_HOB && section->type != TDVF_TEMP_MEM)
            continue;
        if (section->address >= from && (!next || section->address < next->address))
            next = section;
    }
    return next;
}

static int add_low_memory(struct list *list, const struct tdvf_metadata *metadata, uint64_t size,
                          struct error *err)
{
    const struct tdvf_section *section;
    uint64_t at = 0;

    while ((section = next_section(metadata, at))) {
        uint64_t end = section->address + section->size;

        if (end > size)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "the firmware needs memory up to 0x%llx, a guest of that size has "
                             "0x%llx bytes below 4 GiB",
                             (unsigned long long) end, (unsigned long long) size);
        add_resource(list, RESOURCE_UNACCEPTED, at, section->address - at);
        add_resource(list, RESOURCE_MEMORY, section->address, section->size);
        at = end;
    }
    add_resource(list, RESOURCE_UNACCEPTED, at, size - at);
    return 0;
}

static void put_handoff(struct list *list, uint64_t address)
{
    le_put_u16(list->bytes, HANDOFF);
    le_put_u16(list->bytes + 2, HANDOFF_SIZE);
    le_put_u32(list->bytes + HANDOFF_VERSION_AT, HANDOFF_VERSION);
    le_put_u64(list->bytes + HANDOFF_END_AT, address + list->size + END_SIZE);
}

int td_hob_digest(const struct tdvf_metadata *metadata, uint64_t memory, uint8_t ret[SHA384_SIZE],
                  struct error *err)
{
    const struct tdvf_section *place = tdvf_metadata_find(metadata, TDVF_TD_HOB);
    uint64_t low = memory < LOW_MEMORY_MOST ? memory : LOW_MEMORY_ELSE;
    struct list list = {.size = HANDOFF_SIZE};

    if (memory == 0 || memory % MEMORY_PAGE != 0 || memory > MEMORY_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a memory of %llu bytes: not whole pages, or more than 64 TiB",
                         (unsigned long long) memory);
    if (add_low_memory(&list, metadata, low, err) < 0)
        return -1;
    add_resource(&list, RESOURCE_UNACCEPTED, FOUR_GIB, memory - low);
    if (list.size + END_SIZE > place->size)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a TD HOB of %zu bytes, but its section has 0x%llx", list.size + END_SIZE,
                         (unsigned long long) place->size);
    put_handoff(&list, place->address);
    digest_sha384(list.bytes, list.size, ret);
    return 0;
}
