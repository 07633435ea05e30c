/* SPDX-License-Identifier: Apache-2.0 */
/* Against test/unit/golden/domain_*.xml. CLEAVE_GOLDEN=write rewrites them: read the difference. */
#include "domain_xml.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "suite.h"

static struct error err;

static struct domain_spec plain(void)
{
    return (struct domain_spec){
        .name = "cleave-0123abcd",
        .uuid = "c1ea5e01-0011-8223-8445-566778899aab",
        .node = "00112233445566778899aabbccddeeff",
        .vcpus = 2,
        .memory = UINT64_C(512) << 20,
        .kernel = "/usr/share/cleave/image/vmlinuz",
        .initrd = "/usr/share/cleave/image/initrd.img",
        .cmdline = "quiet panic=-1",
        .init_disk = "/run/cleave/h/0123abcd/init.img",
        .net_disk = "/run/cleave/h/0123abcd/net.img",
        .interface = true,
        .mac = {0x02, 0x00, 0x5e, 0x10, 0xff, 0x01},
        .initdata = "abc",
        .initdata_length = 3,
    };
}

static void compare(const struct domain_spec *spec, const char *name)
{
    scoped(freep) char *xml = NULL, *golden = NULL;
    scoped(freep) char *path = xformat("test/unit/golden/domain_%s.xml", name);
    size_t length;

    ck_assert_msg(domain_xml(spec, &xml, &err) == 0, "%s", err.message);
    if (getenv("CLEAVE_GOLDEN"))
        ck_assert_int_eq(file_write_atomic(path, xml, strlen(xml), 0644, &err), 0);
    ck_assert_msg(file_read(path, 65536, &golden, &length, &err) == 0, "%s", err.message);
    ck_assert_str_eq(xml, golden);
}

START_TEST(a_plain_machine)
{
    struct domain_spec spec = plain();

    compare(&spec, "plain");
}
END_TEST

START_TEST(a_machine_with_a_scratch_disk)
{
    struct domain_spec spec = plain();

    spec.scratch_disk = "/var/lib/cleave/h/scratch/0123abcd.scratch";
    compare(&spec, "scratch");
}
END_TEST

START_TEST(a_machine_with_kvm_and_a_console)
{
    struct domain_spec spec = plain();

    spec.accel = DOMAIN_KVM;
    spec.firmware = "/usr/share/OVMF/OVMF.fd";
    spec.console_log = "/run/cleave/h/0123abcd/console.log";
    compare(&spec, "kvm_console");
}
END_TEST

START_TEST(a_machine_under_sev_snp)
{
    struct domain_spec spec = plain();

    spec.accel = DOMAIN_KVM;
    spec.firmware = "/usr/share/OVMF/OVMF.amdsev.fd";
    spec.launch = DOMAIN_LAUNCH_SEV_SNP;
    compare(&spec, "sev_snp");
}
END_TEST

START_TEST(a_machine_under_tdx)
{
    struct domain_spec spec = plain();

    spec.accel = DOMAIN_KVM;
    spec.firmware = "/usr/share/OVMF/OVMF.inteltdx.fd";
    spec.launch = DOMAIN_LAUNCH_TDX;
    compare(&spec, "tdx");
}
END_TEST

/* What libvirt's schema asks of these elements; no libvirt that could be asked itself is here. */
static void expect_base64(const char *xml, const char *element, size_t length)
{
    scoped(freep) char *open = xformat("<%s>", element), *text = NULL;
    scoped(freep) uint8_t *raw = NULL;
    const char *at = strstr(xml, open);
    size_t got;

    ck_assert_ptr_nonnull(at);
    at += strlen(open);
    text = xstrndup(at, strcspn(at, "<"));
    ck_assert_msg(base64_decode(text, 64, &raw, &got, &err) == 0, "%s", err.message);
    ck_assert_uint_eq(got, length);
}

START_TEST(the_digest_of_initdata_fills_its_field_exactly)
{
    struct domain_spec spec = plain();
    scoped(freep) char *snp = NULL, *tdx = NULL;

    spec.accel = DOMAIN_KVM;
    spec.firmware = "/f";
    spec.launch = DOMAIN_LAUNCH_SEV_SNP;
    ck_assert_int_eq(domain_xml(&spec, &snp, &err), 0);
    expect_base64(snp, "hostData", 32);
    /* SHA-256 of "abc", of FIPS 180-2 */
    ck_assert_ptr_nonnull(strstr(snp, "<hostData>ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=<"));
    ck_assert_ptr_nonnull(strstr(snp, "<launchSecurity type='sev-snp' kernelHashes='yes'>"));
    spec.launch = DOMAIN_LAUNCH_TDX;
    ck_assert_int_eq(domain_xml(&spec, &tdx, &err), 0);
    expect_base64(tdx, "mrConfigId", 48);
    ck_assert_ptr_nonnull(strstr(tdx, "<ioapic driver='qemu'/>"));
}
END_TEST

START_TEST(a_machine_whose_boot_is_measured)
{
    struct domain_spec spec = plain();

    spec.firmware = "/usr/share/ovmf/OVMF.fd";
    spec.tpm = DOMAIN_TPM_EMULATED;
    compare(&spec, "measured");
}
END_TEST

START_TEST(a_tpm_comes_with_a_firmware_and_without_launch_security)
{
    struct domain_spec spec = plain();
    char *xml = NULL;

    spec.tpm = DOMAIN_TPM_EMULATED;
    ck_assert_int_lt(domain_xml(&spec, &xml, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "firmware"));
    spec.firmware = "/f";
    spec.accel = DOMAIN_KVM;
    spec.launch = DOMAIN_LAUNCH_SEV_SNP;
    ck_assert_int_lt(domain_xml(&spec, &xml, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "no place"));
    ck_assert_ptr_null(xml);
}
END_TEST

START_TEST(hostile_text_is_escaped)
{
    struct domain_spec spec = plain();

    spec.name = "cleave-</name><devices>";
    spec.cmdline = "a=\"1\" b='2' & <c>";
    spec.init_disk = "/run/'/><disk type='block'>";
    compare(&spec, "hostile");
}
END_TEST

START_TEST(text_that_xml_cannot_hold_is_refused)
{
    static const char *const bad[] = {"a\nb", "a\x01", "\xff", "a\x7f", "\xc3(", "\t"};

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        const char **fields[4];
        struct domain_spec spec = plain();
        char *xml = NULL;

        fields[0] = &spec.name;
        fields[1] = &spec.cmdline;
        fields[2] = &spec.init_disk;
        fields[3] = &spec.kernel;
        *fields[i % 4] = bad[i];
        ck_assert_int_lt(domain_xml(&spec, &xml, &err), 0);
        ck_assert_int_eq(err.status, STATUS_INVALID_ARGUMENT);
        ck_assert_ptr_null(xml);
    }
}
END_TEST

START_TEST(launch_security_never_comes_without_kvm_and_firmware)
{
    struct domain_spec spec = plain();
    char *xml = NULL;

    spec.launch = DOMAIN_LAUNCH_TDX;
    ck_assert_int_lt(domain_xml(&spec, &xml, &err), 0);
    spec.firmware = "/f";
    ck_assert_int_lt(domain_xml(&spec, &xml, &err), 0);
}
END_TEST

START_TEST(no_machine_has_a_channel_of_the_hosts)
{
    static const char *const unwanted[] = {
        "vsock",    "<channel", "<console",  "<serial>\n      <s",
        "virtiofs", "<hostdev", "<redirdev", "<graphics"};
    struct domain_spec spec = plain();
    scoped(freep) char *xml = NULL;

    ck_assert_int_eq(domain_xml(&spec, &xml, &err), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(unwanted); i++)
        ck_assert_msg(!strstr(xml, unwanted[i]), "%s", unwanted[i]);
    ck_assert_ptr_nonnull(strstr(xml, "<rom enabled='no'/>"));
}
END_TEST

int main(void)
{
    return suite_run(
        "domain_xml",
        (const TTest *[]){a_plain_machine, a_machine_with_a_scratch_disk,
                          a_machine_with_kvm_and_a_console, a_machine_under_sev_snp,
                          a_machine_under_tdx, the_digest_of_initdata_fills_its_field_exactly,
                          a_machine_whose_boot_is_measured,
                          a_tpm_comes_with_a_firmware_and_without_launch_security,
                          hostile_text_is_escaped, text_that_xml_cannot_hold_is_refused,
                          launch_security_never_comes_without_kvm_and_firmware,
                          no_machine_has_a_channel_of_the_hosts, NULL});
}
