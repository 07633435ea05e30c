/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/td_launch.h"

#include <string.h>

#include "base/scoped.h"
#include "measure/le.h"
#include "measure/memory_range.h"
#include "measure/ovmf_table.h"
#include "measure/tdvf_metadata.h"

enum { BUFFER_SIZE = 128, ADDRESS_AT = 16, CHUNK = 256 };

static const char page_add[ADDRESS_AT] = "MEM.PAGE.ADD";
static const char extend[ADDRESS_AT] = "MR.EXTEND";

/* What the module hashes for a call: its name, the guest's address, zeros. */
static void add_call(struct digest *digest, const char name[ADDRESS_AT], uint64_t address)
{
    uint8_t buffer[BUFFER_SIZE] = {0};

    memcpy(buffer, name, ADDRESS_AT);
    le_put_u64(buffer + ADDRESS_AT, address);
    digest_update(digest, buffer, sizeof(buffer));
}

/* KVM adds a page and extends by its contents before it goes on to the next. */
static void add_section(struct digest *digest, const struct ovmf_table *table,
                        const struct tdvf_section *section)
{
    const uint8_t *data = table->image + section->data_at;

    for (uint64_t at = 0; at < section->size; at += CHUNK) {
        if (at % MEMORY_PAGE == 0)
            add_call(digest, page_add, section->address + at);
        if (!(section->attributes & TDVF_MEASURED))
            continue;
        add_call(digest, extend, section->address + at);
        digest_update(digest, data + at, CHUNK);
    }
}

void td_launch_digest(const struct ovmf_table *table, const struct tdvf_metadata *metadata,
                      uint8_t ret[SHA384_SIZE])
{
    scoped(digest_freep) struct digest *digest = digest_new(DIGEST_SHA384);

    for (size_t i = 0; i < metadata->count; i++)
        add_section(digest, table, &metadata->sections[i]);
    digest_value(digest, ret);
}
