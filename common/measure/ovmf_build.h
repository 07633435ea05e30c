/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a build of OVMF measures that does not stand in its file in that form. It measures PEI's
 * volume after its own modules have written into it, as that volume lies in memory; its version is
 * hidden in a database of its own; and whether there is a variable SecureBoot is a choice of who
 * built it. All that is a fact of each build, so builds that somebody has looked at are a table. */
#include <stddef.h>
#include <stdint.h>

struct ovmf_shape {
    uint64_t memory; /* in bytes */
    unsigned vcpus;
};

enum ovmf_secure_boot { OVMF_SECURE_BOOT_OFF, OVMF_SECURE_BOOT_ABSENT };

struct ovmf_build {
    const char *compared; /* with what it was held against: package, file, and who booted it */
    /* Likewise, with a kernel that QEMU has left as it is; NULL: with none. */
    const char *compared_as_file;
    const char *volume; /* SHA-256 of PEI's volume in the file */
    const char *version;
    enum ovmf_secure_boot secure_boot; /* the variable */
    /* What it writes is known for processors with that many physical address bits; 0: for all. */
    unsigned address_bits;
    size_t at;
    void (*write)(uint8_t *at, const struct ovmf_shape *shape); /* into the volume, at `at` */
};

/* By PEI's volume as it is in the file; NULL: nobody has looked at that build. */
const struct ovmf_build *ovmf_build_find(const uint8_t *volume, size_t size);
