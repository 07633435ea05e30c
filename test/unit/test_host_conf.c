/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/host_conf.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "suite.h"

static struct error err;

START_TEST(an_empty_file_gives_the_defaults)
{
    struct host_conf conf;

    ck_assert_int_eq(host_conf_parse("", &conf, &err), 0);
    ck_assert_str_eq(conf.uri, "qemu:///system");
    ck_assert_int_eq(conf.default_vcpus, 1);
    ck_assert_uint_eq(conf.default_memory, UINT64_C(512) << 20);
    ck_assert_uint_eq(conf.scratch, UINT64_C(10) << 30);
    ck_assert_str_eq(conf.scratch_directory, "/var/lib/cleave/h/scratch");
    ck_assert_int_eq(host_conf_accel(&conf), HOST_ACCEL_AUTO);
    ck_assert_int_eq(host_conf_launch(&conf), HOST_LAUNCH_NONE);
    ck_assert_int_eq(host_conf_tpm(&conf), HOST_TPM_NONE);
    ck_assert(!conf.console);
    host_conf_fini(&conf);
}
END_TEST

START_TEST(the_example_says_the_defaults)
{
    scoped(freep) char *text = NULL;
    struct host_conf example, defaults;
    size_t length;

    ck_assert_int_eq(file_read("deploy/host.conf", 65536, &text, &length, &err), 0);
    ck_assert_msg(host_conf_parse(text, &example, &err) == 0, "%s", err.message);
    ck_assert_int_eq(host_conf_parse("", &defaults, &err), 0);
    ck_assert_str_eq(example.accel, defaults.accel);
    ck_assert_str_eq(example.launch, defaults.launch);
    ck_assert_str_eq(example.tpm, defaults.tpm);
    ck_assert_str_eq(example.uri, defaults.uri);
    ck_assert_int_eq(example.boot_timeout, defaults.boot_timeout);
    ck_assert_int_eq(example.call_timeout, defaults.call_timeout);
    ck_assert_int_eq(example.max_vcpus, defaults.max_vcpus);
    ck_assert_uint_eq(example.max_memory, defaults.max_memory);
    ck_assert_uint_eq(example.scratch, defaults.scratch);
    ck_assert_str_eq(example.scratch_directory, defaults.scratch_directory);
    host_conf_fini(&example);
    host_conf_fini(&defaults);
}
END_TEST

START_TEST(what_is_wrong_is_named)
{
    static const struct {
        const char *text, *word;
    } rows[] = {
        {"[machine]\nhelpr = \"x\"\n", "2"},
        {"[machine]\naccel = \"hvf\"\n", "hvf"},
        {"[machine]\nscratch = \"1MiB\"\n", "64 MiB"},
        {"[machine]\nscratch_directory = \"disks\"\n", "absolute"},
        {"[machine]\nlaunch_security = \"sgx\"\n", "sgx"},
        {"[machine]\nlaunch_security = \"tdx\"\n", "firmware"},
        {"[machine]\ntpm = \"tis\"\n", "tis"},
        {"[machine]\ntpm = \"swtpm\"\n", "image.firmware"},
        {"[machine]\ntpm = \"swtpm\"\nlaunch_security = \"tdx\"\n[image]\nfirmware = \"/f\"\n",
         "proves nothing"},
        {"[machine]\ndefault_vcpus = 32\n", "max_vcpus"},
        {"[machine]\ndefault_memory = \"32GiB\"\n", "max_memory"},
        {"[machine]\nboot_timeout = 0\n", "boot_timeout"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct host_conf conf;

        ck_assert_int_lt(host_conf_parse(rows[i].text, &conf, &err), 0);
        ck_assert_msg(strstr(err.message, rows[i].word), "'%s'", err.message);
    }
}
END_TEST

int main(void)
{
    return suite_run("host_conf", (const TTest *[]){an_empty_file_gives_the_defaults,
                                                    the_example_says_the_defaults,
                                                    what_is_wrong_is_named, NULL});
}
