/* SPDX-License-Identifier: Apache-2.0 */
/* A trust domain on an Azure and an Intel of our own: the quote, the TDREPORT that it was made of,
 * and the evidence around them, with one thing wrong in each. */
#include "azure_fixture.h"
#include "evidence/td_report.h"
#include "suite.h"
#include "tdx_fixture.h"

enum { TYPE_TDX = 4, TYPE_SNP = 2, REPORT_DATA_AT = 0x80 };

struct domain {
    struct fixture intel;
    struct made made;
    uint8_t report[HARDWARE_SIZE]; /* the TDREPORT; zeros behind it */
    char *text;                    /* the evidence */
};

static void seal_report(uint8_t *report)
{
    digest_sha384(report + 256, 239, report + 32);
    digest_sha384(report + 512, 512, report + 80);
}

/* What a processor says of the domain that the quote is about. */
static void make_report(const struct fixture *intel, uint8_t *report)
{
    const uint8_t *body = intel->body;

    memset(report, 0, HARDWARE_SIZE);
    report[0] = 0x81;
    memcpy(report + 128, body + 520, 64);
    memcpy(report + 264, body, 16);
    memcpy(report + 280, body + 16, 48 + 48 + 8);
    memcpy(report + 384, body + 584, 16);
    memcpy(report + 512, body + 120, 400);
    memcpy(report + 912, body + 600, 48);
    seal_report(report);
}

/* Twice: what the hardware has to say is known when the variable data is. */
static void init(struct domain *domain, const char *user_data)
{
    scoped(freep) char *ignored = NULL;

    *domain = (struct domain){.made = {.type = TYPE_TDX, .user_data = user_data}};
    fixture_init(&domain->intel);
    ignored = text_of(&domain->made, domain->intel.body + 520);
    domain->made.hardware = domain->report;
    make_report(&domain->intel, domain->report);
}

/* Around a quote that is built. */
static void write_text(struct domain *domain)
{
    scoped(freep) char *quote = NULL;
    scoped(freep) char *member = NULL;
    uint8_t report_data[64];

    quote = url(base64_encode(domain->intel.quote.data, domain->intel.quote.length));
    member = xformat("\"td_quote\":\"%s\"", quote);
    if (!domain->made.endorsement)
        domain->made.endorsement = member;
    free(domain->text);
    domain->text = text_of(&domain->made, report_data);
    domain->made.endorsement = NULL;
}

static void finish(struct domain *domain)
{
    fixture_build(&domain->intel);
    write_text(domain);
}

static void domain_fini(struct domain *domain)
{
    fixture_fini(&domain->intel);
    free(domain->text);
}

/* As a caller has to. */
static int judge(const struct domain *domain, struct evidence_verdict *verdict)
{
    const struct tpm_policy policy = {
        .nonce = nonce, .nonce_size = sizeof(nonce), .selection = SELECTION};
    scoped(azure_evidence_fini) struct azure_evidence evidence = {0};
    struct tdx_policy hardware = domain->intel.policy;
    struct tdx_result result;
    uint8_t report_data[64];

    finding = (struct finding){0};
    *verdict = (struct evidence_verdict){0};
    if (azure_evidence_parse(domain->text, strlen(domain->text), HCL_REPORT_TDX, &evidence,
                             &finding) < 0)
        return -1;
    azure_evidence_report_data(&evidence, report_data);
    hardware.report_data = report_data;
    if (tdx_verify((struct chain_bytes){evidence.td_quote, evidence.td_quote_size},
                   &domain->intel.collateral, &hardware, &result, verdict) < 0)
        return -1;
    return azure_evidence_check(&evidence, evidence.hcl.hardware + REPORT_DATA_AT, &policy,
                                &finding);
}

static void ck_good(const struct domain *domain)
{
    struct evidence_verdict verdict;

    ck_assert_msg(judge(domain, &verdict) == 0, "%s%s", finding.text, verdict.text);
}

static void ck_refused(const struct domain *domain, enum finding_code code, const char *why)
{
    struct evidence_verdict verdict;

    ck_assert_msg(judge(domain, &verdict) < 0, "taken: %s", why);
    ck_finding(code, why);
}

static void ck_hardware(const struct domain *domain, enum appraisal_check check, const char *field)
{
    struct evidence_verdict verdict;

    ck_assert_msg(judge(domain, &verdict) < 0, "taken: %s", field);
    ck_assert_msg(finding.code == FINDING_NONE, "%s", finding.text);
    ck_assert_msg(verdict.failed == check, "%s", verdict.text);
    ck_assert_str_eq(verdict.field, field);
}

START_TEST(good_evidence_of_a_domain_is_taken)
{
    for (int as_1_5 = 0; as_1_5 < 2; as_1_5++) {
        scoped(domain_fini) struct domain domain;

        init(&domain, NULL);
        domain.intel.header[0] = as_1_5 ? 5 : 4;
        domain.intel.body_type = as_1_5 ? TDX_BODY_1_5 : TDX_BODY_1_0;
        finish(&domain);
        ck_good(&domain);
    }
}
END_TEST

/* Without the hashes made anew, and with them, so that only the field is wrong. */
START_TEST(each_field_of_the_tdreport_is_that_of_the_quote)
{
    static const struct {
        size_t at;
        const char *why, *sealed;
    } fields[] = {
        {0, "type 0x80", "type 0x80"},
        {1, "subtype 1", "subtype 1"},
        {32, "tee_tcb_info_hash", NULL},
        {80, "tee_info_hash", NULL},
        {128, "report_data", "report_data"},
        {191, "report_data", "report_data"},
        {256, "tee_tcb_info_hash", NULL},
        {264, "tee_tcb_info_hash", "tee_tcb_svn is"},
        {280, "tee_tcb_info_hash", "mr_seam"},
        {328, "tee_tcb_info_hash", "mr_signer_seam"},
        {376, "tee_tcb_info_hash", "seam_attributes"},
        {384, "tee_tcb_info_hash", "tee_tcb_svn2"},
        {494, "tee_tcb_info_hash", NULL},
        {512, "tee_info_hash", "td_attributes is 0x0000000010000001"},
        {520, "tee_info_hash", "xfam"},
        {528, "tee_info_hash", "mr_td"},
        {576, "tee_info_hash", "mr_config_id"},
        {624, "tee_info_hash", "mr_owner"},
        {672, "tee_info_hash", "mr_owner_config"},
        {720, "tee_info_hash", "rtmr0"},
        {768, "tee_info_hash", "rtmr1"},
        {816, "tee_info_hash", "rtmr2"},
        {864, "tee_info_hash", "rtmr3"},
        {912, "tee_info_hash", "mr_service_td"},
        {1023, "tee_info_hash", NULL},
    };

    scoped(domain_fini) struct domain domain;

    init(&domain, NULL);
    domain.intel.header[0] = 5;
    domain.intel.body_type = TDX_BODY_1_5;
    fixture_build(&domain.intel);
    for (size_t i = 0; i < 2 * ARRAY_LENGTH(fields); i++) {
        const char *why = i % 2 ? fields[i / 2].sealed : fields[i / 2].why;

        make_report(&domain.intel, domain.report);
        domain.report[fields[i / 2].at] ^= 1;
        if (i % 2)
            seal_report(domain.report);
        write_text(&domain);
        if (why)
            ck_refused(&domain, FINDING_TD_REPORT, why);
        else
            ck_good(&domain);
    }
}
END_TEST

START_TEST(each_part_of_evidence_of_a_domain_is_looked_at)
{
    static const struct {
        struct made made;
        enum finding_code code;
        const char *why;
    } wrong[] = {
        {{.version = "0"}, FINDING_EVIDENCE, "version"},
        {{.version = "3"}, FINDING_EVIDENCE, "version"},
        {{.more = ",\"vcek\":\"bm9uZQ==\""}, FINDING_EVIDENCE, "vcek"},
        {{.endorsement = "\"vcek\":\"bm9uZQ==\""}, FINDING_EVIDENCE, "vcek"},
        {{.endorsement = "\"td_quote\":\"bm9uZQ==\""}, FINDING_EVIDENCE, "td_quote: "},
        {{.endorsement = "\"td_quote\":\"AAAA+A==\""}, FINDING_EVIDENCE, "td_quote: not base64url"},
        {{.endorsement = "\"td_quote\":7"}, FINDING_EVIDENCE, "td_quote"},
        {{.type = TYPE_SNP}, FINDING_HCL_HEADER, "not that of TDX"},
        {{.hcl = "AAAA"}, FINDING_HCL_SIZE, "3 bytes"},
        {{.message = "ff544347"}, FINDING_SIGNATURE, "not that of the attestation key"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        scoped(domain_fini) struct domain domain;

        init(&domain, NULL);
        domain.made.version = wrong[i].made.version;
        domain.made.more = wrong[i].made.more;
        domain.made.hcl = wrong[i].made.hcl;
        domain.made.message = wrong[i].made.message;
        domain.made.endorsement = wrong[i].made.endorsement;
        domain.made.type = wrong[i].made.type ? wrong[i].made.type : TYPE_TDX;
        finish(&domain);
        ck_refused(&domain, wrong[i].code, wrong[i].why);
    }
}
END_TEST

static void in_body(struct domain *domain, size_t at)
{
    domain->intel.body[at] ^= 1;
    make_report(&domain->intel, domain->report);
}

START_TEST(the_quote_of_a_domain_is_judged_as_any_other)
{
    static const struct {
        size_t at;
        enum appraisal_check check;
        const char *field;
    } wrong[] = {
        {64, APPRAISAL_TCB, "module_mrsigner"},       {120, APPRAISAL_ATTRIBUTES, "debug"},
        {123, APPRAISAL_ATTRIBUTES, "td_attributes"}, {520, APPRAISAL_REPORT_DATA, "report_data"},
        {583, APPRAISAL_REPORT_DATA, "report_data"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        scoped(domain_fini) struct domain domain;

        init(&domain, NULL);
        in_body(&domain, wrong[i].at);
        finish(&domain);
        ck_hardware(&domain, wrong[i].check, wrong[i].field);
    }
}
END_TEST

START_TEST(a_quote_that_intel_did_not_sign_vouches_for_nothing)
{
    scoped(domain_fini) struct domain domain;

    init(&domain, NULL);
    domain.intel.quote_signer = KEY_STRANGER;
    finish(&domain);
    ck_hardware(&domain, APPRAISAL_SIGNATURE, "quote_signature");
}
END_TEST

START_TEST(user_data_of_a_domain_is_looked_at_from_version_2_on)
{
    static const char other[] = "00000000000000000000000000000000000000000000000000000000000000ff";

    for (int version = 1; version <= 2; version++) {
        scoped(domain_fini) struct domain domain;

        init(&domain, other);
        domain.made.version = version == 1 ? "1" : "2";
        finish(&domain);
        if (version == 1)
            ck_good(&domain);
        else
            ck_refused(&domain, FINDING_QUOTE_NONCE, "user-data");
    }
}
END_TEST

START_TEST(evidence_of_a_domain_is_none_of_sev_snp)
{
    scoped(domain_fini) struct domain domain;
    struct azure_evidence evidence;

    init(&domain, NULL);
    finish(&domain);
    ck_assert_int_lt(
        azure_evidence_parse(domain.text, strlen(domain.text), HCL_REPORT_SNP, &evidence, &finding),
        0);
    ck_finding(FINDING_EVIDENCE, "td_quote");
}
END_TEST

START_TEST(evidence_of_a_domain_cut_at_any_byte_is_refused)
{
    scoped(domain_fini) struct domain domain;
    struct azure_evidence evidence;

    init(&domain, NULL);
    finish(&domain);
    for (size_t size = 0; size < strlen(domain.text); size += size < 64 ? 1 : 7) {
        ck_assert_int_lt(
            azure_evidence_parse(domain.text, size, HCL_REPORT_TDX, &evidence, &finding), 0);
        ck_finding(FINDING_EVIDENCE, "azure evidence");
    }
}
END_TEST

int main(void)
{
    int rc;

    memset(nonce, 0x5a, sizeof(nonce));
    make_keys();
    rc = suite_run_with(&(struct suite){.name = "azure_tdx", .timeout_s = 60},
                        (const TTest *[]){good_evidence_of_a_domain_is_taken,
                                          each_field_of_the_tdreport_is_that_of_the_quote,
                                          each_part_of_evidence_of_a_domain_is_looked_at,
                                          the_quote_of_a_domain_is_judged_as_any_other,
                                          a_quote_that_intel_did_not_sign_vouches_for_nothing,
                                          user_data_of_a_domain_is_looked_at_from_version_2_on,
                                          evidence_of_a_domain_is_none_of_sev_snp,
                                          evidence_of_a_domain_cut_at_any_byte_is_refused, NULL});
    free_keys();
    return rc;
}
