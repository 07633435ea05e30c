/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What OVMF asks of a VMM that launches it under SEV-SNP: pages that are to be there, and of which
 * type, before it runs. */
#include <stddef.h>
#include <stdint.h>

struct error;
struct ovmf_table;

enum { SEV_SECTIONS_MAX = 32, SEV_MEMORY_MAX = 64 * 1024 * 1024 };

enum sev_section_type { /* of OvmfSevMetadata */
                        SEV_SECTION_MEMORY = 1,
                        SEV_SECTION_SECRETS = 2,
                        SEV_SECTION_CPUID = 3,
                        SEV_SECTION_SVSM_CAA = 4,
                        SEV_SECTION_KERNEL_HASHES = 0x10,
};

struct sev_section { /* whole pages */
    uint32_t start, size;
    enum sev_section_type type;
};

struct sev_metadata {
    struct sev_section sections[SEV_SECTIONS_MAX];
    size_t count;
    uint32_t reset_address; /* of every processor but the first; 0: the firmware has none */
    uint32_t hash_table;    /* address; 0: it takes no hashes of a kernel */
};

int sev_metadata_read(const struct ovmf_table *table, struct sev_metadata *ret, struct error *err)
    __attribute__((warn_unused_result));
