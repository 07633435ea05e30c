/* SPDX-License-Identifier: Apache-2.0 */
/* Hardware evidence as the channel judges it: by reference values, for one statement and one
 * initdata. What each verifier looks at besides is in test_snp and test_tdx. */
#include "evidence/judge.h"

#include <stdio.h>

#include "base/error.h"
#include "base/hex.h"
#include "evidence/reference_values.h"
#include "snp_fixture.h"
#include "suite.h"
#include "tdx_fixture.h"

enum { STATEMENT_TEXT_MAX = 4096, TABLE_MAX = 8192 };

static uint8_t statement[EVIDENCE_STATEMENT_SIZE], initdata_digest[48];
static const struct evidence_request expected = {statement, initdata_digest};
static struct evidence_policy policy;
static struct reference_values *values;
static struct evidence_verdict verdict;

static void fill(void)
{
    for (size_t i = 0; i < sizeof(statement); i++)
        statement[i] = (uint8_t) (i * 3);
    memset(initdata_digest, 0, sizeof(initdata_digest));
    memset(initdata_digest, 0xd1, 32);
}

/* "section": {...} of a file that is otherwise good. */
static void use_values(const char *section, const char *revoked)
{
    scoped(freep) char *text = xformat(
        "{\"format\":\"cleave-reference-values/1\",\"id\":\"test\",\"serial\":1,"
        "\"not_after\":\"2099-01-01T00:00:00Z\",\"revoked\":[%s]%s%s}",
        revoked ? revoked : "", section ? "," : "", section ? section : "");
    struct error err;

    reference_values_free(values);
    values = NULL;
    ck_assert_msg(reference_values_parse(text, strlen(text), &values, &err) == 0, "%s: %s",
                  err.message, text);
    policy.values = values;
}

static void judge(enum evidence_code code, const struct evidence_bundle *bundle)
{
    verdict = (struct evidence_verdict){.failed = APPRAISAL_FORMAT};
    evidence_judge(evidence_find((uint8_t) code), bundle, &expected, &policy, &verdict);
}

static void ck_verdict(enum appraisal_check check, const char *field)
{
    ck_assert_msg(verdict.failed == check, "%s: %s", appraisal_check_name(verdict.failed),
                  verdict.text);
    if (field)
        ck_assert_msg(verdict.field && strcmp(verdict.field, field) == 0, "%s: %s", verdict.field,
                      verdict.text);
}

/* ---- SEV-SNP ---- */

static struct snp_world world;
static struct fixture quote; /* of TDX */

static struct chain_bytes text_bytes(const char *text)
{
    return (struct chain_bytes){(const uint8_t *) text, strlen(text)};
}

static void seal_snp(void)
{
    evidence_find(EVIDENCE_SNP)->digest(statement, sizeof(statement), world.report + 0x50);
    memcpy(world.report + 0xc0, initdata_digest, 32);
    snp_world_seal(&world);
    policy = (struct evidence_policy){
        .values = values,
        .time = SNP_NOW,
        .endorsements = {.roots = text_bytes(world.roots),
                         .leaf = {world.leaf_der.data, world.leaf_der.size},
                         .issuers = text_bytes(world.issuers)},
    };
}

#define SNP_REST                                                                                   \
    ",\"products\":[\"Milan\"],\"crl\":\"if-given\",\"guest_policy\":{\"smt\":\"any\"},"           \
    "\"tcb_min\":{\"Milan\":{\"bootloader\":4,\"tee\":0,\"snp\":24,\"microcode\":217}}"

static void snp_values(const char *more, const char *revoked)
{
    scoped(freep) char *measurement = hex_text(world.report + 0x90, 48);
    scoped(freep) char *section = xformat("\"snp\":{\"measurements\":[\"%s\"]" SNP_REST "%s}",
                                          measurement, more ? more : "");

    use_values(section, revoked);
}

static void tdx_values(const char *rtmr1, const char *revoked)
{
    scoped(freep) char *mr_td = hex_text(quote.body + 136, 48);
    scoped(freep) char *section = xformat(
        "\"tdx\":{\"mr_td\":[\"%s\"],\"collateral\":\"if-given\","
        "\"rtmr\":{\"0\":\"any\",\"1\":%s,\"2\":\"any\",\"3\":\"any\"}}",
        mr_td, rtmr1 ? rtmr1 : "\"any\"");

    use_values(section, revoked);
}

static void judge_report(void)
{
    judge(EVIDENCE_SNP,
          &(struct evidence_bundle){.evidence = world.report, .evidence_length = SNP_REPORT_SIZE});
}

static void begin_snp(void)
{
    fill();
    snp_world_init(&world, SNP_MILAN, 3);
    snp_values(NULL, NULL);
    seal_snp();
}

START_TEST(a_report_for_this_connection_and_this_initdata_is_accepted)
{
    begin_snp();
    judge_report();
    ck_verdict(APPRAISAL_OK, NULL);
    ck_assert_uint_eq(verdict.measurement_size, 48);
    ck_assert_mem_eq(verdict.measurement, world.report + 0x90, 48);
    ck_assert_uint_eq(verdict.chip_size, 64);
    ck_assert_mem_eq(verdict.chip, world.report + 0x1a0, 64);
}
END_TEST

START_TEST(a_report_for_another_connection_is_refused)
{
    begin_snp();
    statement[100] ^= 1;
    judge_report();
    ck_verdict(APPRAISAL_REPORT_DATA, NULL);
    ck_assert_uint_eq(verdict.signed_digest_size, 64);
    ck_assert_mem_eq(verdict.signed_digest, world.report + 0x50, 64);
}
END_TEST

START_TEST(a_report_over_other_initdata_is_refused)
{
    begin_snp();
    initdata_digest[31] ^= 1;
    judge_report();
    ck_verdict(APPRAISAL_HARDWARE_INITDATA, "host_data");
}
END_TEST

START_TEST(without_reference_values_no_hardware_is_good)
{
    begin_snp();
    policy.values = NULL;
    judge_report();
    ck_verdict(APPRAISAL_POLICY, "reference_values");
    tdx_values(NULL, NULL);
    judge_report();
    ck_verdict(APPRAISAL_POLICY, "reference_values");
    snp_values(NULL, NULL);
    judge(EVIDENCE_TDX, &(struct evidence_bundle){0});
    ck_verdict(APPRAISAL_POLICY, "reference_values");
    judge(EVIDENCE_TPM, &(struct evidence_bundle){0});
    ck_verdict(APPRAISAL_POLICY, "reference_values");
}
END_TEST

START_TEST(another_measurement_and_one_that_was_withdrawn_are_refused)
{
    begin_snp();
    scoped(freep) char *own = hex_text(world.report + 0x90, 48);
    scoped(freep) char *quoted = xformat("\"%s\"", own);

    snp_values(NULL, quoted);
    judge_report();
    ck_verdict(APPRAISAL_MEASUREMENT, "measurement");
    ck_assert_msg(strstr(verdict.text, "was revoked"), "%s", verdict.text);
    ck_assert_uint_eq(verdict.measurement_size, 0);
    use_values("\"snp\":{\"measurements\":[\""
               "000000000000000000000000000000000000000000000000"
               "000000000000000000000000000000000000000000000001\"]" SNP_REST "}",
               NULL);
    judge_report();
    ck_verdict(APPRAISAL_MEASUREMENT, "measurement");
}
END_TEST

START_TEST(a_chip_that_is_not_listed_is_refused)
{
    begin_snp();
    scoped(freep) char *chip = hex_text(world.report + 0x1a0, 64);
    scoped(freep) char *listed = xformat(",\"chips\":[\"%s\"]", chip);

    snp_values(listed, NULL);
    judge_report();
    ck_verdict(APPRAISAL_OK, NULL);
    strchr(listed, '[')[2] = '0';
    snp_values(listed, NULL);
    judge_report();
    ck_verdict(APPRAISAL_HARDWARE, NULL);
}
END_TEST

/* The time is the policy's, and so are the roots. */
START_TEST(certificates_are_judged_at_the_policys_time_and_by_its_roots)
{
    begin_snp();
    policy.time = SNP_NOW + INT64_C(100) * 365 * 86400;
    judge_report();
    ck_verdict(APPRAISAL_SIGNATURE, NULL);
    policy.time = SNP_NOW;
    policy.endorsements.roots.length = 0; /* AMD's own */
    judge_report();
    ck_verdict(APPRAISAL_SIGNATURE, NULL);
}
END_TEST

struct table {
    uint8_t bytes[TABLE_MAX];
    size_t size;
};

static void put_entry(struct table *table, const uint8_t guid[16], uint32_t offset, uint32_t length)
{
    memcpy(table->bytes + table->size, guid, 16);
    snp_put(table->bytes + table->size + 16, offset, 4);
    snp_put(table->bytes + table->size + 20, length, 4);
    table->size += 24;
}

static const uint8_t vcek_guid[16] = {0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45,
                                      0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};

static void judge_with(const struct table *table)
{
    judge(EVIDENCE_SNP, &(struct evidence_bundle){.evidence = world.report,
                                                  .evidence_length = SNP_REPORT_SIZE,
                                                  .endorsements = table->bytes,
                                                  .endorsements_length = table->size});
}

START_TEST(the_hosts_certificate_table_is_used_and_verified)
{
    static const uint8_t end[16], other[16] = {1};
    struct table table = {.size = 0};

    begin_snp();
    policy.endorsements.leaf.length = 0;
    judge_report();
    ck_verdict(APPRAISAL_FORMAT, NULL);
    put_entry(&table, other, 72, 1);
    put_entry(&table, vcek_guid, 72, (uint32_t) world.leaf_der.size);
    put_entry(&table, end, 0, 0);
    memcpy(table.bytes + table.size, world.leaf_der.data, world.leaf_der.size);
    table.size += world.leaf_der.size;
    judge_with(&table);
    ck_verdict(APPRAISAL_OK, NULL);
    table.bytes[72 + world.leaf_der.size - 1] ^= 1; /* the host's word is worth nothing */
    judge_with(&table);
    ck_assert_int_ne(verdict.failed, APPRAISAL_OK);
}
END_TEST

START_TEST(a_certificate_table_that_lies_about_its_bounds_is_refused)
{
    static const uint8_t end[16];
    const struct {
        uint32_t offset, length;
    } wrong[] = {{1000, 1}, {0, 1000}, {UINT32_MAX, 2}, {2, UINT32_MAX}, {24, 0}};

    begin_snp();
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        struct table table = {.size = 0};

        put_entry(&table, vcek_guid, wrong[i].offset, wrong[i].length);
        put_entry(&table, end, 0, 0);
        judge_with(&table);
        ck_verdict(APPRAISAL_FORMAT, "certificate_table");
    }
    struct table table = {.size = 0};
    for (size_t i = 0; i < 64; i++)
        put_entry(&table, (uint8_t[16]){2}, 0, 1);
    judge_with(&table); /* no end */
    ck_verdict(APPRAISAL_FORMAT, "certificate_table");
    table.size = 30;
    judge_with(&table);
    ck_verdict(APPRAISAL_FORMAT, "certificate_table");
    table.size = 0;
    put_entry(&table, vcek_guid, 0, 10);
    put_entry(&table, vcek_guid, 0, 10);
    put_entry(&table, end, 0, 0);
    judge_with(&table);
    ck_verdict(APPRAISAL_FORMAT, "certificate_table");
}
END_TEST

/* ---- TDX ---- */

static void build_tdx(void)
{
    memcpy(quote.body + 184, initdata_digest, 48);
    evidence_find(EVIDENCE_TDX)->digest(statement, sizeof(statement), quote.body + 520);
    fixture_build(&quote);
    policy = (struct evidence_policy){
        .values = values,
        .time = FIXTURE_TIME,
        .endorsements = {.roots = text_bytes(strstr(quote.signing_pem + 20, "-----BEGIN")),
                         .tcb_info = quote.collateral.tcb_info,
                         .qe_identity = quote.collateral.qe_identity,
                         .tcb_signing = quote.collateral.tcb_signing,
                         .pck_crl = quote.collateral.pck_crl,
                         .root_crl = quote.collateral.root_crl},
    };
}

static void begin_tdx(void)
{
    fill();
    fixture_init(&quote);
    tdx_values(NULL, NULL);
    build_tdx();
}

static void judge_quote(void)
{
    judge(EVIDENCE_TDX, &(struct evidence_bundle){.evidence = quote.quote.data,
                                                  .evidence_length = quote.quote.length});
}

START_TEST(a_quote_for_this_connection_and_this_initdata_is_accepted)
{
    begin_tdx();
    judge_quote();
    ck_verdict(APPRAISAL_OK, NULL);
    ck_assert_uint_eq(verdict.measurement_size, 48);
    ck_assert_mem_eq(verdict.measurement, quote.body + 136, 48);
    ck_assert_uint_eq(verdict.chip_size, sizeof(quote.fmspc));
    ck_assert_mem_eq(verdict.chip, quote.fmspc, sizeof(quote.fmspc));
    fixture_fini(&quote);
}
END_TEST

START_TEST(a_quote_for_another_connection_or_initdata_is_refused)
{
    begin_tdx();
    statement[319] ^= 1;
    judge_quote();
    ck_verdict(APPRAISAL_REPORT_DATA, NULL);
    ck_assert_mem_eq(verdict.signed_digest, quote.body + 520, 64);
    statement[319] ^= 1;
    initdata_digest[0] ^= 1;
    judge_quote();
    ck_verdict(APPRAISAL_HARDWARE_INITDATA, "mr_config_id");
    fixture_fini(&quote);
}
END_TEST

START_TEST(registers_of_a_quote_can_be_demanded_and_withdrawn)
{
    begin_tdx();
    scoped(freep) char *rtmr1 = hex_text(quote.body + 376, 48);
    scoped(freep) char *demand = xformat("[\"%s\"]", rtmr1);
    scoped(freep) char *withdrawn = xformat("\"%s\"", rtmr1);

    tdx_values(demand, NULL);
    judge_quote();
    ck_verdict(APPRAISAL_OK, NULL);
    tdx_values(demand, withdrawn);
    judge_quote();
    ck_verdict(APPRAISAL_MEASUREMENT, "rtmr1");
    demand[2] ^= 1;
    tdx_values(demand, NULL);
    judge_quote();
    ck_verdict(APPRAISAL_MEASUREMENT, "rtmr1");
    fixture_fini(&quote);
}
END_TEST

START_TEST(a_log_that_is_not_of_the_quote_is_refused)
{
    static const uint8_t log[] = "no log";

    begin_tdx();
    judge(EVIDENCE_TDX, &(struct evidence_bundle){.evidence = quote.quote.data,
                                                  .evidence_length = quote.quote.length,
                                                  .event_log = log,
                                                  .event_log_length = sizeof(log)});
    ck_verdict(APPRAISAL_MEASUREMENT, "event_log");
    fixture_fini(&quote);
}
END_TEST

int main(void)
{
    return suite_run("judge",
                     (const TTest *[]){a_report_for_this_connection_and_this_initdata_is_accepted,
                                       a_report_for_another_connection_is_refused,
                                       a_report_over_other_initdata_is_refused,
                                       without_reference_values_no_hardware_is_good,
                                       another_measurement_and_one_that_was_withdrawn_are_refused,
                                       a_chip_that_is_not_listed_is_refused,
                                       certificates_are_judged_at_the_policys_time_and_by_its_roots,
                                       the_hosts_certificate_table_is_used_and_verified,
                                       a_certificate_table_that_lies_about_its_bounds_is_refused,
                                       a_quote_for_this_connection_and_this_initdata_is_accepted,
                                       a_quote_for_another_connection_or_initdata_is_refused,
                                       registers_of_a_quote_can_be_demanded_and_withdrawn,
                                       a_log_that_is_not_of_the_quote_is_refused, NULL});
}
