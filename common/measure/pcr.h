/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The PCRs (bank SHA-256) of a guest that QEMU starts with OVMF, a TPM, and kernel, initrd and
 * command line given directly; on a q35 without option ROMs and without Secure Boot keys. */
#include <stddef.h>
#include <stdint.h>

#include "evidence/registers.h"

struct error;

enum pcr_kernel {
    PCR_KERNEL_PATCHED, /* QEMU has written into its header; what -kernel does */
    PCR_KERNEL_AS_FILE,
};

struct pcr_input {
    struct {
        const uint8_t *data;
        size_t size;
    } firmware, kernel, initrd;
    const char *cmdline;
    const uint8_t *initdata; /* its SHA-256; NULL: there is none */
    uint64_t memory;         /* in bytes */
    unsigned vcpus;
    unsigned address_bits; /* of the processor */
    enum pcr_kernel kernel_header;
};

struct pcr_values {
    struct registers registers; /* what stands in .set is calculated */
    /* By which real boots the calculation was held against the truth; NULL: by none. */
    const char *compared[REGISTERS_MAX];
    /* Why one is not calculated; NULL: it is, or it belongs to nobody who is known here. */
    const char *left_out[REGISTERS_MAX];
};

int pcr_calculate(const struct pcr_input *input, struct pcr_values *ret, struct error *err)
    __attribute__((warn_unused_result));
