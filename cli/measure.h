/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* `cleave measure`: one file for each kind of hardware, behind this seam. */
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"

struct boot_files;
struct error;
struct js;

enum {
    MEASURE_KERNEL_MAX = 256 * 1024 * 1024,
    MEASURE_INITRD_MAX = 1024 * 1024 * 1024,
    MEASURE_FIRMWARE_MAX = 64 * 1024 * 1024,
    MEASURE_TEXT_MAX = 64 * 1024,
    MEASURE_ACPI_MAX = 4 * 1024 * 1024,
    MEASURE_VCPUS_MAX = 1024,
};

struct measure_file {
    char *data; /* NULL: none was named */
    size_t length;
};

/* What nobody has said is up to the type. */
enum measure_kernel_header {
    MEASURE_KERNEL_UNSAID,
    MEASURE_KERNEL_PATCHED,
    MEASURE_KERNEL_AS_FILE,
};
enum measure_kernel_hashes { MEASURE_KERNEL_HASHES_ON, MEASURE_KERNEL_HASHES_OFF };
enum measure_separator { MEASURE_SEPARATOR_RTMR1, MEASURE_SEPARATOR_RTMR0 };

struct measure_input {
    struct measure_file firmware, kernel, initrd, initdata;
    struct measure_file cmdline; /* without its line end */
    uint64_t memory;             /* of the machine, in bytes */
    unsigned vcpus;
    const char *cpu;       /* QEMU's name of the model; NULL: none was named */
    unsigned address_bits; /* of the processor */
    enum measure_kernel_header kernel_header;
    enum measure_kernel_hashes kernel_hashes;
    uint64_t sev_features;
    struct measure_file acpi_loader, acpi_rsdp, acpi_tables; /* all or none */
    enum measure_separator separator;
};

struct measure_type {
    const char *name;
    const char *help; /* what it says and which options it looks at; whole lines */
    /* Adds to ret by the two functions below. -1: nothing can be said, ret does not matter. */
    int (*measure)(const struct measure_input *input, struct js *ret, struct error *err);
};

extern const struct measure_type measure_tpm;
extern const struct measure_type measure_snp;
extern const struct measure_type measure_tdx;

/* Borrowed from the input. */
struct boot_files measure_boot_files(const struct measure_input *input);

/* A value, and by what the calculation was held against the truth; NULL: it is uncompared. */
void measure_add(struct js *to, const char *name, const struct measure_file *value,
                 const char *compared);
/* A value that is not calculated, and why. */
void measure_leave_out(struct js *to, const char *name, const char *reason);
static inline void measure_file_fini(struct measure_file *file)
{
    free(file->data);
}
