/* SPDX-License-Identifier: Apache-2.0 */
/* What `cleave measure` takes apart. One byte says what follows: a kernel, or a firmware image. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "measure/authenticode.h"
#include "measure/firmware_volume.h"
#include "measure/kernel_version.h"
#include "measure/ovmf_table.h"
#include "measure/setup_header.h"
#include "measure/sev_metadata.h"
#include "measure/tdvf_metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_kernel(const uint8_t *data, size_t size)
{
    static const struct setup_shape shape = {
        .memory = 512u << 20, .initrd_size = 12345678, .cmdline = "quiet"};
    scoped(freep) uint8_t *kernel = xmemdup(data, size);
    uint8_t digest[SHA256_SIZE];
    struct kernel_version version;
    struct error err;

    (void) kernel_version_read(kernel, size, &version);
    (void) !authenticode_digest(kernel, size, DIGEST_SHA256, digest, &err);
    if (setup_header_patch(kernel, size, &shape, &err) == 0)
        (void) !authenticode_digest(kernel, size, DIGEST_SHA256, digest, &err);
}

static void check_volumes(const uint8_t *data, size_t size)
{
    struct firmware_volumes volumes;
    struct error err;
    unsigned sum = 0;

    if (firmware_volumes_unpack(data, size, &volumes, &err) < 0)
        return;
    if (volumes.count == 0 || volumes.count > FIRMWARE_VOLUMES_MAX)
        abort();
    for (size_t i = 0; i < volumes.count; i++)
        for (size_t j = 0; j < volumes.items[i].size; j++)
            sum += volumes.items[i].data[j]; /* is there */
    firmware_volumes_fini(&volumes);
    if (sum == 1)
        return;
}

static void check_table(const uint8_t *data, size_t size)
{
    static struct tdvf_metadata tdvf;
    static struct sev_metadata sev;
    struct ovmf_table table;
    struct error err;

    if (ovmf_table_open(&table, data, size, &err) < 0)
        return;
    for (size_t i = 0; i < OVMF_ENTRIES; i++)
        if (table.entries[i].data && (table.entries[i].data < data || table.entries[i].size > size))
            abort();
    if (sev_metadata_read(&table, &sev, &err) == 0 && sev.count > SEV_SECTIONS_MAX)
        abort();
    if (tdvf_metadata_read(&table, &tdvf, &err) < 0)
        return;
    for (size_t i = 0; i < tdvf.count; i++)
        if ((size_t) tdvf.sections[i].data_at + tdvf.sections[i].data_size > size)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] & 1) {
        check_kernel(data + 1, size - 1);
        return 0;
    }
    check_table(data + 1, size - 1);
    check_volumes(data + 1, size - 1);
    return 0;
}
