/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* RTMR0 to RTMR3 of a trust domain that QEMU starts with TDVF, and kernel, initrd and command line
 * given directly, without Secure Boot keys. RTMR1 is the kernel's, RTMR2 what the kernel was told
 * and given, and RTMR3 stays zero. RTMR0 is the machine's: the host's choice of memory, and ACPI
 * tables that QEMU makes for the very devices of the machine, which nobody but QEMU can foretell.
 */
#include <stdint.h>

#include "base/digest.h"

struct error;
struct boot_files;
struct registers;

/* Linux measures what it is told and given into RTMR2 from version 6.9 on. An older one leaves
 * RTMR2 as it is: a host may then give it any command line and any initrd, and no quote says so. */
enum td_kernel { TD_KERNEL_MEASURES, TD_KERNEL_SILENT };

/* The separator between firmware and kernel: edk2 as of its tag 202411 extends RTMR1 by it, before
 * that RTMR0 a second time. */
enum td_separator { TD_SEPARATOR_RTMR1, TD_SEPARATOR_RTMR0 };

struct td_platform { /* SHA-384 of each */
    uint8_t hob[SHA384_SIZE], variables[SHA384_SIZE];
    uint8_t acpi_loader[SHA384_SIZE], acpi_rsdp[SHA384_SIZE], acpi_tables[SHA384_SIZE];
};

struct td_boot {
    uint8_t kernel[SHA384_SIZE]; /* as authenticode.h says */
    uint8_t options[SHA384_SIZE], initrd[SHA384_SIZE];
    enum td_kernel says;
    const struct td_platform *platform; /* borrowed; NULL: RTMR0 is left out */
    enum td_separator separator;
};

/* Fills kernel, options, initrd, and what the kernel says of them. The kernel is taken as its file
 * is: QEMU leaves the header of a confidential guest's kernel alone from 10.1 on. */
int td_boot_read(const struct boot_files *files, struct td_boot *ret, struct error *err)
    __attribute__((warn_unused_result));
/* RTMR2 is left out if the kernel says nothing. */
void td_boot_registers(const struct td_boot *boot, struct registers *ret);
