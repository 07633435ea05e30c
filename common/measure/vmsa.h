/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The registers with which a virtual processor of an SEV-SNP guest starts under QEMU and KVM, in
 * the page that the hardware measures (AMD's manual 24593, table B-4). */
#include <stdint.h>

enum { VMSA_SIZE = 4096 };
enum { VMSA_FEATURE_SNP = 1 }; /* set in each SEV-SNP guest */

#define VMSA_FIRST_ADDRESS 0xfffffff0u /* where the first processor starts */

struct vmsa {
    uint32_t address;   /* the first instruction */
    uint32_t signature; /* CPUID 1 EAX, which is in RDX at reset */
    uint64_t features;  /* SEV_FEATURES */
};

void vmsa_page(const struct vmsa *vmsa, uint8_t ret[VMSA_SIZE]);
