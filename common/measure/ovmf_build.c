/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/ovmf_build.h"

#include "base/digest.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "base/text.h"
#include "measure/le.h"
#include "measure/setup_header.h"

#define GIB (UINT64_C(1) << 30)

/* What edk2-stable202211 knows of the platform, a packed structure; on a q35, 40 address bits. Only
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
};

enum { S3_SIZE = 512 * 1024, S3_SIZE_PER_PROCESSOR = 32 * 1024, ACPI_TIMER_PORT = 0x608 };

/* The firmware's window for devices above 4 GiB, as it guesses at first: 32 GiB, and aligned to
 * that. */
static uint64_t first_non_address(uint64_t memory)
{
    uint64_t low = setup_low_memory(memory);
    uint64_t top = low < memory ? 4 * GIB + memory - low : 4 * GIB;

    return (top + 32 * GIB - 1) / (32 * GIB) * (32 * GIB) + 32 * GIB;
}

static void write_platform(uint8_t *info, const struct ovmf_shape *shape)
{
    uint32_t s3_size = S3_SIZE + shape->vcpus * S3_SIZE_PER_PROCESSOR;
    uint32_t end = (uint32_t) setup_low_memory(shape->memory);

    le_put_u16(info + INFO_HOST_BRIDGE, 0x29c0);
    info[INFO_S3_SUPPORTED] = 1;
    le_put_u64(info + INFO_FIRST_NON_ADDRESS, first_non_address(shape->memory));
    info[INFO_ADDRESS_BITS] = 40;
    le_put_u32(info + INFO_UNCACHED_BASE, end > 0x80000000 ? 0xb0000000 : 0x80000000);
    le_put_u64(info + INFO_MMIO64_BASE, UINT64_C(7) << 37);
    le_put_u64(info + INFO_MMIO64_SIZE, UINT64_C(1) << 37);
    le_put_u32(info + INFO_MMIO32_BASE, 0xc0000000);
    le_put_u32(info + INFO_MMIO32_SIZE, 0x3c000000);
    le_put_u64(info + INFO_IO_BASE, 0x6000);
    le_put_u64(info + INFO_IO_SIZE, 0xa000);
    le_put_u32(info + INFO_BOOT_PROCESSORS, shape->vcpus);
    le_put_u32(info + INFO_MAX_PROCESSORS, shape->vcpus);
    le_put_u32(info + INFO_DEFAULT_PROCESSORS, 64);
    le_put_u32(info + INFO_S3_BASE, end - s3_size);
    le_put_u32(info + INFO_S3_SIZE, s3_size);
    info[INFO_CONFIG_CHECKED] = info[INFO_CONFIG_SUPPORTED] = 1;
}

static void write_timer(uint8_t *port, const struct ovmf_shape *shape)
{
    le_put_u16(port, ACPI_TIMER_PORT);
}

static const struct ovmf_build builds[] = {
    {.compared = "boots of Debian's ovmf 2022.11-6+deb12u2, OVMF.fd, in QEMU 7.2.22 without KVM",
     .volume = "18e2c1cc4960c2694c162e8e756fbf467aaeceee7dbfe1e1dd919ffb2cd9a9d2",
     .version = "",
     .address_bits = 40,
     .at = 0xefd8,
     .write = write_platform},
    {.compared = "a log of Debian's ovmf 2022.11-6+deb12u2, OVMF_CODE_4M.fd, in QEMU 7.2.22 "
                 "without KVM",
     .volume = "471281a7d197d12ac61a810e5150b9b5ddc47be78ef0c24af7a8192c81b3a808",
     .version = "",
     .address_bits = 40,
     .at = 0xe0d8,
     .write = write_platform},
    {.compared = "a boot of Debian's ovmf 2025.02-8+deb13u1, OVMF.fd, in QEMU 7.2.22 without KVM",
     .compared_as_file =
         "a boot of Debian's ovmf 2025.02-8+deb13u1, OVMF.fd, which was offered the "
         "kernel as etc/boot/kernel, in QEMU 7.2.22 without KVM",
     .volume = "acc7cc32f3e05161d1620022562909c284f700d73082cf7ac159451a3f7c7212",
     .version = "2025.02-8+deb13u1",
     .secure_boot = OVMF_SECURE_BOOT_ABSENT,
     .at = 0x6e50,
     .write = write_timer},
};

const struct ovmf_build *ovmf_build_find(const uint8_t *volume, size_t size)
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
