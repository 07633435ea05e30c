/* SPDX-License-Identifier: Apache-2.0 */
/* What firmware measures, of files made here. Known answers: PCR 2, 5 and 7 are those of published
 * logs of OVMF; the rest was computed without this code, by hashlib over the parts by hand. */
#include <check.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "base/text.h"
#include "evidence/registers.h"
#include "measure/authenticode.h"
#include "measure/firmware_volume.h"
#include "measure/ovmf_build.h"
#include "measure/pcr.h"
#include "measure/setup_header.h"
#include "measure_fixture.h"
#include "suite.h"

static uint8_t kernel[MADE_KERNEL_SIZE], firmware[MADE_FIRMWARE_SIZE];
static const uint8_t initrd[] = "initrd";
static struct error err;

static void setup(void)
{
    make_kernel(kernel);
    make_firmware("modules of PEI", "modules of DXE", firmware);
    err = (struct error){0};
}

static struct pcr_input good(void)
{
    return (struct pcr_input){
        .firmware = {firmware, sizeof(firmware)},
        .kernel = {kernel, sizeof(kernel)},
        .initrd = {initrd, 6},
        .cmdline = "quiet",
        .memory = UINT64_C(256) << 20,
        .vcpus = 1,
        .address_bits = 40,
    };
}

static void expect_pcr(const struct pcr_values *values, unsigned index, const char *expected)
{
    char text[2 * SHA256_SIZE + 1];

    hex_encode(values->registers.values[index], SHA256_SIZE, text);
    ck_assert_str_eq(text, expected);
}

static struct pcr_values calculate(const struct pcr_input *input)
{
    struct pcr_values values;

    ck_assert_msg(pcr_calculate(input, &values, &err) == 0, "%s", err.message);
    return values;
}

static void expect_refused(const struct pcr_input *input, const char *word)
{
    struct pcr_values values;

    ck_assert_int_eq(pcr_calculate(input, &values, &err), -1);
    ck_assert_msg(strstr(err.message, word), "%s", err.message);
}

/* ---- PE images --------------------------------------------------------------------------------
 */

/* Over the parts, in the order of the file. */
static void digest_by_hand(uint8_t ret[SHA256_SIZE])
{
    const struct {
        size_t from, to;
    } parts[] = {{0, MADE_KERNEL_CHECKSUM},
                 {MADE_KERNEL_CHECKSUM + 4, MADE_KERNEL_DIRECTORY},
                 {MADE_KERNEL_DIRECTORY + 8, MADE_KERNEL_SIZE - MADE_KERNEL_CERTIFICATES}};
    scoped(digest_freep) struct digest *digest = digest_new(DIGEST_SHA256);

    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        digest_update(digest, kernel + parts[i].from, parts[i].to - parts[i].from);
    digest_value(digest, ret);
}

START_TEST(an_image_is_measured_in_the_order_of_the_file)
{
    uint8_t expected[SHA256_SIZE], digest[SHA256_SIZE];

    digest_by_hand(expected);
    ck_assert_int_eq(authenticode_digest(kernel, sizeof(kernel), DIGEST_SHA256, digest, &err), 0);
    ck_assert_mem_eq(digest, expected, SHA256_SIZE);
}
END_TEST

static bool is_measured(size_t at)
{
    if (at >= MADE_KERNEL_CHECKSUM && at < MADE_KERNEL_CHECKSUM + 4)
        return false;
    if (at >= MADE_KERNEL_DIRECTORY && at < MADE_KERNEL_DIRECTORY + 4)
        return false;
    return at < MADE_KERNEL_SIZE - MADE_KERNEL_CERTIFICATES;
}

START_TEST(every_byte_counts_but_checksum_and_certificates)
{
    uint8_t before[SHA256_SIZE], digest[SHA256_SIZE];

    ck_assert_int_eq(authenticode_digest(kernel, sizeof(kernel), DIGEST_SHA256, before, &err), 0);
    for (size_t i = 0; i < sizeof(kernel); i++) {
        bool same;

        kernel[i] ^= 1;
        same = authenticode_digest(kernel, sizeof(kernel), DIGEST_SHA256, digest, &err) == 0 &&
               memcmp(digest, before, sizeof(digest)) == 0;
        kernel[i] ^= 1;
        ck_assert_msg(same == !is_measured(i), "byte %zu", i);
    }
}
END_TEST

START_TEST(an_image_that_is_cut_is_refused)
{
    uint8_t digest[SHA256_SIZE];

    for (size_t size = 0; size < sizeof(kernel); size++) {
        scoped(freep) uint8_t *cut = xmemdup(kernel, size);

        if (size < MADE_KERNEL_SIZE - MADE_KERNEL_TAIL)
            ck_assert_int_eq(authenticode_digest(cut, size, DIGEST_SHA256, digest, &err), -1);
    }
}
END_TEST

START_TEST(an_image_without_sections_in_bounds_is_refused)
{
    static const struct {
        size_t at;
        uint32_t value;
    } wrong[] = {
        {0x3c, 0xffffffff},
        {0x3c, MADE_KERNEL_SIZE - 4},
        {MADE_KERNEL_PE + 6, 97},                          /* sections */
        {MADE_KERNEL_OPTIONAL + 60, 0xffffffff},           /* size of the headers */
        {MADE_KERNEL_OPTIONAL + 60, MADE_KERNEL_OPTIONAL}, /* in the midst of them */
        {MADE_KERNEL_OPTIONAL + 108, 4},                   /* no certificate table */
        {MADE_KERNEL_DIRECTORY + 4, 0xfffffff0},
        {MADE_KERNEL_OPTIONAL + 240 + 16, 0xfffffff0},
        {MADE_KERNEL_OPTIONAL + 240 + 20, 0xfffffff0},
    };
    uint8_t digest[SHA256_SIZE];

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        make_kernel(kernel);
        le_put_u32(kernel + wrong[i].at, wrong[i].value);
        ck_assert_msg(authenticode_digest(kernel, sizeof(kernel), DIGEST_SHA256, digest, &err) ==
                          -1,
                      "%zu", i);
    }
}
END_TEST

/* ---- what QEMU writes -------------------------------------------------------------------------
 */

static uint32_t initrd_address(uint64_t memory, uint64_t size)
{
    const struct setup_shape shape = {memory, size, "quiet"};

    make_kernel(kernel);
    ck_assert_int_eq(setup_header_patch(kernel, sizeof(kernel), &shape, &err), 0);
    ck_assert_uint_eq(le_u32(kernel + 0x21c), size);
    return le_u32(kernel + 0x218);
}

START_TEST(the_initrd_lies_below_the_tables_at_the_end_of_low_memory)
{
    const uint64_t mib = 1 << 20;

    ck_assert_uint_eq(initrd_address(256 * mib, 1000), 0x0ffd7000);
    ck_assert_uint_eq(initrd_address(256 * mib, 4096), 0x0ffd6000);
    ck_assert_uint_eq(initrd_address(2815 * mib, 1000), 0xafed7000);
    ck_assert_uint_eq(initrd_address(2816 * mib, 1000), 0x7ffd7000);
    ck_assert_uint_eq(initrd_address(UINT64_C(1) << 40, 1000), 0x7ffd7000);
}
END_TEST

START_TEST(an_old_kernel_says_itself_how_high_its_initrd_may_lie)
{
    const struct setup_shape shape = {UINT64_C(2048) << 20, 1000, "quiet"};

    kernel[0x236] = 0;
    le_put_u32(kernel + 0x22c, 0x37ffffff);
    ck_assert_int_eq(setup_header_patch(kernel, sizeof(kernel), &shape, &err), 0);
    ck_assert_uint_eq(le_u32(kernel + 0x218), 0x37fff000);
}
END_TEST

START_TEST(what_is_no_kernel_is_not_patched)
{
    const struct setup_shape shape = {UINT64_C(256) << 20, 1000, "quiet"};
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {{0x202, 0}, {0x207, 1}, {0x206, 0x0b}, {0x211, 0}};

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        make_kernel(kernel);
        kernel[0x207] = 2;
        kernel[wrong[i].at] = wrong[i].value;
        ck_assert_int_eq(setup_header_patch(kernel, sizeof(kernel), &shape, &err), -1);
    }
    make_kernel(kernel);
    ck_assert_int_eq(setup_header_patch(kernel, 0x267, &shape, &err), -1);
}
END_TEST

/* ---- firmware ---------------------------------------------------------------------------------
 */

START_TEST(packed_volumes_are_found)
{
    scoped(firmware_volumes_fini) struct firmware_volumes volumes = {0};

    ck_assert_int_eq(firmware_volumes_unpack(firmware, sizeof(firmware), &volumes, &err), 0);
    ck_assert_uint_eq(volumes.count, 2);
    ck_assert_uint_eq(volumes.items[0].size, 14);
    ck_assert_mem_eq(volumes.items[0].data, "modules of PEI", 14);
    ck_assert_mem_eq(volumes.items[1].data, "modules of DXE", 14);
    ck_assert_ptr_null(ovmf_build_find(volumes.items[0].data, volumes.items[0].size));
}
END_TEST

START_TEST(a_firmware_that_is_cut_is_refused)
{
    /* What is behind the volume does not matter. */
    for (size_t size = 0; size < 4096 + 8192; size++) {
        scoped(firmware_volumes_fini) struct firmware_volumes volumes = {0};
        scoped(freep) uint8_t *cut = xmemdup(firmware, size);

        ck_assert_int_eq(firmware_volumes_unpack(cut, size, &volumes, &err), -1);
    }
}
END_TEST

START_TEST(a_firmware_with_any_byte_wrong_does_no_harm)
{
    for (size_t i = 4096; i < 4096 + 512; i++) {
        scoped(firmware_volumes_fini) struct firmware_volumes volumes = {0};

        firmware[i] ^= 0xff;
        (void) !firmware_volumes_unpack(firmware, sizeof(firmware), &volumes, &err);
        firmware[i] ^= 0xff;
    }
}
END_TEST

START_TEST(a_volume_that_claims_to_unpack_without_end_is_refused)
{
    scoped(firmware_volumes_fini) struct firmware_volumes volumes = {0};

    le_put_u64(firmware + 4096 + 72 + 24 + 24 + 5, FIRMWARE_UNPACKED_MAX + 1);
    ck_assert_int_eq(firmware_volumes_unpack(firmware, sizeof(firmware), &volumes, &err), -1);
    ck_assert_msg(strstr(err.message, "at most"), "%s", err.message);
}
END_TEST

/* ---- PCRs -------------------------------------------------------------------------------------
 */

START_TEST(what_no_file_changes_is_as_in_published_logs)
{
    struct pcr_input input = good();
    struct pcr_values values = calculate(&input);
    static const unsigned separator[] = {2, 3, 6};

    for (size_t i = 0; i < ARRAY_LENGTH(separator); i++)
        expect_pcr(&values, separator[i],
                   "3d458cfe55cc03ea1f443f1562beec8df51c75e14a9fcf9a7234a13f198e7969");
    expect_pcr(&values, 5, "a5ceb755d043f32431d63e39f5161464620a3437280494b5850dc1b47cc074e0");
    expect_pcr(&values, 7, "65caf8dd1e0ea7a6347b635d2b379c93b9a1351edc2afc3ecda700e534eb3068");
}
END_TEST

START_TEST(the_files_are_in_pcr_0_4_and_9)
{
    struct pcr_input input = good();
    struct pcr_values values;

    input.kernel_header = PCR_KERNEL_AS_FILE;
    values = calculate(&input);
    expect_pcr(&values, 0, "afc8bcd7b0952947eb116e39483ac0992dc5f9f020454d701e2b3a1433437f29");
    expect_pcr(&values, 4, "fa7f504f046482af38fcb6cbb4410a8e27ee6a691fe2b6e82645a369a7f5fec9");
    expect_pcr(&values, 9, "2082f03b378560fb8cc8826d2d4aefea1e32dc512dc6cf2bbdbf8703d5605520");
}
END_TEST

START_TEST(initdata_is_in_pcr_8)
{
    struct pcr_input input = good();
    struct pcr_values values = calculate(&input);
    uint8_t digest[SHA256_SIZE];

    expect_pcr(&values, 8, "0000000000000000000000000000000000000000000000000000000000000000");
    digest_sha256("initdata", 8, digest);
    input.initdata = digest;
    values = calculate(&input);
    expect_pcr(&values, 8, "c5401bfb06ee03464663433e27a37af67fb17dcb56d9a020caf94203fa6d6086");
}
END_TEST

START_TEST(what_is_not_calculated_says_why_and_what_is_calculated_of_an_unknown_build_is_uncompared)
{
    struct pcr_input input = good();
    struct pcr_values values = calculate(&input);

    for (unsigned i = 0; i < 16; i++) {
        ck_assert_int_eq(!!(values.registers.set & BIT(i)), !values.left_out[i]);
        ck_assert_ptr_null(values.compared[i]);
    }
    ck_assert_ptr_nonnull(values.left_out[1]);
    ck_assert_ptr_nonnull(values.left_out[10]);
}
END_TEST

START_TEST(what_qemu_writes_is_in_pcr_4_alone)
{
    struct pcr_input input = good(), larger = good();
    struct pcr_values one, other;

    larger.memory *= 2;
    one = calculate(&input);
    other = calculate(&larger);
    for (unsigned i = 0; i < 16; i++)
        ck_assert_int_eq(
            memcmp(one.registers.values[i], other.registers.values[i], SHA256_SIZE) != 0, i == 4);
}
END_TEST

START_TEST(what_cannot_boot_is_refused)
{
    static char endless[2002];
    struct pcr_input input;

    memset(endless, 'x', sizeof(endless) - 1);
    input = good(), input.cmdline = "caf\xc3\xa9", expect_refused(&input, "ASCII");
    input = good(), input.cmdline = "a vga=1", expect_refused(&input, "vga=");
    input = good(), input.cmdline = endless, expect_refused(&input, "longer");
    input = good(), input.memory = 1 << 20, expect_refused(&input, "16 MiB");
    input = good(), input.initrd.size = 256 << 20, expect_refused(&input, "initrd");
    input = good(), input.firmware.size = 4096, expect_refused(&input, "no packed volume");
    input = good(), input.kernel.size = 100, expect_refused(&input, "bzImage");
}
END_TEST

int main(void)
{
    const struct suite suite = {.name = "pcr", .setup = setup};

    return suite_run_with(
        &suite,
        (const TTest *[]){
            an_image_is_measured_in_the_order_of_the_file,
            every_byte_counts_but_checksum_and_certificates, an_image_that_is_cut_is_refused,
            an_image_without_sections_in_bounds_is_refused,
            the_initrd_lies_below_the_tables_at_the_end_of_low_memory,
            an_old_kernel_says_itself_how_high_its_initrd_may_lie, what_is_no_kernel_is_not_patched,
            packed_volumes_are_found, a_firmware_that_is_cut_is_refused,
            a_firmware_with_any_byte_wrong_does_no_harm,
            a_volume_that_claims_to_unpack_without_end_is_refused,
            what_no_file_changes_is_as_in_published_logs, the_files_are_in_pcr_0_4_and_9,
            initdata_is_in_pcr_8,
            what_is_not_calculated_says_why_and_what_is_calculated_of_an_unknown_build_is_uncompared,
            what_qemu_writes_is_in_pcr_4_alone, what_cannot_boot_is_refused, NULL});
}
