/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/platform_info.h"

#include "base/digest.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "base/text.h"
#include "measure/le.h"
#include "measure/setup_header.h"

/* The variable as edk2-stable202211 lays it out (packed) on a q35 without Secure Boot's SMM. Only
 * fields that are not zero are listed. */
enum {
    INFO_HOST_BRIDGE = 0,
    INFO_S3_SUPPORTED = 15,
    INFO_FIRST_NON_ADDRESS = 20,
    INFO_ADDRESS_BITS = 28,
    INFO_UNCACHED_BASE = 29,
    INFO_MMIO64_BASE = 46,
    INFO_MMIO64_SIZE = 54,
    INFO_MMIO32_BASE = 62,
    INFO_MMIO32_SIZE = 66,
    INFO_IO_BASE = 70,
    INFO_IO_SIZE = 78,
    INFO_BOOT_PROCESSORS = 94,
    INFO_MAX_PROCESSORS = 98,
    INFO_DEFAULT_PROCESSORS = 102,
    INFO_S3_BASE = 106,
    INFO_S3_SIZE = 110,
    INFO_CONFIG_CHECKED = 114,
    INFO_CONFIG_SUPPORTED = 115,
    INFO_SIZE = 116,
};

enum { S3_SIZE = 512 * 1024, S3_SIZE_PER_PROCESSOR = 32 * 1024 };

static const struct platform_build builds[] = {
    {.name = "Debian ovmf 2022.11-6+deb12u2, OVMF.fd",
     .compared = "boots of Debian's ovmf 2022.11-6+deb12u2 in QEMU 7.2.22 without KVM",
     .volume = "18e2c1cc4960c2694c162e8e756fbf467aaeceee7dbfe1e1dd919ffb2cd9a9d2",
     .at = 0xefd8,
     .address_bits = 40},
};

const struct platform_build *platform_build_find(const uint8_t *volume, size_t size)
{
    uint8_t digest[SHA256_SIZE];
    char text[2 * SHA256_SIZE + 1];

    digest_sha256(volume, size, digest);
    hex_encode(digest, sizeof(digest), text);
    for (size_t i = 0; i < ARRAY_LENGTH(builds); i++)
        if (text_equal(builds[i].volume, text))
            return &builds[i];
    return NULL;
}

void platform_info_write(const struct platform_build *build, const struct platform_shape *shape,
                         uint8_t *volume)
{
    uint8_t *info = volume + build->at;
    uint64_t end = UINT64_C(1) << build->address_bits, window = end / 8;
    uint32_t s3_size = S3_SIZE + shape->vcpus * S3_SIZE_PER_PROCESSOR;

    if (!build->at)
        return;
    le_put_u16(info + INFO_HOST_BRIDGE, 0x29c0);
    info[INFO_S3_SUPPORTED] = 1;
    le_put_u64(info + INFO_FIRST_NON_ADDRESS, UINT64_C(1) << 36);
    info[INFO_ADDRESS_BITS] = (uint8_t) build->address_bits;
    le_put_u32(info + INFO_UNCACHED_BASE, 0x80000000);
    le_put_u64(info + INFO_MMIO64_BASE, end - window);
    le_put_u64(info + INFO_MMIO64_SIZE, window);
    le_put_u32(info + INFO_MMIO32_BASE, 0xc0000000);
    le_put_u32(info + INFO_MMIO32_SIZE, 0x3c000000);
    le_put_u64(info + INFO_IO_BASE, 0x6000);
    le_put_u64(info + INFO_IO_SIZE, 0xa000);
    le_put_u32(info + INFO_BOOT_PROCESSORS, shape->vcpus);
    le_put_u32(info + INFO_MAX_PROCESSORS, shape->vcpus);
    le_put_u32(info + INFO_DEFAULT_PROCESSORS, 64);
    le_put_u32(info + INFO_S3_BASE, (uint32_t) setup_low_memory(shape->memory) - s3_size);
    le_put_u32(info + INFO_S3_SIZE, s3_size);
    info[INFO_CONFIG_CHECKED] = info[INFO_CONFIG_SUPPORTED] = 1;
}
