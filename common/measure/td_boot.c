/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/td_boot.h"

#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "evidence/registers.h"
#include "measure/authenticode.h"
#include "measure/kernel_hashes.h"
#include "measure/kernel_version.h"
#include "measure/le.h"

enum { CMDLINE_MAX = 4096, VARIABLE_MAX = 64, GUID_SIZE = 16, MACHINE = 0, KERNEL = 1, TOLD = 2 };

/* The one boot option of a machine without disks: the firmware's own menu, number 0. */
static const uint8_t boot_order[2];
static const uint8_t boot_0000[] = {
    0x09, 0x01, 0, 0, 0x2c, 0, /* active, hidden, an application; 44 bytes of path */
    'U', 0, 'i', 0, 'A', 0, 'p', 0, 'p', 0, 0, 0,
    /* the volume 7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1 */
    0x04, 0x07, 0x14, 0, 0xc9, 0xbd, 0xb8, 0x7c, 0xeb, 0xf8, 0x34, 0x4f, 0xaa, 0xea, 0x3e, 0xe4,
    0xaf, 0x65, 0x16, 0xa1,
    /* the file 462caa21-7614-4503-836e-8ab6f4662331 in it */
    0x04, 0x06, 0x14, 0, 0x21, 0xaa, 0x2c, 0x46, 0x14, 0x76, 0x03, 0x45, 0x83, 0x6e, 0x8a, 0xb6,
    0xf4, 0x66, 0x23, 0x31, 0x7f, 0xff, 0x04, 0, /* end */
};

static void extend_data(struct registers *rtmrs, unsigned index, const void *data, size_t size)
{
    uint8_t digest[SHA384_SIZE];

    digest_sha384(data, size, digest);
    registers_extend(rtmrs, index, digest);
}

static void extend_text(struct registers *rtmrs, unsigned index, const char *text)
{
    extend_data(rtmrs, index, text, strlen(text));
}

static void extend_separator(struct registers *rtmrs, unsigned index)
{
    extend_data(rtmrs, index, "\0\0\0", 4);
}

/* UEFI_VARIABLE_DATA of a variable that there is not. */
static void extend_absent(struct registers *rtmrs, const uint8_t guid[GUID_SIZE], const char *name)
{
    uint8_t data[VARIABLE_MAX] = {0}, *to = data + GUID_SIZE + 16;

    memcpy(data, guid, GUID_SIZE);
    le_put_u64(data + GUID_SIZE, strlen(name));
    for (; *name; name++, to += 2)
        *to = (uint8_t) *name;
    extend_data(rtmrs, MACHINE, data, (size_t) (to - data));
}

static void extend_secure_boot(struct registers *rtmrs)
{
    static const uint8_t global[GUID_SIZE] = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
                                              0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c};
    static const uint8_t security[GUID_SIZE] = {0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45,
                                                0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f};

    extend_absent(rtmrs, global, "SecureBoot");
    extend_absent(rtmrs, global, "PK");
    extend_absent(rtmrs, global, "KEK");
    extend_absent(rtmrs, security, "db");
    extend_absent(rtmrs, security, "dbx");
    extend_separator(rtmrs, MACHINE);
}

static void extend_machine(const struct td_boot *boot, struct registers *rtmrs)
{
    const struct td_platform *platform = boot->platform;

    registers_extend(rtmrs, MACHINE, platform->hob);
    registers_extend(rtmrs, MACHINE, platform->variables);
    extend_secure_boot(rtmrs);
    registers_extend(rtmrs, MACHINE, platform->acpi_loader);
    registers_extend(rtmrs, MACHINE, platform->acpi_rsdp);
    registers_extend(rtmrs, MACHINE, platform->acpi_tables);
    extend_data(rtmrs, MACHINE, boot_order, sizeof(boot_order));
    extend_data(rtmrs, MACHINE, boot_0000, sizeof(boot_0000));
    if (boot->separator == TD_SEPARATOR_RTMR0)
        extend_separator(rtmrs, MACHINE);
}

/* What OVMF hands to the kernel, in UTF-16 with its end. */
static int digest_options(const struct boot_files *files, uint8_t ret[SHA384_SIZE],
                          struct error *err)
{
    scoped(freep) char *text = xformat("%s initrd=initrd", files->cmdline);
    size_t length = strlen(text) + 1;
    scoped(freep) uint8_t *wide = NULL;

    if (length > CMDLINE_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the command line has %zu bytes with what the firmware adds, at most %d",
                         length, CMDLINE_MAX);
    wide = xalloc(2 * length);
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char) text[i] >= 0x80)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "the command line has a byte at %zu that is not ASCII", i);
        wide[2 * i] = (uint8_t) text[i];
    }
    digest_sha384(wide, 2 * length, ret);
    return 0;
}

int td_boot_read(const struct boot_files *files, struct td_boot *ret, struct error *err)
{
    struct kernel_version version;

    if (!kernel_version_read(files->kernel, files->kernel_size, &version))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the kernel is no bzImage that says its version");
    ret->says = kernel_version_reaches(&version, 6, 9) ? TD_KERNEL_MEASURES : TD_KERNEL_SILENT;
    if (files->initrd_size == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "no initrd: what the kernel measures without one is not known here");
    if (authenticode_digest(files->kernel, files->kernel_size, DIGEST_SHA384, ret->kernel, err) < 0)
        return error_wrap(err, "the kernel");
    if (digest_options(files, ret->options, err) < 0)
        return -1;
    digest_sha384(files->initrd, files->initrd_size, ret->initrd);
    return 0;
}

void td_boot_registers(const struct td_boot *boot, struct registers *ret)
{
    registers_init(ret, REGISTERS_RTMR, DIGEST_SHA384);
    if (boot->platform)
        extend_machine(boot, ret);
    registers_extend(ret, KERNEL, boot->kernel);
    extend_text(ret, KERNEL, "Calling EFI Application from Boot Option");
    if (boot->separator == TD_SEPARATOR_RTMR1)
        extend_separator(ret, KERNEL);
    extend_text(ret, KERNEL, "Exit Boot Services Invocation");
    extend_text(ret, KERNEL, "Exit Boot Services Returned with Success");
    if (boot->says == TD_KERNEL_MEASURES) {
        registers_extend(ret, TOLD, boot->options);
        registers_extend(ret, TOLD, boot->initrd);
    }
    ret->set |= BIT(3);
}
