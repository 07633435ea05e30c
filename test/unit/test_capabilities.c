/* SPDX-License-Identifier: Apache-2.0 */
#include "capabilities.h"

#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "domain_xml.h"
#include "suite.h"

static struct error err;

/* As libvirt prints it; what stands where is what changes between versions and machines. */
#define LOADER                                                                                     \
    "    <loader supported='yes'>\n      <value>/usr/share/OVMF/OVMF_CODE_4M.fd</value>\n"         \
    "      <enum name='type'>\n        <value>rom</value>\n        <value>pflash</value>\n"        \
    "      </enum>\n    </loader>\n"
#define TPM                                                                                        \
    "    <tpm supported='yes'>\n      <enum name='model'>\n        <value>tpm-tis</value>\n"       \
    "        <value>tpm-crb</value>\n      </enum>\n      <enum name='backendModel'>\n"            \
    "        <value>passthrough</value>\n        <value>emulator</value>\n      </enum>\n"         \
    "    </tpm>\n"
#define NO_SWTPM                                                                                   \
    "    <tpm supported='yes'>\n      <enum name='model'>\n        <value>tpm-crb</value>\n"       \
    "      </enum>\n      <enum name='backendModel'>\n        <value>passthrough</value>\n"        \
    "      </enum>\n    </tpm>\n    <x supported='yes'><value>emulator</value></x>\n"
#define OLD "    <sev supported='no'/>\n"
#define SNP                                                                                        \
    "    <sev supported='yes'>\n      <cbitpos>51</cbitpos>\n    </sev>\n"                         \
    "    <launchSecurity supported='yes'>\n      <enum name='sectype'>\n        "                  \
    "<value>sev</value>\n"                                                                         \
    "        <value>sev-snp</value>\n      </enum>\n    </launchSecurity>\n"
#define OFF "    <launchSecurity supported='no'/>\n"

static int check(const char *xml, enum domain_tpm tpm, enum domain_launch launch)
{
    const struct domain_spec spec = {.firmware = "/f", .tpm = tpm, .launch = launch};

    return capabilities_check(xml, &spec, &err);
}

START_TEST(what_is_there_can_be_used)
{
    ck_assert_int_eq(check(LOADER OLD, DOMAIN_TPM_NONE, DOMAIN_LAUNCH_NONE), 0);
    ck_assert_int_eq(check(LOADER TPM OLD, DOMAIN_TPM_EMULATED, DOMAIN_LAUNCH_NONE), 0);
    ck_assert_int_eq(check(LOADER TPM SNP, DOMAIN_TPM_NONE, DOMAIN_LAUNCH_SEV_SNP), 0);
}
END_TEST

START_TEST(what_is_not_there_is_refused_by_name)
{
    static const struct {
        const char *xml;
        enum domain_tpm tpm;
        enum domain_launch launch;
        const char *word;
    } rows[] = {
        {TPM OLD, DOMAIN_TPM_NONE, DOMAIN_LAUNCH_NONE, "image.firmware"},
        {LOADER OLD, DOMAIN_TPM_EMULATED, DOMAIN_LAUNCH_NONE, "swtpm-tools"},
        {LOADER NO_SWTPM OLD, DOMAIN_TPM_EMULATED, DOMAIN_LAUNCH_NONE, "swtpm-tools"},
        {LOADER TPM OLD, DOMAIN_TPM_NONE, DOMAIN_LAUNCH_SEV_SNP, "\"sev-snp\": that takes libvirt"},
        {LOADER TPM OFF, DOMAIN_TPM_NONE, DOMAIN_LAUNCH_SEV_SNP, "sev-snp"},
        {LOADER TPM OLD, DOMAIN_TPM_NONE, DOMAIN_LAUNCH_TDX, "\"tdx\": that takes libvirt"},
        {LOADER TPM SNP, DOMAIN_TPM_NONE, DOMAIN_LAUNCH_TDX, "tdx"},
        {"", DOMAIN_TPM_NONE, DOMAIN_LAUNCH_NONE, "image.firmware"},
        {"<loader supported='yes'>", DOMAIN_TPM_NONE, DOMAIN_LAUNCH_NONE, "image.firmware"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        ck_assert_int_lt(check(rows[i].xml, rows[i].tpm, rows[i].launch), 0);
        ck_assert_int_eq(err.status, STATUS_FAILED_PRECONDITION);
        ck_assert_msg(strstr(err.message, rows[i].word), "%zu: %s", i, err.message);
    }
}
END_TEST

int main(void)
{
    return suite_run("capabilities", (const TTest *[]){what_is_there_can_be_used,
                                                       what_is_not_there_is_refused_by_name, NULL});
}
