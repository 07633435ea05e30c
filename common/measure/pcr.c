/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/pcr.h"

#include <stdbool.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "base/text.h"
#include "measure/authenticode.h"
#include "measure/firmware_volume.h"
#include "measure/le.h"
#include "measure/ovmf_build.h"
#include "measure/setup_header.h"

#define MEMORY_MAX (UINT64_C(512) << 30)

enum { CMDLINE_MAX = 2000 };

static void extend_text(struct registers *pcrs, unsigned index, const char *text)
{
    uint8_t digest[SHA256_SIZE];

    digest_sha256(text, strlen(text), digest);
    registers_extend(pcrs, index, digest);
}

static void extend_separator(struct registers *pcrs, unsigned index)
{
    uint8_t digest[SHA256_SIZE];

    digest_sha256("\0\0\0", 4, digest);
    registers_extend(pcrs, index, digest);
}

/* ---- PCR 0: the firmware, of which nothing but two volumes is measured ---------------------- */

static void extend_utf16(struct registers *pcrs, unsigned index, const char *text)
{
    size_t length = strlen(text) + 1;
    scoped(freep) uint8_t *wide = xalloc(2 * length);
    uint8_t digest[SHA256_SIZE];

    for (size_t i = 0; i < length; i++)
        wide[2 * i] = (uint8_t) text[i];
    digest_sha256(wide, 2 * length, digest);
    registers_extend(pcrs, index, digest);
}

static void extend_volumes(const struct firmware_volumes *volumes, const char *version,
                           struct registers *pcrs)
{
    uint8_t digest[SHA256_SIZE];

    extend_utf16(pcrs, 0, version);
    for (size_t i = 0; i < volumes->count; i++) {
        digest_sha256(volumes->items[i].data, volumes->items[i].size, digest);
        registers_extend(pcrs, 0, digest);
    }
    extend_separator(pcrs, 0);
}

static int extend_firmware(const struct pcr_input *input, struct pcr_values *values,
                           const struct ovmf_build **ret_build, struct error *err)
{
    const struct ovmf_shape shape = {input->memory, input->vcpus};
    scoped(firmware_volumes_fini) struct firmware_volumes volumes = {0};
    const struct ovmf_build *build;

    if (firmware_volumes_unpack(input->firmware.data, input->firmware.size, &volumes, err) < 0)
        return -1;
    build = *ret_build = ovmf_build_find(volumes.items[0].data, volumes.items[0].size);
    if (build && build->address_bits &&
        (build->address_bits != input->address_bits || input->memory > MEMORY_MAX)) {
        values->left_out[0] = "this firmware measures what it knows of the machine, and that is "
                              "known here only for 40 bits of physical addresses and 512 GiB";
        return 0;
    }
    if (build)
        build->write(volumes.items[0].data + build->at, &shape);
    extend_volumes(&volumes, build ? build->version : "", &values->registers);
    return 0;
}

/* ---- PCR 4: what the firmware started -------------------------------------------------------- */

static int extend_kernel(const struct pcr_input *input, struct registers *pcrs, struct error *err)
{
    const struct setup_shape shape = {input->memory, input->initrd.size, input->cmdline};
    scoped(freep) uint8_t *kernel = xmemdup(input->kernel.data, input->kernel.size);
    uint8_t digest[SHA256_SIZE];

    if (input->kernel_header == PCR_KERNEL_PATCHED &&
        setup_header_patch(kernel, input->kernel.size, &shape, err) < 0)
        return -1;
    if (authenticode_digest(kernel, input->kernel.size, DIGEST_SHA256, digest, err) < 0)
        return error_wrap(err, "the kernel");
    registers_extend(pcrs, 4, digest);
    extend_text(pcrs, 4, "Calling EFI Application from Boot Option");
    extend_separator(pcrs, 4);
    return 0;
}

/* ---- PCR 7: Secure Boot: off, and nobody's keys ---------------------------------------------- */

static void extend_variable(struct registers *pcrs, const uint8_t guid[16], const char *name,
                            const char *value, size_t length)
{
    uint8_t data[128] = {0}, digest[SHA256_SIZE], *to = data + 32;

    memcpy(data, guid, 16);
    le_put_u64(data + 16, strlen(name));
    le_put_u64(data + 24, length);
    for (; *name; name++, to += 2)
        *to = (uint8_t) *name;
    memcpy(to, value, length);
    digest_sha256(data, (size_t) (to - data) + length, digest);
    registers_extend(pcrs, 7, digest);
}

static void extend_secure_boot(struct registers *pcrs, const struct ovmf_build *build)
{
    bool absent = build && build->secure_boot == OVMF_SECURE_BOOT_ABSENT;
    static const uint8_t global[16] = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
                                       0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c};
    static const uint8_t security[16] = {0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45,
                                         0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f};

    extend_variable(pcrs, global, "SecureBoot", "\0", absent ? 0 : 1);
    extend_variable(pcrs, global, "PK", "", 0);
    extend_variable(pcrs, global, "KEK", "", 0);
    extend_variable(pcrs, security, "db", "", 0);
    extend_variable(pcrs, security, "dbx", "", 0);
    extend_separator(pcrs, 7);
}

/* ---- PCR 9: what the kernel's own stub measures ---------------------------------------------- */

static int extend_options(const struct pcr_input *input, struct registers *pcrs, struct error *err)
{
    scoped(freep) char *text = xformat("%s initrd=initrd", input->cmdline);
    uint8_t digest[SHA256_SIZE];

    if (strlen(input->cmdline) > CMDLINE_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the command line is longer than %d bytes",
                         CMDLINE_MAX);
    for (const char *p = text; *p; p++)
        if ((unsigned char) *p >= 0x80)
            return error_set(err, STATUS_INVALID_ARGUMENT, "the command line is not ASCII");
    extend_utf16(pcrs, 9, text);
    digest_sha256(input->initrd.data, input->initrd.size, digest);
    registers_extend(pcrs, 9, digest);
    return 0;
}

static void extend_rest(const struct pcr_input *input, struct registers *pcrs)
{
    static const unsigned separators[] = {2, 3, 5, 6}, zero[] = {8, 11, 12, 13, 14, 15};

    for (size_t i = 0; i < ARRAY_LENGTH(separators); i++)
        extend_separator(pcrs, separators[i]);
    extend_text(pcrs, 5, "Exit Boot Services Invocation");
    extend_text(pcrs, 5, "Exit Boot Services Returned with Success");
    for (size_t i = 0; i < ARRAY_LENGTH(zero); i++)
        pcrs->set |= BIT(zero[i]);
    if (input->initdata)
        registers_extend(pcrs, 8, input->initdata);
}

/* ---- what it was compared with --------------------------------------------------------------- */

static bool kernel_is_known(const struct pcr_input *input)
{
    static const char *const known[] = {
        /* Debian linux-image-6.1.0-56-cloud-amd64 6.1.192-2 */
        "51349501a3d1ff83836437d2b365fd2d57f2feb8642d315e5181dec23d4c3275",
    };
    uint8_t digest[SHA256_SIZE];
    char text[2 * SHA256_SIZE + 1];

    digest_sha256(input->kernel.data, input->kernel.size, digest);
    hex_encode(digest, sizeof(digest), text);
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
        if (text_equal(known[i], text))
            return true;
    return false;
}

static void name_comparisons(const struct pcr_input *input, const struct ovmf_build *build,
                             struct pcr_values *values)
{
    if (!build)
        return;
    for (unsigned i = 0; i < REGISTERS_MAX; i++)
        if (values->registers.set & BIT(i))
            values->compared[i] = build->compared;
    if (input->kernel_header == PCR_KERNEL_AS_FILE)
        values->compared[4] = build->compared_as_file;
    if (!kernel_is_known(input))
        values->compared[4] = values->compared[9] = NULL;
}

int pcr_calculate(const struct pcr_input *input, struct pcr_values *ret, struct error *err)
{
    const struct ovmf_build *build = NULL;
    struct pcr_values values = {.left_out = {
                                    [1] = "the firmware's boot order, which depends on the disks",
                                    [10] = "the kernel's own (IMA)",
                                }};
    struct registers *pcrs = &values.registers;

    registers_init(pcrs, REGISTERS_PCR, DIGEST_SHA256);
    if (extend_firmware(input, &values, &build, err) < 0 || extend_kernel(input, pcrs, err) < 0 ||
        extend_options(input, pcrs, err) < 0)
        return -1;
    extend_secure_boot(pcrs, build);
    extend_rest(input, pcrs);
    name_comparisons(input, build, &values);
    *ret = values;
    return 0;
}
