/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels and firmware that are to be measured. */
#include "base/error.h"
#include "base/scoped.h"
#include "measure/authenticode.h"
#include "measure/firmware_volume.h"
#include "measure/setup_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scoped(firmware_volumes_fini) struct firmware_volumes volumes = {0};
    scoped(freep) uint8_t *kernel = xmemdup(data, size);
    const struct setup_shape shape = {UINT64_C(1) << 30, 4096, "quiet"};
    uint8_t digest[SHA384_SIZE];
    struct error err;

    if (setup_header_patch(kernel, size, &shape, &err) == 0 &&
        authenticode_digest(kernel, size, DIGEST_SHA256, digest, &err) == 0)
        return 0;
    if (authenticode_digest(data, size, DIGEST_SHA384, digest, &err) == 0)
        return 0;
    if (firmware_volumes_unpack(data, size, &volumes, &err) == 0 && !volumes.count)
        abort();
    return 0;
}
