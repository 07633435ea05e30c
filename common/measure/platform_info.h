/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Builds of OVMF as of 2022 keep what they learn about the machine in a variable inside of PEI's
 * volume, and measure that volume after it was written. So PCR 0 depends on memory and processors
 * there, and where the variable lies is a fact of each build. */
#include <stddef.h>
#include <stdint.h>

struct platform_shape {
    uint64_t memory; /* in bytes */
    unsigned vcpus;
};

struct platform_build {
    const char *name;      /* package and file */
    const char *compared;  /* with which boots */
    const char *volume;    /* SHA-256 of PEI's volume in the file */
    size_t at;             /* of the variable in that volume; 0: it has none */
    unsigned address_bits; /* of physical addresses, for which its contents are known */
};

/* By PEI's volume as it is in the file; NULL: nobody has looked at that build. */
const struct platform_build *platform_build_find(const uint8_t *volume, size_t size);
/* Writes what the firmware writes into a volume of that build. */
void platform_info_write(const struct platform_build *build, const struct platform_shape *shape,
                         uint8_t *volume);
