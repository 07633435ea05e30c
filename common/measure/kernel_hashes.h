/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The page by which a VMM (QEMU's kernel-hashes=on) commits the firmware to what it boots: OVMF
 * refuses a kernel, an initrd or a command line of another hash, and the page is measured. */
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

enum {
    KERNEL_HASHES_SIZE = 176, /* of the table, with its padding */
    KERNEL_HASHES_PAGE = 4096,
};

struct boot_files { /* borrowed */
    const uint8_t *kernel;
    size_t kernel_size;
    const uint8_t *initrd; /* may be NULL, with size 0 */
    size_t initrd_size;
    const char *cmdline; /* as the VMM is told it */
};

struct kernel_hashes {
    uint8_t cmdline[SHA256_SIZE], initrd[SHA256_SIZE], kernel[SHA256_SIZE];
};

void kernel_hashes_of(const struct boot_files *files, struct kernel_hashes *ret);
/* The table stands at `offset` of the page, which leaves room for it. */
void kernel_hashes_page(const struct kernel_hashes *hashes, size_t offset,
                        uint8_t ret[KERNEL_HASHES_PAGE]);
