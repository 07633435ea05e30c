/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/kernel_hashes.h"

#include <assert.h>
#include <string.h>

#include "measure/le.h"

enum {
    GUID_SIZE = 16,
    HEADER_SIZE = GUID_SIZE + 2,
    ENTRY_SIZE = HEADER_SIZE + SHA256_SIZE,
    TABLE_SIZE = HEADER_SIZE + 3 * ENTRY_SIZE,
};
_Static_assert(KERNEL_HASHES_SIZE == (TABLE_SIZE + 15) / 16 * 16, "padded to 16 bytes");

static const uint8_t table_guid[GUID_SIZE] = {/* 9438d606-4f22-4cc9-b479-a793d411fd21 */
                                              0x06, 0xd6, 0x38, 0x94, 0x22, 0x4f, 0xc9, 0x4c,
                                              0xb4, 0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21};
static const uint8_t cmdline_guid[GUID_SIZE] = {/* 97d02dd8-bd20-4c94-aa78-e7714d36ab2a */
                                                0xd8, 0x2d, 0xd0, 0x97, 0x20, 0xbd, 0x94, 0x4c,
                                                0xaa, 0x78, 0xe7, 0x71, 0x4d, 0x36, 0xab, 0x2a};
static const uint8_t initrd_guid[GUID_SIZE] = {/* 44baf731-3a2f-4bd7-9af1-41e29169781d */
                                               0x31, 0xf7, 0xba, 0x44, 0x2f, 0x3a, 0xd7, 0x4b,
                                               0x9a, 0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78, 0x1d};
static const uint8_t kernel_guid[GUID_SIZE] = {/* 4de79437-abd2-427f-b835-d5b172d2045b */
                                               0x37, 0x94, 0xe7, 0x4d, 0xd2, 0xab, 0x7f, 0x42,
                                               0xb8, 0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04, 0x5b};

void kernel_hashes_of(const struct boot_files *files, struct kernel_hashes *ret)
{
    digest_sha256(files->kernel, files->kernel_size, ret->kernel);
    digest_sha256(files->initrd, files->initrd_size, ret->initrd);
    digest_sha256(files->cmdline, strlen(files->cmdline) + 1, ret->cmdline);
}

static uint8_t *put_header(uint8_t *to, const uint8_t guid[GUID_SIZE], uint16_t size)
{
    memcpy(to, guid, GUID_SIZE);
    le_put_u16(to + GUID_SIZE, size);
    return to + HEADER_SIZE;
}

static uint8_t *put_entry(uint8_t *to, const uint8_t guid[GUID_SIZE],
                          const uint8_t hash[SHA256_SIZE])
{
    to = put_header(to, guid, ENTRY_SIZE);
    memcpy(to, hash, SHA256_SIZE);
    return to + SHA256_SIZE;
}

void kernel_hashes_page(const struct kernel_hashes *hashes, size_t offset,
                        uint8_t ret[KERNEL_HASHES_PAGE])
{
    uint8_t *to = ret + offset;

    assert(offset <= KERNEL_HASHES_PAGE - KERNEL_HASHES_SIZE);
    memset(ret, 0, KERNEL_HASHES_PAGE);
    to = put_header(to, table_guid, TABLE_SIZE);
    to = put_entry(to, cmdline_guid, hashes->cmdline);
    to = put_entry(to, initrd_guid, hashes->initrd);
    (void) put_entry(to, kernel_guid, hashes->kernel);
}
