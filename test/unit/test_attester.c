/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's side with the real cleave-attest, a real software TPM and a played configfs-tsm. */
#include "suite.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attester.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "configfs_tsm.h"
#include "evidence/evidence.h"
#include "evidence/finding.h"
#include "evidence/tpm_evidence.h"
#include "io/loop.h"
#include "secure/maker.h"
#include "snp_fixture.h"
#include "swtpm.h"

enum { TURN_MS = 10000 };

static struct loop *loop;
static struct attester *attester;
static const struct maker *maker;
static struct swtpm swtpm;
static struct error err;
static char root[64];
static struct snp_world snp;
static const char initdata[] = "version = \"0.1.0\"\n";

static void setup(void)
{
    ck_assert_int_eq(loop_new(&loop, &err), 0);
    swtpm_own_network();
    swtpm_init(&swtpm);
}

static void teardown(void)
{
    attester_free(take_ptr(attester));
    swtpm_fini(&swtpm);
    loop_free(loop);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}

static void open_attester(const struct attester_devices *devices)
{
    struct attester_devices own = *devices;

    attester_free(take_ptr(attester));
    if (!own.program)
        own.program = ATTEST_PROGRAM;
    ck_assert_int_eq(attester_new(loop, &own, &attester, &err), 0);
}

static int bind_initdata(void)
{
    return attester_bind(attester, initdata, strlen(initdata), &err);
}

static int choose(const char *evidence)
{
    maker = NULL;
    return attester_choose(attester, evidence, &maker, &err);
}

static void open_tpm(void)
{
    open_attester(&(struct attester_devices){.tpm = SWTPM_TRANSPORT});
    ck_assert_msg(bind_initdata() == 0, "%s", err.message);
    ck_assert_msg(choose("tpm") == 0, "%s", err.message);
    ck_assert_ptr_nonnull(maker);
}

static void refused(const char *why)
{
    ck_assert_msg(strstr(err.message, why), "%s", err.message);
}

/* ---- orders ---------------------------------------------------------------------------------- */

static struct order {
    bool told, failed;
    int number; /* of those that were told */
    uint8_t evidence[8192];
    size_t length;
    struct error err;
    void *job;
} orders[16];
static int told_count;

static void on_made(void *user, const struct evidence_output *output, const struct error *why)
{
    struct order *order = user;

    ck_assert(!order->told);
    order->told = true;
    order->number = told_count++;
    order->failed = why != NULL;
    if (why) {
        order->err = *why;
        return;
    }
    ck_assert_uint_le(output->evidence.size, sizeof(order->evidence));
    memcpy(order->evidence, output->evidence.data, output->evidence.size);
    order->length = output->evidence.size;
}

static const uint8_t statement[EVIDENCE_STATEMENT_SIZE] = {'M'};

static int place(struct order *order)
{
    static const uint8_t digest[48];
    const struct evidence_request request = {statement, digest};
    const struct maker_order wanted = {&request, on_made, order};

    *order = (struct order){0};
    int rc = maker->start(maker->context, &wanted, &order->job, &err);
    ck_assert(!order->told); /* never from inside */
    return rc;
}

static void until(const bool *flag)
{
    uint64_t end = clock_monotonic_ms() + TURN_MS;

    while (!*flag && clock_monotonic_ms() < end)
        ck_assert_int_eq(loop_turn(loop, 100, &err), 0);
    ck_assert(*flag);
}

static void passes(const struct order *order)
{
    uint8_t enrolled[1][TPM_KEY_SPKI_DIGEST_SIZE], nonce[32];
    struct tpm_evidence evidence;
    struct finding finding;
    const struct tpm_policy policy = {.nonce = nonce,
                                      .nonce_size = sizeof(nonce),
                                      .selection = 0xffffff,
                                      .enrolled = (const uint8_t(*)[32]) enrolled,
                                      .enrolled_count = 1};

    ck_assert_msg(!order->failed, "%s", order->err.message);
    digest_sha256(statement, sizeof(statement), nonce);
    ck_assert_int_eq(
        tpm_evidence_parse((const char *) order->evidence, order->length, &evidence, &finding), 0);
    memcpy(enrolled[0], tpm_key_spki_digest(evidence.key), 32);
    ck_assert_msg(tpm_evidence_check(&evidence, &policy, &finding) == 0, "%s", finding.text);
    tpm_evidence_fini(&evidence);
}

START_TEST(evidence_of_a_tpm_is_over_the_statement)
{
    open_tpm();
    ck_assert_int_eq(place(&orders[0]), 0);
    until(&orders[0].told);
    passes(&orders[0]);
}
END_TEST

START_TEST(orders_are_served_in_turn_and_not_too_fast)
{
    uint64_t start = clock_monotonic_ms();

    open_tpm();
    for (int i = 0; i < ATTESTER_QUEUE_MAX; i++)
        ck_assert_int_eq(place(&orders[i]), 0);
    ck_assert_int_lt(place(&orders[ATTESTER_QUEUE_MAX]), 0);
    refused("evidence for 8 others is being made already");
    maker->cancel(orders[6].job);
    maker->cancel(orders[7].job);
    for (int i = 0; i < 6; i++) {
        until(&orders[i].told);
        passes(&orders[i]);
        ck_assert_int_eq(orders[i].number, i);
    }
    ck_assert(!orders[6].told && !orders[7].told);
    ck_assert_uint_ge(clock_monotonic_ms() - start, (6 - ATTESTER_BURST) * ATTESTER_INTERVAL_MS);
}
END_TEST

static bool ticked;

static void on_tick(void *user)
{
    ticked = true;
}

/* The cleave-attest that runs; 0: none. */
static pid_t asking(void)
{
    scoped(freep) char *children = NULL;
    char *end;

    ck_assert_int_eq(file_read("/proc/thread-self/children", 4096, &children, NULL, &err), 0);
    for (char *at = children; *at; at = end + (*end == ' ')) {
        pid_t pid = (pid_t) strtol(at, &end, 10);

        if (pid != swtpm.pid)
            return pid;
    }
    return 0;
}

START_TEST(a_tpm_that_hangs_keeps_nobody_else)
{
    uint64_t end = clock_monotonic_ms() + TURN_MS;
    struct source *tick;
    pid_t first;

    open_tpm();
    (void) kill(swtpm.pid, SIGSTOP);
    ck_assert_int_eq(place(&orders[0]), 0);
    ck_assert_int_eq(place(&orders[1]), 0);
    ck_assert_int_eq(loop_after(loop, 300, on_tick, NULL, &tick, &err), 0);
    until(&ticked);
    ck_assert(!orders[0].told);
    first = asking();
    ck_assert_int_gt(first, 0);
    maker->cancel(orders[0].job);
    while ((asking() == first || asking() == 0) && clock_monotonic_ms() < end)
        ck_assert_int_eq(loop_turn(loop, 100, &err), 0);
    ck_assert_int_ne(asking(), first); /* it is not waited for */
    (void) kill(swtpm.pid, SIGCONT);
    until(&orders[1].told);
    passes(&orders[1]);
    ck_assert(!orders[0].told);
    source_free(tick);
}
END_TEST

START_TEST(a_tpm_that_dies_is_an_error_of_the_order)
{
    open_tpm();
    swtpm_stop(&swtpm);
    ck_assert_int_eq(place(&orders[0]), 0);
    until(&orders[0].told);
    ck_assert(orders[0].failed);
    ck_assert_int_eq(orders[0].err.status, STATUS_UNAVAILABLE);
    ck_assert_msg(strstr(orders[0].err.message, "no TPM at"), "%s", orders[0].err.message);
    swtpm_start(&swtpm);
    ck_assert_int_eq(place(&orders[1]), 0);
    until(&orders[1].told);
    passes(&orders[1]);
}
END_TEST

START_TEST(what_is_not_an_answer_is_an_error)
{
    static const char *const programs[][2] = {
        {"/bin/echo", "an answer of another shape"},
        {"/bin/false", "exit code 1"},
        {"/bin/true", "an answer of another shape"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(programs); i++) {
        const char *program = programs[i][0];
        char path[] = "/tmp/attester-XXXXXX";

        /* It is bound by the real one and becomes another. */
        ck_assert_ptr_nonnull(mkdtemp(path));
        scoped(freep) char *link = xformat("%s/program", path);
        ck_assert_int_eq(symlink(ATTEST_PROGRAM, link), 0);
        open_attester(&(struct attester_devices){.program = link, .tpm = SWTPM_TRANSPORT});
        ck_assert_msg(bind_initdata() == 0, "%s", err.message);
        ck_assert_int_eq(choose("tpm"), 0);
        ck_assert_int_eq(unlink(link), 0);
        ck_assert_int_eq(symlink(program, link), 0);
        ck_assert_int_eq(place(&orders[i]), 0);
        until(&orders[i].told);
        ck_assert(orders[i].failed);
        ck_assert_msg(strstr(orders[i].err.message, programs[i][1]), "%s", orders[i].err.message);
        ck_assert_int_eq(unlink(link), 0);
        ck_assert_int_eq(rmdir(path), 0);
        swtpm_stop(&swtpm); /* a new boot: PCR 8 is zero */
        swtpm_start(&swtpm);
    }
}
END_TEST

START_TEST(orders_that_are_left_at_the_end_are_not_told)
{
    open_tpm();
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(place(&orders[i]), 0);
    ck_assert_int_eq(loop_turn(loop, 100, &err), 0);
    attester_free(take_ptr(attester));
    ck_assert_int_eq(loop_turn(loop, 100, &err), 0);
    ck_assert(!orders[0].told && !orders[1].told && !orders[2].told);
}
END_TEST

/* ---- the type -------------------------------------------------------------------------------- */

START_TEST(a_sample_needs_no_hardware)
{
    open_attester(&(struct attester_devices){0});
    ck_assert_int_eq(bind_initdata(), 0);
    ck_assert_int_eq(choose("sample"), 0);
    ck_assert_ptr_null(maker);
}
END_TEST

START_TEST(a_type_that_the_machine_cannot_give_is_refused)
{
    static const char *const types[] = {"snp", "tdx", "tpm"};

    open_attester(&(struct attester_devices){.tsm = "/sys/kernel/config/absent",
                                             .tpm = "device:/dev/tpmrm-absent"});
    ck_assert_int_eq(bind_initdata(), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        ck_assert_int_lt(choose(types[i]), 0);
        refused("evidence, which this machine cannot give");
        ck_assert_ptr_null(maker);
    }
}
END_TEST

START_TEST(a_tpm_does_not_stand_in_for_a_processor)
{
    open_attester(&(struct attester_devices){.tpm = SWTPM_TRANSPORT});
    ck_assert_int_eq(bind_initdata(), 0);
    ck_assert_int_lt(choose("snp"), 0);
    refused("the initdata asks for snp evidence, which this machine cannot give");
    ck_assert_int_lt(choose("tdx"), 0);
    ck_assert_int_eq(choose("tpm"), 0);
}
END_TEST

START_TEST(initdata_is_bound_once_in_a_boot)
{
    open_tpm();
    open_attester(&(struct attester_devices){.tpm = SWTPM_TRANSPORT});
    ck_assert_int_lt(bind_initdata(), 0);
    refused("initdata and tpm: exit code 1: PCR 8 has been extended before this guest could");
    ck_assert_int_lt(choose("tpm"), 0);
}
END_TEST

START_TEST(a_tpm_that_is_said_to_be_there_has_to_answer)
{
    swtpm_stop(&swtpm);
    open_attester(&(struct attester_devices){.tpm = SWTPM_TRANSPORT});
    ck_assert_int_lt(bind_initdata(), 0);
    refused("no TPM at");
    open_attester(&(struct attester_devices){.tpm = "device:/dev/null"});
    ck_assert_int_lt(bind_initdata(), 0);
}
END_TEST

/* ---- a processor ----------------------------------------------------------------------------- */

static size_t snp_answer(const uint8_t asked[64], uint8_t to[FAKE_TSM_BLOB_MAX])
{
    memcpy(snp.report + 0x050, asked, 64);
    memcpy(to, snp.report, SNP_REPORT_SIZE);
    return SNP_REPORT_SIZE;
}

static void play_snp(void)
{
    snp_world_init(&snp, SNP_MILAN, 3);
    (void) strcpy(root, "/tmp/attester-tsm-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    fake_tsm = (struct fake_tsm){.provider = "sev_guest\n", .report = snp_answer};
    fake_tsm_mount(root);
    open_attester(&(struct attester_devices){.tsm = root});
}

static void end_snp(void)
{
    ck_assert_int_eq(fake_tsm_directories(), 0);
    fake_tsm_unmount();
    (void) rmdir(root);
}

START_TEST(a_processor_with_other_initdata_is_refused)
{
    play_snp();
    ck_assert_int_lt(bind_initdata(), 0);
    refused("HOST_DATA of this machine is not the digest of its initdata");
    ck_assert_int_lt(choose("snp"), 0);
    end_snp();
}
END_TEST

START_TEST(a_trust_domain_is_asked_by_its_own_device)
{
    play_snp();
    scoped(freep) char *device = xformat("%s/" FAKE_TD_DEVICE, root);

    fake_tsm.provider = "tdx_guest\n";
    fake_tsm.td_report[0] = 0x81;
    open_attester(&(struct attester_devices){.tsm = root, .td = device});
    ck_assert_int_lt(bind_initdata(), 0);
    refused("MRCONFIGID of this machine is not the digest of its initdata");
    digest_sha384(initdata, strlen(initdata), fake_tsm.td_report + 512 + 64);
    ck_assert_msg(bind_initdata() == 0, "%s", err.message);
    ck_assert_int_eq(fake_tsm.questions, 0); /* no quote, which the host would bring */
    ck_assert_int_lt(choose("snp"), 0);
    ck_assert_int_eq(choose("tdx"), 0);
    open_attester(&(struct attester_devices){.tsm = root});
    ck_assert_int_lt(bind_initdata(), 0);
    refused("open '-'");
    end_snp();
}
END_TEST

START_TEST(a_report_of_a_processor_is_over_the_statement)
{
    uint8_t digest[64];

    play_snp();
    digest_sha256(initdata, strlen(initdata), snp.report + 0x0c0);
    ck_assert_msg(bind_initdata() == 0, "%s", err.message);
    ck_assert_mem_eq(snp.report + 0x050, (uint8_t[64]){0}, 64); /* that report was about nothing */
    ck_assert_int_lt(choose("tdx"), 0);
    ck_assert_msg(choose("snp") == 0, "%s", err.message);
    ck_assert_int_eq(place(&orders[0]), 0);
    until(&orders[0].told);
    ck_assert_msg(!orders[0].failed, "%s", orders[0].err.message);
    ck_assert_uint_eq(orders[0].length, SNP_REPORT_SIZE);
    evidence_find_name("snp")->digest(statement, sizeof(statement), digest);
    ck_assert_mem_eq(orders[0].evidence + 0x050, digest, 64);
    end_snp();
}
END_TEST

START_TEST(a_processor_that_becomes_another_is_refused)
{
    play_snp();
    digest_sha256(initdata, strlen(initdata), snp.report + 0x0c0);
    ck_assert_int_eq(bind_initdata(), 0);
    ck_assert_int_eq(choose("snp"), 0);
    fake_tsm.provider = "tdx_guest\n";
    ck_assert_int_eq(place(&orders[0]), 0);
    until(&orders[0].told);
    ck_assert(orders[0].failed);
    ck_assert_msg(strstr(orders[0].err.message, "has to be snp"), "%s", orders[0].err.message);
    end_snp();
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "attester", .setup = setup, .teardown = teardown, .timeout_s = 60},
        (const TTest *[]){
            evidence_of_a_tpm_is_over_the_statement, orders_are_served_in_turn_and_not_too_fast,
            a_tpm_that_hangs_keeps_nobody_else, a_tpm_that_dies_is_an_error_of_the_order,
            what_is_not_an_answer_is_an_error, orders_that_are_left_at_the_end_are_not_told,
            a_sample_needs_no_hardware, a_type_that_the_machine_cannot_give_is_refused,
            a_tpm_does_not_stand_in_for_a_processor, initdata_is_bound_once_in_a_boot,
            a_tpm_that_is_said_to_be_there_has_to_answer,
            a_processor_with_other_initdata_is_refused, a_trust_domain_is_asked_by_its_own_device,
            a_report_of_a_processor_is_over_the_statement,
            a_processor_that_becomes_another_is_refused, NULL});
}
