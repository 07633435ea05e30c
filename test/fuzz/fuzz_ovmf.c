/* SPDX-License-Identifier: Apache-2.0 */
/* The end of an image of whole pages (what is before it is zero): whatever is taken lies within the
 * image or below it, overlaps nothing, and can be measured. */
#include <stdlib.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/scoped.h"
#include "measure/memory_range.h"
#include "measure/ovmf_table.h"
#include "measure/snp_launch.h"
#include "measure/sev_metadata.h"
#include "measure/td_hob.h"
#include "measure/td_launch.h"
#include "measure/tdvf_metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IMAGE_MAX = 4 * MEMORY_PAGE };

static void check_tdvf(const struct ovmf_table *table)
{
    struct tdvf_metadata metadata;
    uint8_t digest[SHA384_SIZE];
    struct error err = {0};

    if (tdvf_metadata_read(table, &metadata, &err) < 0)
        return;
    for (size_t i = 0; i < metadata.count; i++)
        if (metadata.sections[i].data_at + (uint64_t) metadata.sections[i].data_size > table->size)
            abort();
    td_launch_digest(table, &metadata, digest);
    if (td_hob_digest(&metadata, UINT64_C(1) << 31, digest, &err) < 0 && !err.message[0])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t image[IMAGE_MAX];
    size_t pages = (size + MEMORY_PAGE - 1) / MEMORY_PAGE * MEMORY_PAGE;
    struct snp_launch launch = {
        .firmware = image, .firmware_size = pages, .vcpus = 2, .features = 1};
    uint8_t digest[SHA384_SIZE];
    struct sev_metadata sev;
    struct ovmf_table table;
    struct error err = {0};

    if (size == 0 || size > sizeof(image))
        return 0;
    memset(image, 0, pages);
    memcpy(image + pages - size, data, size);
    if (ovmf_table_open(&table, image, pages, &err) < 0)
        return 0;
    check_tdvf(&table);
    if (sev_metadata_read(&table, &sev, &err) < 0)
        return 0;
    for (size_t i = 0; i < sev.count; i++)
        if ((uint64_t) sev.sections[i].start + sev.sections[i].size > (UINT64_C(1) << 32) - pages)
            abort();
    if (snp_launch_digest(&launch, digest, &err) < 0 && !err.message[0])
        abort();
    return 0;
}
