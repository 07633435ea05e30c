/* SPDX-License-Identifier: Apache-2.0 */
/* Reports from a configfs-tsm that a test plays, with keys of our own: what comes out passes the
 * verifiers. */
#include "suite.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "configfs_tsm.h"
#include "event_log_file.h"
#include "event_log_fixture.h"
#include "evidence/tdx.h"
#include "snp_fixture.h"
#include "td_device.h"
#include "tdx_fixture.h"
#include "tsm.h"

static struct snp_world snp;
static struct fixture tdx;
static struct evidence_output output;
static struct error err;
static char root[64];
static uint8_t question[64];
static const char initdata[] = "version = \"0.1.0\"\n";

static size_t snp_answer(const uint8_t asked[64], uint8_t to[FAKE_TSM_BLOB_MAX])
{
    memcpy(snp.report + 0x050, asked, 64);
    snp_world_sign(&snp);
    memcpy(to, snp.report, SNP_REPORT_SIZE);
    return SNP_REPORT_SIZE;
}

static size_t tdx_answer(const uint8_t asked[64], uint8_t to[FAKE_TSM_BLOB_MAX])
{
    memcpy(tdx.body + 520, asked, 64);
    fixture_build(&tdx);
    memcpy(to, tdx.quote.data, tdx.quote.length);
    return tdx.quote.length;
}

static size_t other_answer(const uint8_t asked[64], uint8_t to[FAKE_TSM_BLOB_MAX])
{
    static const uint8_t other[64] = {1};

    return snp_answer(other, to);
}

static size_t short_answer(const uint8_t asked[64], uint8_t to[FAKE_TSM_BLOB_MAX])
{
    return snp_answer(asked, to) - 1;
}

static void setup(void)
{
    snp_world_init(&snp, SNP_MILAN, 3);
    snp_world_seal(&snp);
    fixture_init(&tdx);
    memset(question, 0x51, sizeof(question));
    (void) strcpy(root, "/tmp/attest-tsm-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    writer_init(&output.evidence, 65536);
    writer_init(&output.endorsements, 131072);
    writer_init(&output.event_log, 655360);
    fake_tsm = (struct fake_tsm){
        .provider = "sev_guest\n", .report = snp_answer, .certificates = "a certificate table"};
    fake_tsm_mount(root);
}

static void teardown(void)
{
    ck_assert_int_eq(fake_tsm_directories(), 0);
    ck_assert_int_eq(fake_tsm.made, fake_tsm.removed);
    ck_assert_int_eq(fake_tsm.levels, 0);
    fake_tsm_unmount();
    (void) rmdir(root);
    evidence_output_fini(&output);
    fixture_fini(&tdx);
}

static int ask(enum tsm_provider provider)
{
    const struct tsm_request request = {root, provider, question};

    return tsm_report(&request, &output, &err);
}

static void refused(enum tsm_provider provider, const char *why)
{
    ck_assert_int_lt(ask(provider), 0);
    ck_assert_msg(strstr(err.message, why), "%s", err.message);
}

START_TEST(a_report_of_sev_snp_passes_its_verifier)
{
    ck_assert_msg(ask(TSM_SNP) == 0, "%s", err.message);
    ck_assert_uint_eq(output.evidence.size, SNP_REPORT_SIZE);
    ck_assert_uint_eq(output.endorsements.size, strlen(fake_tsm.certificates));
    ck_assert_mem_eq(output.endorsements.data, fake_tsm.certificates, output.endorsements.size);
    ck_assert_uint_eq(output.event_log.size, 0);
    ck_assert_uint_eq(fake_tsm.question_size, 64);
    ck_assert_int_eq(fake_tsm.questions, 1);
    memcpy(snp.report, output.evidence.data, SNP_REPORT_SIZE);
    memcpy(snp.report_data, question, 64);
    snp_world_verify(&snp);
    ck_assert_msg(snp.verdict.failed == APPRAISAL_OK, "%s", snp.verdict.text);
}
END_TEST

START_TEST(a_quote_of_tdx_passes_its_verifier)
{
    struct evidence_verdict verdict = {0};

    fake_tsm.provider = "tdx_guest\n";
    fake_tsm.report = tdx_answer;
    fake_tsm.certificates = NULL;
    ck_assert_msg(ask(TSM_TDX) == 0, "%s", err.message);
    ck_assert_uint_eq(output.endorsements.size, 0);
    tdx.quote.data = output.evidence.data;
    tdx.quote.length = output.evidence.size;
    tdx.policy.report_data = question;
    ck_assert_msg(fixture_verify(&tdx, &verdict) == 0, "%s", verdict.text);
}
END_TEST

START_TEST(a_machine_of_another_kind_is_refused)
{
    refused(TSM_TDX, "this machine gives snp reports, the evidence has to be tdx");
    ck_assert_int_eq(fake_tsm.questions, 0);
    fake_tsm.provider = "tdx_guest\n";
    refused(TSM_SNP, "this machine gives tdx reports, the evidence has to be snp");
    fake_tsm.provider = "arm_cca_guest\n";
    refused(TSM_SNP, "the provider 'arm_cca_guest' of reports is not known here");
    fake_tsm.provider = "";
    refused(TSM_SNP, "the provider ''");
    fake_tsm.provider = "sev_guest_of_a_name_that_is_longer_than_any_provider_has_had_until_now\n";
    refused(TSM_SNP, "'provider' is larger than");
}
END_TEST

START_TEST(the_provider_is_looked_at_for_each_report)
{
    ck_assert_int_eq(ask(TSM_SNP), 0);
    fake_tsm.provider = "tdx_guest\n";
    refused(TSM_SNP, "has to be snp");
}
END_TEST

START_TEST(who_asks_in_between_is_not_answered_for_us)
{
    fake_tsm.strangers = 2;
    ck_assert_msg(ask(TSM_SNP) == 0, "%s", err.message);
    ck_assert_mem_eq(output.evidence.data + 0x050, question, 64);
    ck_assert_int_eq(fake_tsm.questions, 3);
    ck_assert_int_eq(fake_tsm.made, 3);
}
END_TEST

START_TEST(who_asks_in_between_again_and_again_is_given_up_on)
{
    fake_tsm.strangers = 1000;
    refused(TSM_SNP, "asked for 4 times: 'generation' is 2: another has asked, too");
}
END_TEST

START_TEST(an_answer_to_another_question_is_refused)
{
    fake_tsm.report = other_answer;
    refused(TSM_SNP, "the report answers another question");
}
END_TEST

START_TEST(reads_that_are_disturbed_are_repeated)
{
    fake_tsm.interrupts = 3;
    ck_assert_msg(ask(TSM_SNP) == 0, "%s", err.message);
    ck_assert_int_eq(fake_tsm.questions, 1);
    fake_tsm.would_block = 2;
    ck_assert_msg(ask(TSM_SNP) == 0, "%s", err.message);
    ck_assert_int_eq(fake_tsm.questions, 4);
    ck_assert_uint_eq(output.evidence.size, SNP_REPORT_SIZE);
}
END_TEST

START_TEST(reads_that_are_disturbed_for_ever_are_not)
{
    fake_tsm.interrupts = 1 << 20;
    refused(TSM_SNP, "read 'outblob': Interrupted");
    fake_tsm.interrupts = 0;
    fake_tsm.would_block = 1 << 20;
    refused(TSM_SNP, "'outblob' was changed while it was read");
}
END_TEST

START_TEST(a_question_that_is_taken_half_is_no_question)
{
    fake_tsm.taken_short = 1;
    refused(TSM_SNP, "'inblob' took 32 of 64 bytes");
}
END_TEST

START_TEST(firmware_that_does_not_answer_is_an_error)
{
    fake_tsm.silent = true;
    refused(TSM_SNP, "snp report: read 'outblob': Invalid argument");
}
END_TEST

START_TEST(an_answer_without_end_is_refused)
{
    fake_tsm.endless = true;
    refused(TSM_SNP, "'outblob' is larger than 65536 bytes");
}
END_TEST

START_TEST(a_report_of_another_size_is_refused)
{
    fake_tsm.report = short_answer;
    refused(TSM_SNP, "the report: ");
}
END_TEST

START_TEST(certificates_may_be_absent_but_not_too_many)
{
    static char many[131073 + 1];

    fake_tsm.certificates = NULL;
    ck_assert_msg(ask(TSM_SNP) == 0, "%s", err.message);
    ck_assert_uint_eq(output.endorsements.size, 0);
    memset(many, 'c', sizeof(many) - 1);
    fake_tsm.certificates = many;
    refused(TSM_SNP, "'auxblob' is larger than 131072 bytes");
}
END_TEST

START_TEST(a_kernel_without_it_is_named)
{
    const struct tsm_request request = {"/sys/kernel/config/tsm/absent", TSM_SNP, question};

    ck_assert_int_lt(tsm_report(&request, &output, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "the kernel has no '/sys/kernel/config/tsm/absent'"));
}
END_TEST

START_TEST(directories_that_one_of_us_left_are_removed)
{
    fake_tsm_leave("cleave-0123456789abcdef");
    fake_tsm_leave("somebody-else");
    ck_assert_int_eq(ask(TSM_SNP), 0);
    ck_assert_int_eq(fake_tsm_directories(), 1);
    ck_assert_int_eq(fake_tsm.removed, 2);
    fake_tsm.made++; /* teardown counts */
    char path[128];
    (void) snprintf(path, sizeof(path), "%s/somebody-else", root);
    ck_assert_int_eq(rmdir(path), 0);
    fake_tsm.made++;
}
END_TEST

/* ---- initdata -------------------------------------------------------------------------------- */

static int check_snp(void)
{
    ck_assert_msg(ask(TSM_SNP) == 0, "%s", err.message);
    return tsm_check_host_data(&output, initdata, strlen(initdata), &err);
}

START_TEST(host_data_has_to_be_the_digest_of_the_initdata)
{
    ck_assert_int_lt(check_snp(), 0);
    ck_assert_str_eq(err.message, "HOST_DATA of this machine is not the digest of its initdata");
    digest_sha256(initdata, strlen(initdata), snp.report + 0x0c0);
    ck_assert_msg(check_snp() == 0, "%s", err.message);
    snp.report[0x0c0 + 31] ^= 1;
    ck_assert_int_lt(check_snp(), 0);
}
END_TEST

static int check_td(void)
{
    char device[128];

    (void) snprintf(device, sizeof(device), "%s/" FAKE_TD_DEVICE, root);
    return td_device_check_initdata(device, initdata, strlen(initdata), &err);
}

static void td_refused(const char *why)
{
    ck_assert_int_lt(check_td(), 0);
    ck_assert_msg(strstr(err.message, why), "%s", err.message);
}

START_TEST(mrconfigid_has_to_be_the_digest_of_the_initdata)
{
    fake_tsm.td_report[0] = 0x81;
    td_refused("MRCONFIGID of this machine is not the digest of its initdata");
    digest_sha384(initdata, strlen(initdata), fake_tsm.td_report + 512 + 64);
    ck_assert_msg(check_td() == 0, "%s", err.message);
    fake_tsm.td_report[512 + 64 + 47] ^= 1;
    td_refused("MRCONFIGID");
    ck_assert_int_eq(fake_tsm.td_questions, 3);
}
END_TEST

START_TEST(what_is_no_report_of_a_trust_domain_is_refused)
{
    digest_sha384(initdata, strlen(initdata), fake_tsm.td_report + 512 + 64);
    td_refused("none of a trust domain");
    fake_tsm.td_report[0] = 0x81;
    fake_tsm.td_other = true;
    td_refused("answers another question");
    fake_tsm.td_other = false;
    fake_tsm.td_deaf = true;
    td_refused("get a TDREPORT: Input/output error");
    ck_assert_int_lt(td_device_check_initdata("/dev/absent", initdata, strlen(initdata), &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "open '/dev/absent'"));
}
END_TEST

START_TEST(the_machine_says_which_kind_it_is)
{
    enum tsm_provider provider;

    ck_assert_int_eq(tsm_find(root, &provider, &err), 0);
    ck_assert_int_eq(provider, TSM_SNP);
    fake_tsm.provider = "tdx_guest\n";
    ck_assert_int_eq(tsm_find(root, &provider, &err), 0);
    ck_assert_int_eq(provider, TSM_TDX);
    fake_tsm.provider = "none\n";
    ck_assert_int_lt(tsm_find(root, &provider, &err), 0);
    ck_assert_int_eq(fake_tsm.questions, 0);
}
END_TEST

/* ---- event log ------------------------------------------------------------------------------- */

static int read_log(enum event_log_kind kind, const void *data, size_t size, size_t filling)
{
    char path[] = "/tmp/attest-log-XXXXXX";
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, data, size), (ssize_t) size);
    for (size_t i = 0; i < filling; i += 256)
        ck_assert_int_eq(write(fd, (char[256]){0}, 256), 256);
    (void) close(fd);
    output.event_log.size = 0;
    int rc = event_log_file_read(path, kind, &output.event_log, &err);
    (void) unlink(path);
    return rc;
}

START_TEST(a_log_is_cut_at_its_end)
{
    static struct made_log log;

    put_spec_id(&log);
    put_event(&log, &(struct made_event){.index = 1, .type = EVENT_EFI_ACTION});
    ck_assert_msg(read_log(EVENT_LOG_CCEL, log.data, log.size, 65536) == 0, "%s", err.message);
    ck_assert_uint_eq(output.event_log.size, log.size);
    ck_assert_mem_eq(output.event_log.data, log.data, log.size);
    ck_assert_msg(read_log(EVENT_LOG_CCEL, log.data, log.size, 0) == 0, "%s", err.message);
    ck_assert_uint_eq(output.event_log.size, log.size);
    /* That of a TPM is a file of its own size. */
    ck_assert_int_eq(read_log(EVENT_LOG_TPM, log.data, log.size, 256), 0);
    ck_assert_uint_eq(output.event_log.size, log.size + 256);
}
END_TEST

START_TEST(a_log_that_is_none_is_refused_and_one_that_is_absent_is_empty)
{
    static const char garbage[512] = "garbage";

    ck_assert_int_lt(read_log(EVENT_LOG_CCEL, garbage, sizeof(garbage), 0), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "the event log: "));
    ck_assert_int_lt(read_log(EVENT_LOG_TPM, garbage, sizeof(garbage), 700 * 1024), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "the event log"));
    output.event_log.failed = false;
    output.event_log.size = 0;
    ck_assert_int_eq(event_log_file_read("/sys/absent", EVENT_LOG_TPM, &output.event_log, &err), 0);
    ck_assert_uint_eq(output.event_log.size, 0);
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){
            .name = "attest_tsm", .setup = setup, .teardown = teardown, .timeout_s = 60},
        (const TTest *[]){a_report_of_sev_snp_passes_its_verifier,
                          a_quote_of_tdx_passes_its_verifier,
                          a_machine_of_another_kind_is_refused,
                          the_provider_is_looked_at_for_each_report,
                          who_asks_in_between_is_not_answered_for_us,
                          who_asks_in_between_again_and_again_is_given_up_on,
                          an_answer_to_another_question_is_refused,
                          reads_that_are_disturbed_are_repeated,
                          reads_that_are_disturbed_for_ever_are_not,
                          a_question_that_is_taken_half_is_no_question,
                          firmware_that_does_not_answer_is_an_error,
                          an_answer_without_end_is_refused,
                          a_report_of_another_size_is_refused,
                          certificates_may_be_absent_but_not_too_many,
                          a_kernel_without_it_is_named,
                          directories_that_one_of_us_left_are_removed,
                          host_data_has_to_be_the_digest_of_the_initdata,
                          mrconfigid_has_to_be_the_digest_of_the_initdata,
                          what_is_no_report_of_a_trust_domain_is_refused,
                          the_machine_says_which_kind_it_is,
                          a_log_is_cut_at_its_end,
                          a_log_that_is_none_is_refused_and_one_that_is_absent_is_empty,
                          NULL});
}
