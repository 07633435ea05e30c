/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/snp_launch.h"

#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "measure/kernel_hashes.h"
#include "measure/le.h"
#include "measure/memory_range.h"
#include "measure/ovmf_table.h"
#include "measure/sev_metadata.h"
#include "measure/vmsa.h"

/* PAGE_INFO: the digest so far, that of the page, its own length, type, whether it is part of an
 * initial migration image, permissions of VMPL 3 to 1, a reserved byte, the address. */
enum {
    CONTENTS_AT = SHA384_SIZE,
    LENGTH_AT = 2 * SHA384_SIZE,
    TYPE_AT = LENGTH_AT + 2,
    ADDRESS_AT = LENGTH_AT + 8,
    PAGE_INFO_SIZE = ADDRESS_AT + 8,
};
enum page_type {
    PAGE_NORMAL = 1,
    PAGE_VMSA = 2,
    PAGE_ZERO = 3,
    PAGE_SECRETS = 5,
    PAGE_CPUID = 6,
};

/* Where KVM has the hardware believe that the page of a processor is. */
#define VMSA_ADDRESS UINT64_C(0xfffffffff000)

/* Contents that the launch digest does not cover: NULL. */
static void add_page(uint8_t digest[SHA384_SIZE], enum page_type type, uint64_t address,
                     const uint8_t *contents)
{
    uint8_t info[PAGE_INFO_SIZE] = {0};

    memcpy(info, digest, SHA384_SIZE);
    if (contents)
        digest_sha384(contents, MEMORY_PAGE, info + CONTENTS_AT);
    le_put_u16(info + LENGTH_AT, PAGE_INFO_SIZE);
    info[TYPE_AT] = (uint8_t) type;
    le_put_u64(info + ADDRESS_AT, address);
    digest_sha384(info, sizeof(info), digest);
}

static void add_firmware(uint8_t digest[SHA384_SIZE], const struct ovmf_table *table)
{
    uint64_t start = (UINT64_C(1) << 32) - table->size;

    for (size_t at = 0; at < table->size; at += MEMORY_PAGE)
        add_page(digest, PAGE_NORMAL, start + at, table->image + at);
}

static void add_kernel_hashes(uint8_t digest[SHA384_SIZE], const struct sev_metadata *metadata,
                              uint64_t address, const struct kernel_hashes *kernel)
{
    uint8_t page[KERNEL_HASHES_PAGE];

    kernel_hashes_page(kernel, metadata->hash_table % MEMORY_PAGE, page);
    add_page(digest, PAGE_NORMAL, address, page);
}

static void add_section(uint8_t digest[SHA384_SIZE], const struct sev_metadata *metadata,
                        const struct sev_section *section, const struct kernel_hashes *kernel)
{
    enum page_type type = section->type == SEV_SECTION_SECRETS ? PAGE_SECRETS
                          : section->type == SEV_SECTION_CPUID ? PAGE_CPUID
                                                               : PAGE_ZERO;

    if (section->type == SEV_SECTION_KERNEL_HASHES && kernel) {
        add_kernel_hashes(digest, metadata, section->start, kernel);
        return;
    }
    for (uint64_t at = 0; at < section->size; at += MEMORY_PAGE)
        add_page(digest, type, section->start + at, NULL);
}

static void add_vcpus(uint8_t digest[SHA384_SIZE], const struct snp_launch *launch,
                      uint32_t reset_address)
{
    struct vmsa vmsa = {VMSA_FIRST_ADDRESS, launch->vcpu_signature, launch->features};
    uint8_t page[VMSA_SIZE];

    for (uint32_t i = 0; i < launch->vcpus; i++) {
        if (i < 2)
            vmsa_page(&vmsa, page);
        add_page(digest, PAGE_VMSA, VMSA_ADDRESS, page);
        vmsa.address = reset_address;
    }
}

static int check_launch(const struct snp_launch *launch, const struct sev_metadata *metadata,
                        struct error *err)
{
    if (launch->vcpus == 0 || launch->vcpus > SNP_LAUNCH_VCPUS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%u vCPUs, not 1 to %d", launch->vcpus,
                         SNP_LAUNCH_VCPUS_MAX);
    if (!(launch->features & VMSA_FEATURE_SNP))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "SEV_FEATURES 0x%llx lack bit 0, which each SEV-SNP guest has",
                         (unsigned long long) launch->features);
    if (launch->vcpus > 1 && metadata->reset_address == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the firmware's table names no 'SEV-ES reset block': where more than "
                         "one vCPU starts is unknown");
    if (launch->kernel && metadata->hash_table == 0)
        return error_set(
            err, STATUS_INVALID_ARGUMENT,
            "the SEV metadata has no section for the hashes of a kernel: this firmware "
            "does not check what it boots (one that does: OVMF's AmdSev build)");
    return 0;
}

int snp_launch_digest(const struct snp_launch *launch, uint8_t ret[SHA384_SIZE], struct error *err)
{
    uint8_t digest[SHA384_SIZE] = {0};
    struct sev_metadata metadata;
    struct ovmf_table table;

    if (ovmf_table_open(&table, launch->firmware, launch->firmware_size, err) < 0 ||
        sev_metadata_read(&table, &metadata, err) < 0 || check_launch(launch, &metadata, err) < 0)
        return -1;
    add_firmware(digest, &table);
    for (size_t i = 0; i < metadata.count; i++)
        add_section(digest, &metadata, &metadata.sections[i], launch->kernel);
    add_vcpus(digest, launch, metadata.reset_address);
    memcpy(ret, digest, sizeof(digest));
    return 0;
}
