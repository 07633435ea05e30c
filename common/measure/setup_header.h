/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* QEMU tells a kernel about its initrd and its command line by writing into the setup header, and
 * firmware measures the kernel with what was written. So the measurement depends on how large the
 * initrd is and on where the machine's memory ends. */
#include <stddef.h>
#include <stdint.h>

struct error;

struct setup_shape {
    uint64_t memory; /* of the machine, in bytes */
    uint64_t initrd_size;
    const char *cmdline;
};

/* Memory below 4 GiB of a machine of type q35. */
uint64_t setup_low_memory(uint64_t memory);
/* Writes what QEMU writes; the kernel is a bzImage of protocol 2.12 or newer. */
int setup_header_patch(uint8_t *kernel, size_t size, const struct setup_shape *shape,
                       struct error *err) __attribute__((warn_unused_result));
