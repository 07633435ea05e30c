/* SPDX-License-Identifier: Apache-2.0 */
/* MRTD and RTMRs of a made firmware and a made kernel. Known answers, and who gave them:
 *
 * - MRTD of the file that ovmf_make() makes (SHA-256
 *   b5c2a82c2d0d48f79579a024e94f37bf7f2231cee2e64c83162b1b3ebe1d0295): the Go package
 *   github.com/google/gce-tcb-verifier/tdx, MRTD(LaunchOptionsDefault(""), file).
 * - The TD HOB, all of RTMR0, and RTMR1 and RTMR2 given the digests of the kernel, its options and
 *   its initrd: the logs CCEL_data_ovmf (a guest of 2 GiB that QEMU booted directly) and
 *   CCEL_data_grub (one of 10 GiB) which the project Trustee publishes; the firmware in both had
 * the memory sections that ovmf_make() makes.
 * - The rest by Python, without this code: sha384(), value = sha384(value + digest).
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "evidence/registers.h"
#include "measure/kernel_hashes.h"
#include "measure/ovmf_table.h"
#include "measure/td_boot.h"
#include "measure/td_hob.h"
#include "measure/td_launch.h"
#include "measure/tdvf_metadata.h"
#include "ovmf_fixture.h"
#include "suite.h"

static const char mrtd[] = "0a8e5cb4faf3c6d7e991ee2dc28d262945fcbacf157066f8b75f2bb3fb0e547627b9463"
                           "7fe386718123b31159848b6d3";

/* Of CCEL_data_ovmf. */
static const char log_hob[] =
    "0b8772e5b0b41b83e6044a68397e02f49fb47066b4fbe4917ea2c45c64f323fdacbb3"
    "7948f821ebaf8bc9c938ba8a749";
static const char log_variables[] =
    "344bc51c980ba621aaa00da3ed7436f7d6e549197dfe699515dfa2c6583d95e"
    "6412af21c097d473155875ffd561d6790";
static const char log_loader[] =
    "8db40217f1584456a532cd21ac440c8ee2204d497797a70b972d360a5eb2fde1be"
    "58be6fd9c6ea8ddac235f4db29a42c";
static const char log_rsdp[] =
    "379c9de60d0dd6862394273f66ad30e8707ba61b601e379e9c4718a026e06c66f78a"
    "5d98d3fd147b06d9398ccd4174ef";
static const char log_tables[] =
    "2213f7791b826d9e60cde6158fb77ae4ddaaf52bf58304c0c0d1350e374a64037b"
    "3e69e8759371b02b09fe904ece0718";
static const char log_kernel[] =
    "a2ccae1e7d6c668ca325bb09c882d8ce44d26d714ba6f58d2e8083fe291a704646"
    "afe24a2368bca3341728d78ec80a80";
static const char log_options[] =
    "4230f84885a6f3f305e91a1955045398bd9edd8ffd2aaf2aab8ad3ac53476c4ac"
    "82a3675ef559c4ae949a06e84119fc2";
static const char log_initrd[] =
    "b15af9286108d3d8c9f794a51409e55bad6334f5d96a1e4469f8df2d75fd69aac6"
    "48d939e13daf6800e82e6c1f6628c4";
static const char log_rtmr_0[] =
    "8566f998798db09443b244c62de9a3041fb02e2e6936c4396d784bba2e90177329"
    "ec5aba3bb484404f2ab9cc90abe193";
static const char log_rtmr_1[] =
    "775b9f6bfe99f8a31396f0d0218e67ffa796d3b96ccf961cbb0deba48c79c00f08"
    "2cda1a5567c1c16305f1fc210c13c6";
static const char log_rtmr_2[] =
    "94eaf7a7bf398ed8d888c91057ae0261802e4f3df084213a76ca7f0b5055ac9d22"
    "41de43cd58d9e8b49c503bbf25f34a";
/* The same with the separator where edk2 has it since. */
static const char new_rtmr_0[] =
    "f337477dd83430873c3b5cf0c779f076d7c7a245f7b6f0f257160de048ea459004"
    "298d3d72f8f24c51aac7bfa3bd092d";
static const char new_rtmr_1[] =
    "489286664b0d67321a4c3fc9c2825152f4430d11a5fec22f114c50b768e73c5ec6"
    "dd6f398e842c29508185a8501f6d89";
/* Of CCEL_data_grub. */
static const char log_hob_10_gib[] =
    "05dc148f05a035080b22372d049c35ef80260050516606b4d9d4eaa2e4d1e0"
    "6c556374b00217496a235235d1e3d0e026";

/* Of the kernel that make_kernel() makes, "console=hvc0" and the initrd "initrd". */
static const char made_kernel[] =
    "c8792c534547cbc06b804299f747acb133f6aa7d6cc38e0c092f68f33d87b45d3e"
    "51c2d673c7fbbcd8a5ba2757da76d0";
static const char made_options[] =
    "1208aa5e962a8308411721cafb3e0b0b24f9d55800f54851627f7364f5919af1"
    "3800d67ecc54a153c7e1635a78acd18c";
static const char made_rtmr_1[] =
    "ca2248013e6ceffc7b2740c59426397d89ba289b21789403aff76a14538bcb7019"
    "1b2087141ba5a19f6f91963fcf4bc8";
static const char made_rtmr_2[] =
    "8af42a291e94c4715c91075fd046d5e4361636cfdcdbb1e672e5bdc7798e2cac3"
    "8a4b0feb292c5a6b719d83edb05c651";

enum { HEADERS = 0x200, KERNEL_SIZE = HEADERS + 0x40 };
#define GIB (UINT64_C(1) << 30)

static uint8_t image[OVMF_SIZE], kernel[KERNEL_SIZE], digest[SHA384_SIZE];
static struct ovmf_table table;
static struct tdvf_metadata metadata;
static struct td_platform platform;
static struct td_boot boot;
static struct registers rtmrs;
static struct error err;

static void from_hex(uint8_t *to, const char *text)
{
    ck_assert_msg(hex_decode(text, to, SHA384_SIZE, &err) == 0, "%s", err.message);
}

static void check_hex(const uint8_t *found, const char *expected)
{
    char text[2 * SHA384_SIZE + 1];

    hex_encode(found, SHA384_SIZE, text);
    ck_assert_str_eq(text, expected);
}

/* A PE32+ image of headers and one section, in which a bzImage's header says its version. */
static void make_kernel(void)
{
    static const struct {
        size_t at, width;
        uint64_t value;
    } fields[] = {
        {0x00, 2, 0x5a4d},   {0x3c, 4, 0x40},       {0x40, 4, 0x4550},
        {0x44, 2, 0x8664},   {0x46, 2, 1},          {0x54, 2, 240},
        {0x56, 2, 0x22},     {0x58, 2, 0x20b},      {0x58 + 60, 4, HEADERS},
        {0x58 + 108, 4, 16}, {0x58 + 256, 4, 0x40}, {0x58 + 260, 4, HEADERS},
    };

    memset(kernel, 0, HEADERS);
    memset(kernel + HEADERS, 'K', sizeof(kernel) - HEADERS);
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
        ovmf_put(kernel, fields[i].at, fields[i].value, (unsigned) fields[i].width);
    memcpy(kernel + 0x202, "HdrS", 4);
    ovmf_put(kernel, 0x20e, 0x20, 2);
    memcpy(kernel + 0x220, "6.9.0", 5);
}

static void read_image(void)
{
    ck_assert_msg(ovmf_table_open(&table, image, sizeof(image), &err) == 0, "%s", err.message);
    ck_assert_msg(tdvf_metadata_read(&table, &metadata, &err) == 0, "%s", err.message);
}

static void setup(void)
{
    ovmf_make(image);
    make_kernel();
    read_image();
    from_hex(platform.hob, log_hob);
    from_hex(platform.variables, log_variables);
    from_hex(platform.acpi_loader, log_loader);
    from_hex(platform.acpi_rsdp, log_rsdp);
    from_hex(platform.acpi_tables, log_tables);
    boot = (struct td_boot){.platform = &platform, .separator = TD_SEPARATOR_RTMR0};
    from_hex(boot.kernel, log_kernel);
    from_hex(boot.options, log_options);
    from_hex(boot.initrd, log_initrd);
}

START_TEST(mrtd_is_what_another_program_says)
{
    td_launch_digest(&table, &metadata, digest);
    check_hex(digest, mrtd);
}
END_TEST

START_TEST(each_part_of_the_firmware_is_in_mrtd_that_the_metadata_name)
{
    static const struct {
        size_t at;
        uint64_t value;
        unsigned width;
        int changes;
    } changes[] = {
        {0x1000, 0, 1, 1},                                   /* first byte of the code */
        {OVMF_SIZE - 1, 0, 1, 1},                            /* last one */
        {0x10, 1, 1, 0},                                     /* the variables, which RTMR0 has */
        {OVMF_TDX_SECTIONS_AT + 32 + 28, 1, 4, 1},           /* the variables, measured */
        {OVMF_TDX_SECTIONS_AT + 28, 0, 4, 1},                /* the code, not measured */
        {OVMF_TDX_SECTIONS_AT + 5 * 32 + 16, 0x7000, 8, 1},  /* more memory */
        {OVMF_TDX_SECTIONS_AT + 5 * 32 + 8, 0x7ff000, 8, 1}, /* other memory */
        {OVMF_TDX_SECTIONS_AT + 5 * 32, 1, 4, 1}, /* in the code itself, where it says nothing */
    };

    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
        uint8_t before[SHA384_SIZE];

        ovmf_make(image);
        ovmf_put(image, changes[i].at, changes[i].value, changes[i].width);
        read_image();
        td_launch_digest(&table, &metadata, digest);
        from_hex(before, mrtd);
        ck_assert_msg((memcmp(before, digest, sizeof(before)) != 0) == changes[i].changes,
                      "change %zu", i);
    }
}
END_TEST

START_TEST(td_hob_is_that_of_published_logs)
{
    ck_assert_msg(td_hob_digest(&metadata, 2 * GIB, digest, &err) == 0, "%s", err.message);
    check_hex(digest, log_hob);
    ck_assert_msg(td_hob_digest(&metadata, 10 * GIB, digest, &err) == 0, "%s", err.message);
    check_hex(digest, log_hob_10_gib);
}
END_TEST

START_TEST(td_hob_depends_on_the_memory)
{
    static const uint64_t sizes[] = {
        UINT64_C(0x820000),   UINT64_C(0x821000),    UINT64_C(0xaffff000), UINT64_C(0xb0000000),
        UINT64_C(0xb0001000), UINT64_C(0x100000000), UINT64_C(1) << 46,
    };
    uint8_t seen[ARRAY_LENGTH(sizes)][SHA384_SIZE];

    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        ck_assert_msg(td_hob_digest(&metadata, sizes[i], seen[i], &err) == 0, "%s", err.message);
        for (size_t k = 0; k < i; k++)
            ck_assert_mem_ne(seen[i], seen[k], SHA384_SIZE);
    }
}
END_TEST

START_TEST(a_memory_that_cannot_be_is_refused)
{
    static const struct {
        uint64_t size;
        const char *says;
    } wrong[] = {
        {0, "a memory of 0 bytes"},
        {2 * GIB + 1, "not whole pages"},
        {(UINT64_C(1) << 46) + 4096, "more than 64 TiB"},
        {0x81f000, "the firmware needs memory up to 0x820000"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        ck_assert_int_lt(td_hob_digest(&metadata, wrong[i].size, digest, &err), 0);
        ck_assert_msg(strstr(err.message, wrong[i].says), "%s", err.message);
    }
}
END_TEST

START_TEST(a_td_hob_that_does_not_fit_its_section_is_refused)
{
    struct tdvf_metadata many = {.count = TDVF_SECTIONS_MAX};

    for (size_t i = 0; i < many.count; i++)
        many.sections[i] = (struct tdvf_section){
            .address = 0x100000 + i * 0x4000, .size = 0x1000, .type = TDVF_TEMP_MEM};
    many.sections[0].type = TDVF_TD_HOB;
    ck_assert_msg(td_hob_digest(&many, 8 * GIB, digest, &err) == 0, "%s", err.message);
    many.sections[0].size = 0x800;
    ck_assert_int_lt(td_hob_digest(&many, 8 * GIB, digest, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "but its section has 0x800"));
}
END_TEST

START_TEST(rtmrs_are_those_of_a_published_log)
{
    td_boot_registers(&boot, &rtmrs);
    ck_assert_uint_eq(rtmrs.set, 0xf);
    check_hex(rtmrs.values[0], log_rtmr_0);
    check_hex(rtmrs.values[1], log_rtmr_1);
    check_hex(rtmrs.values[2], log_rtmr_2);
    for (size_t i = 0; i < SHA384_SIZE; i++)
        ck_assert_uint_eq(rtmrs.values[3][i], 0);
}
END_TEST

START_TEST(newer_firmware_has_its_separator_in_rtmr1)
{
    boot.separator = TD_SEPARATOR_RTMR1;
    td_boot_registers(&boot, &rtmrs);
    check_hex(rtmrs.values[0], new_rtmr_0);
    check_hex(rtmrs.values[1], new_rtmr_1);
    check_hex(rtmrs.values[2], log_rtmr_2);
}
END_TEST

START_TEST(each_part_of_a_boot_is_in_its_register)
{
    const struct {
        uint8_t *part;
        unsigned index;
    } parts[] = {
        {platform.hob, 0},       {platform.variables, 0},   {platform.acpi_loader, 0},
        {platform.acpi_rsdp, 0}, {platform.acpi_tables, 0}, {boot.kernel, 1},
        {boot.options, 2},       {boot.initrd, 2},
    };
    struct registers before;

    td_boot_registers(&boot, &before);
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        parts[i].part[47] ^= 1;
        td_boot_registers(&boot, &rtmrs);
        parts[i].part[47] ^= 1;
        for (unsigned k = 0; k < 4; k++)
            ck_assert_msg((memcmp(rtmrs.values[k], before.values[k], SHA384_SIZE) != 0) ==
                              (k == parts[i].index),
                          "part %zu, RTMR%u", i, k);
    }
}
END_TEST

START_TEST(without_a_platform_rtmr0_is_left_out)
{
    boot.platform = NULL;
    td_boot_registers(&boot, &rtmrs);
    ck_assert_uint_eq(rtmrs.set, 0xe);
}
END_TEST

static struct boot_files files;

static void make_files(void)
{
    files = (struct boot_files){
        .kernel = kernel,
        .kernel_size = sizeof(kernel),
        .initrd = (const uint8_t *) "initrd",
        .initrd_size = 6,
        .cmdline = "console=hvc0",
    };
}

START_TEST(kernel_options_and_initrd_are_hashed_as_the_guest_does)
{
    struct td_boot made = {0};

    make_files();
    ck_assert_msg(td_boot_read(&files, &made, &err) == 0, "%s", err.message);
    check_hex(made.kernel, made_kernel);
    check_hex(made.options, made_options);
    td_boot_registers(&made, &rtmrs);
    check_hex(rtmrs.values[1], made_rtmr_1);
    check_hex(rtmrs.values[2], made_rtmr_2);
}
END_TEST

START_TEST(a_kernel_that_measures_nothing_has_no_rtmr2)
{
    static const struct {
        const char *version;
        unsigned set;
    } kernels[] = {{"6.8.12", 0xa}, {"5.19.0", 0xa}, {"6.10.0", 0xe}, {"7.0.0-r", 0xe}};

    make_files();
    for (size_t i = 0; i < ARRAY_LENGTH(kernels); i++) {
        struct td_boot made = {0};

        memcpy(kernel + 0x220, kernels[i].version, strlen(kernels[i].version));
        ck_assert_msg(td_boot_read(&files, &made, &err) == 0, "%s", err.message);
        td_boot_registers(&made, &rtmrs);
        ck_assert_msg(rtmrs.set == kernels[i].set, "%s", kernels[i].version);
    }
}
END_TEST

START_TEST(a_kernel_without_a_version_is_refused)
{
    static const char *const versions[] = {"KKK", "6KKK", "6.KK", ".9.0", "6666.9", "6.9999.0"};
    struct td_boot made = {0};

    make_files();
    for (size_t i = 0; i < ARRAY_LENGTH(versions); i++) {
        make_kernel();
        memcpy(kernel + 0x220, versions[i], strlen(versions[i]));
        ck_assert_msg(td_boot_read(&files, &made, &err) < 0, "%s", versions[i]);
        ck_assert_ptr_nonnull(strstr(err.message, "no bzImage that says its version"));
    }
    for (size_t size = 0; size < 0x224; size++) {
        make_kernel();
        files.kernel_size = size;
        ck_assert_int_lt(td_boot_read(&files, &made, &err), 0);
    }
    make_files();
    ovmf_put(kernel, 0x20e, 0xffff, 2);
    ck_assert_int_lt(td_boot_read(&files, &made, &err), 0);
    make_kernel();
    kernel[0x202] = 'h';
    ck_assert_int_lt(td_boot_read(&files, &made, &err), 0);
}
END_TEST

START_TEST(files_that_cannot_be_booted_are_refused)
{
    struct td_boot made = {0};
    char longest[4200];

    make_files();
    files.initrd_size = 0;
    ck_assert_int_lt(td_boot_read(&files, &made, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "no initrd"));
    make_files();
    files.cmdline = "caf\xc3\xa9";
    ck_assert_int_lt(td_boot_read(&files, &made, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "a byte at 3 that is not ASCII"));
    make_files();
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    files.cmdline = longest;
    ck_assert_int_lt(td_boot_read(&files, &made, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "at most 4096"));
    make_files();
    kernel[0] = 'm';
    ck_assert_int_lt(td_boot_read(&files, &made, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "the kernel: "));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        mrtd_is_what_another_program_says,
        each_part_of_the_firmware_is_in_mrtd_that_the_metadata_name,
        td_hob_is_that_of_published_logs,
        td_hob_depends_on_the_memory,
        a_memory_that_cannot_be_is_refused,
        a_td_hob_that_does_not_fit_its_section_is_refused,
        rtmrs_are_those_of_a_published_log,
        newer_firmware_has_its_separator_in_rtmr1,
        each_part_of_a_boot_is_in_its_register,
        without_a_platform_rtmr0_is_left_out,
        kernel_options_and_initrd_are_hashed_as_the_guest_does,
        a_kernel_that_measures_nothing_has_no_rtmr2,
        a_kernel_without_a_version_is_refused,
        files_that_cannot_be_booted_are_refused,
        NULL,
    };

    return suite_run_with(&(struct suite){.name = "td_launch", .setup = setup}, tests);
}
