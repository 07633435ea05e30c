/* SPDX-License-Identifier: Apache-2.0 */
/* The launch digest of a made firmware. The known answers are those of another program,
 * sev-snp-measure 0.0.13, for the file that ovmf_make() makes (SHA-256
 * b5c2a82c2d0d48f79579a024e94f37bf7f2231cee2e64c83162b1b3ebe1d0295):
 *
 *     printf kernel >kernel; printf initrd >initrd
 *     measure() { sev-snp-measure --mode snp --ovmf ovmf.bin --vmm-type QEMU "$@"; }
 *     measure --vcpus 1 --vcpu-type EPYC-Milan --guest-features 0x1
 *     measure --vcpus 4 --vcpu-type EPYC-Genoa --guest-features 0x21 --kernel kernel --initrd
 * initrd \
 *         --append console=hvc0
 *     measure --vcpus 2 --vcpu-type EPYC-v4 --guest-features 0x1 --kernel kernel --append ''
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "measure/kernel_hashes.h"
#include "measure/sev_metadata.h"
#include "measure/snp_launch.h"
#include "measure/vcpu_type.h"
#include "ovmf_fixture.h"
#include "suite.h"

static const char milan_alone[] = "e3ce7da8f61fa0ee3c7cf2f98adad78b0be14a9cb158e6f9b76dff05a029288"
                                  "838ad42f188e952e7ffe647430aacbb6c";
static const char genoa_booting[] = "32e9dd6ed0cfab49737d178f915e6e552c3bc57350f0ebe12e0c7ba3be1d8d"
                                    "f691b1d56eede5cae9868f027b19dd3ec4";
static const char bare_booting[] = "8384d3cc0303bf8ca3e6c86a63c3b11365070657dc40ecb7f459d4b563d6b41"
                                   "81410fa0144248da0dca9f498fab0f35f";

static uint8_t image[OVMF_SIZE], digest[SHA384_SIZE];
static struct kernel_hashes hashes;
static struct snp_launch launch;
static struct error err;

static uint32_t signature_of(const char *type)
{
    uint32_t signature = 0;

    ck_assert_msg(vcpu_type_signature(type, &signature), "%s", type);
    return signature;
}

static void hash_files(const char *kernel, const char *initrd, const char *cmdline)
{
    struct boot_files files = {
        .kernel = (const uint8_t *) kernel,
        .kernel_size = strlen(kernel),
        .initrd = (const uint8_t *) initrd,
        .initrd_size = strlen(initrd),
        .cmdline = cmdline,
    };

    kernel_hashes_of(&files, &hashes);
}

static void setup(void)
{
    ovmf_make(image);
    hash_files("kernel", "initrd", "console=hvc0");
    launch = (struct snp_launch){
        .firmware = image,
        .firmware_size = sizeof(image),
        .kernel = &hashes,
        .vcpus = 4,
        .vcpu_signature = signature_of("EPYC-Genoa"),
        .features = 0x21,
    };
}

static void check_is(const char *expected)
{
    char text[2 * SHA384_SIZE + 1];

    ck_assert_msg(snp_launch_digest(&launch, digest, &err) == 0, "%s", err.message);
    hex_encode(digest, sizeof(digest), text);
    ck_assert_str_eq(text, expected);
}

START_TEST(known_answers)
{
    check_is(genoa_booting);
    hash_files("kernel", "", "");
    launch.vcpus = 2;
    launch.vcpu_signature = signature_of("EPYC-v4");
    launch.features = 1;
    check_is(bare_booting);
    launch.kernel = NULL;
    launch.vcpus = 1;
    launch.vcpu_signature = signature_of("EPYC-Milan");
    check_is(milan_alone);
}
END_TEST

static void check_changed(const char *what)
{
    uint8_t before[SHA384_SIZE];

    ck_assert_int_eq(hex_decode(genoa_booting, before, sizeof(before), &err), 0);
    ck_assert_msg(snp_launch_digest(&launch, digest, &err) == 0, "%s: %s", what, err.message);
    ck_assert_msg(memcmp(digest, before, sizeof(before)) != 0, "%s changes nothing", what);
    setup();
}

START_TEST(each_input_is_in_the_digest)
{
    launch.vcpus = 3;
    check_changed("the number of vCPUs");
    launch.vcpu_signature++;
    check_changed("the vCPUs' signature");
    launch.features = 1;
    check_changed("SEV_FEATURES");
    launch.kernel = NULL;
    check_changed("that there are hashes");
    hash_files("kernem", "initrd", "console=hvc0");
    check_changed("the kernel");
    hash_files("kernel", "initre", "console=hvc0");
    check_changed("the initrd");
    hash_files("kernel", "initrd", "console=hvc1");
    check_changed("the command line");
    hash_files("initrd", "kernel", "console=hvc0");
    check_changed("which file is which");
    image[0] ^= 1;
    check_changed("the first byte of the firmware");
    image[OVMF_SIZE - 1] ^= 1;
    check_changed("its last byte");
    ovmf_put(image, OVMF_RESET_AT - 4, 0x80b005, 4);
    check_changed("where other vCPUs start");
    ovmf_put(image, OVMF_HASHES_AT - 8, 0x80fbf0, 4);
    check_changed("where the hashes are");
}
END_TEST

static void check_refused(const char *says)
{
    ck_assert_int_lt(snp_launch_digest(&launch, digest, &err), 0);
    ck_assert_msg(strstr(err.message, says), "'%s' lacks '%s'", err.message, says);
    setup();
}

START_TEST(a_launch_that_cannot_be_is_refused)
{
    launch.vcpus = 0;
    check_refused("0 vCPUs, not 1 to");
    launch.vcpus = SNP_LAUNCH_VCPUS_MAX + 1;
    check_refused("4097 vCPUs, not 1 to");
    launch.features = 0x20;
    check_refused("SEV_FEATURES 0x20 lack bit 0");
    ovmf_put(image, OVMF_RESET_AT - 4, 0, 4);
    check_refused("where more than one vCPU starts is unknown");
    image[OVMF_RESET_AT + 2] ^= 1;
    check_refused("names no 'SEV-ES reset block'");
    ovmf_put(image, OVMF_SEV_SECTIONS_AT + 4 * 12 + 8, SEV_SECTION_MEMORY, 4);
    check_refused("no section for the hashes of a kernel");
    launch.firmware_size = 4095;
    check_refused("4095 bytes: not whole pages");
}
END_TEST

START_TEST(a_firmware_that_checks_nothing_is_measured_without_a_kernel)
{
    ovmf_put(image, OVMF_SEV_SECTIONS_AT + 4 * 12 + 8, SEV_SECTION_MEMORY, 4);
    ovmf_put(image, OVMF_HASHES_AT - 8, 0, 8);
    ovmf_put(image, OVMF_RESET_AT - 4, 0, 4);
    launch.kernel = NULL;
    launch.vcpus = 1;
    ck_assert_msg(snp_launch_digest(&launch, digest, &err) == 0, "%s", err.message);
}
END_TEST

START_TEST(a_model_of_processor_has_a_signature)
{
    uint32_t signature = 0;

    ck_assert_uint_eq(signature_of("EPYC"), 0x00800f12);
    ck_assert_uint_eq(signature_of("EPYC-v4"), 0x00800f12);
    ck_assert_uint_eq(signature_of("EPYC-IBPB"), 0x00800f12);
    ck_assert_uint_eq(signature_of("EPYC-Rome-v3"), 0x00830f10);
    ck_assert_uint_eq(signature_of("EPYC-Milan"), 0x00a00f11);
    ck_assert_uint_eq(signature_of("EPYC-Genoa-v2"), 0x00a10f10);
    ck_assert_uint_eq(signature_of("EPYC-Turin"), 0x00b00f00);
    static const char *const unknown[] = {"",         "epyc",          "EPYC-",        "EPYC-v",
                                          "EPYC-v0",  "EPYC-Milan2",   "EPYC-Milan-v", "EPYC-v10",
                                          "EPYC-v1 ", "Skylake-Server"};
    for (size_t i = 0; i < ARRAY_LENGTH(unknown); i++)
        ck_assert_msg(!vcpu_type_signature(unknown[i], &signature), "%s", unknown[i]);
    for (unsigned n = 0; vcpu_type_name(n); n++)
        (void) signature_of(vcpu_type_name(n));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        known_answers,
        each_input_is_in_the_digest,
        a_launch_that_cannot_be_is_refused,
        a_firmware_that_checks_nothing_is_measured_without_a_kernel,
        a_model_of_processor_has_a_signature,
        NULL,
    };

    return suite_run_with(&(struct suite){.name = "snp_launch", .setup = setup}, tests);
}
