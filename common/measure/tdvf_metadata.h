/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What TDVF (OVMF for TDX) asks of a VMM that builds a trust domain: its own parts, and the memory
 * that is to be there before it runs. */
#include <stddef.h>
#include <stdint.h>

struct error;
struct ovmf_table;

enum { TDVF_SECTIONS_MAX = 32, TDVF_MEMORY_MAX = 64 * 1024 * 1024 };

enum tdvf_section_type {
    TDVF_BFV = 0,      /* the boot firmware volume: code */
    TDVF_CFV = 1,      /* the configuration firmware volume: variables */
    TDVF_TD_HOB = 2,   /* where the VMM tells the guest its memory */
    TDVF_TEMP_MEM = 3, /* without contents */
};

enum { TDVF_MEASURED = 1 }; /* attribute: the contents go into MRTD, not only the address */

struct tdvf_section {
    uint32_t data_at, data_size; /* in the image */
    uint64_t address, size;      /* whole pages */
    enum tdvf_section_type type;
    uint32_t attributes;
};

struct tdvf_metadata {
    struct tdvf_section sections[TDVF_SECTIONS_MAX];
    size_t count;
};

/* A firmware without a BFV or a TD HOB, or with two TD HOBs or CFVs, is refused. */
int tdvf_metadata_read(const struct ovmf_table *table, struct tdvf_metadata *ret, struct error *err)
    __attribute__((warn_unused_result));
/* The first of that type, NULL. */
const struct tdvf_section *tdvf_metadata_find(const struct tdvf_metadata *metadata,
                                              enum tdvf_section_type type);
