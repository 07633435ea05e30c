/* SPDX-License-Identifier: Apache-2.0 */
/* MRTD and RTMRs of a trust domain: TDVF, kernel and initrd given directly. */
#include <stdio.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/scoped.h"
#include "evidence/registers.h"
#include "measure.h"
#include "measure/kernel_hashes.h"
#include "measure/known_firmware.h"
#include "measure/ovmf_table.h"
#include "measure/setup_header.h"
#include "measure/td_boot.h"
#include "measure/td_hob.h"
#include "measure/td_launch.h"
#include "measure/tdvf_metadata.h"

static void add(struct js *to, const char *name, const uint8_t digest[SHA384_SIZE],
                const char *compared)
{
    measure_add(to, name, &(struct measure_file){(char *) digest, SHA384_SIZE}, compared);
}

static void digest_file(const struct measure_file *file, uint8_t ret[SHA384_SIZE])
{
    digest_sha384(file->data, file->length, ret);
}

/* 1: *ret is what RTMR0 begins with, 0: *ret_reason says why nobody knows, -1. */
static int read_platform(const struct measure_input *input, const struct ovmf_table *table,
                         const struct tdvf_metadata *metadata, struct td_platform *ret,
                         const char **ret_reason, struct error *err)
{
    const struct tdvf_section *variables = tdvf_metadata_find(metadata, TDVF_CFV);

    if (!variables) {
        *ret_reason = "the firmware has no variables of its own, and so no known order of boot";
        return 0;
    }
    if (!input->acpi_tables.data) {
        *ret_reason = "ACPI tables, which QEMU makes for the very devices of a machine, are in it "
                      "(--acpi DIR)";
        return 0;
    }
    if (td_hob_digest(metadata, input->memory, ret->hob, err) < 0)
        return -1;
    digest_sha384(table->image + variables->data_at, variables->data_size, ret->variables);
    digest_file(&input->acpi_loader, ret->acpi_loader);
    digest_file(&input->acpi_rsdp, ret->acpi_rsdp);
    digest_file(&input->acpi_tables, ret->acpi_tables);
    return 1;
}

/* QEMU from 10.1 on hands over the kernel of a trust domain as it is. */
static int read_boot(const struct measure_input *input, struct td_boot *ret, struct error *err)
{
    const struct setup_shape shape = {input->memory, input->initrd.length, input->cmdline.data};
    scoped(freep) uint8_t *patched = NULL;
    struct boot_files files = measure_boot_files(input);

    if (input->kernel_header == MEASURE_KERNEL_PATCHED) {
        patched = xmemdup(files.kernel, files.kernel_size);
        if (setup_header_patch(patched, files.kernel_size, &shape, err) < 0)
            return -1;
        files.kernel = patched;
    }
    return td_boot_read(&files, ret, err);
}

static void say_registers(const struct registers *rtmrs, const char *left_out, struct js *to)
{
    char name[8];

    for (unsigned i = 0; i < registers_count(REGISTERS_RTMR); i++) {
        snprintf(name, sizeof(name), "rtmr%u", i);
        if (rtmrs->set & BIT(i))
            add(to, name, rtmrs->values[i], NULL);
    }
    if (left_out)
        measure_leave_out(to, "rtmr0", left_out);
    if (!(rtmrs->set & BIT(2)))
        measure_leave_out(to, "rtmr2",
                          "Linux measures its command line and initrd there from version 6.9 on, "
                          "and this one is older: the host may give it others");
}

static int measure(const struct measure_input *input, struct js *ret, struct error *err)
{
    const uint8_t *firmware = (const uint8_t *) input->firmware.data;
    struct td_boot boot = {.separator = input->separator == MEASURE_SEPARATOR_RTMR0
                                            ? TD_SEPARATOR_RTMR0
                                            : TD_SEPARATOR_RTMR1};
    const struct known_firmware *known;
    struct tdvf_metadata metadata;
    struct td_platform platform;
    const char *reason = NULL;
    struct registers rtmrs;
    uint8_t mrtd[SHA384_SIZE];
    struct ovmf_table table;
    int rc;

    if (ovmf_table_open(&table, firmware, input->firmware.length, err) < 0 ||
        tdvf_metadata_read(&table, &metadata, err) < 0 || read_boot(input, &boot, err) < 0)
        return -1;
    rc = read_platform(input, &table, &metadata, &platform, &reason, err);
    if (rc < 0)
        return -1;
    boot.platform = rc ? &platform : NULL;
    td_launch_digest(&table, &metadata, mrtd);
    td_boot_registers(&boot, &rtmrs);
    known = known_firmware_find(firmware, input->firmware.length);
    add(ret, "mr_td", mrtd, known ? known->mrtd : NULL);
    say_registers(&rtmrs, reason, ret);
    return 0;
}

const struct measure_type measure_tdx = {
    .name = "tdx",
    .help = "  MRTD and RTMR0 to RTMR3 of a TDX quote, by QEMU and KVM, without keys of Secure "
            "Boot. MRTD\n"
            "  is the firmware's alone. RTMR0 depends on --memory and on ACPI tables: --acpi DIR "
            "has\n"
            "  table-loader, rsdp and tables, as a guest of the same devices has them in its "
            "qemu_fw_cfg.\n"
            "  --separator rtmr0: firmware of edk2 older than its tag 202411. The kernel is taken "
            "as its\n"
            "  file is, as by QEMU 10.1 and newer; --kernel-header patched: by an older one.\n",
    .measure = measure,
};
