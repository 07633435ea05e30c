/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of Azure made here, but for the hardware report: what vouches for it is another test. */
#include "azure_fixture.h"
#include "suite.h"

static int judge(const char *text, const uint8_t report_data[64])
{
    const struct tpm_policy policy = {
        .nonce = nonce, .nonce_size = sizeof(nonce), .selection = SELECTION};
    scoped(azure_evidence_fini) struct azure_evidence evidence = {0};

    finding = (struct finding){0};
    if (azure_evidence_parse(text, strlen(text), HCL_REPORT_SNP, &evidence, &finding) < 0)
        return -1;
    return azure_evidence_check(&evidence, report_data, &policy, &finding);
}

START_TEST(good_evidence_is_taken_with_what_vouches_for_it)
{
    uint8_t report_data[64], needed[64];
    scoped(freep) char *text = text_of(&(struct made){0}, report_data);
    scoped(azure_evidence_fini) struct azure_evidence evidence = {0};

    ck_assert_msg(judge(text, report_data) == 0, "%s", finding.text);
    must(azure_evidence_parse(text, strlen(text), HCL_REPORT_SNP, &evidence, &finding));
    azure_evidence_report_data(&evidence, needed);
    ck_assert_mem_eq(needed, report_data, sizeof(needed));
    ck_assert_uint_eq(evidence.leaf_size, 4);
    ck_assert_mem_eq(evidence.leaf, "none", 4);
    report_data[0] ^= 1;
    ck_assert_int_lt(judge(text, report_data), 0);
    ck_finding(FINDING_HCL_HASH, "variable data");
}
END_TEST

START_TEST(each_part_of_azure_evidence_is_looked_at)
{
    static const struct {
        struct made made;
        enum finding_code code;
        const char *why;
    } wrong[] = {
        {{.version = "0"}, FINDING_EVIDENCE, "version"},
        {{.version = "3"}, FINDING_EVIDENCE, "version"},
        {{.version = "\"2\""}, FINDING_EVIDENCE, "version"},
        {{.more = ",\"x\":1"}, FINDING_EVIDENCE, "x"},
        {{.endorsement = "\"td_quote\":\"\""}, FINDING_EVIDENCE, "td_quote"},
        {{.hcl = "AAAA+A=="}, FINDING_EVIDENCE, "hcl_report: not base64url"},
        {{.type = 4}, FINDING_HCL_HEADER, "not that of SEV-SNP"},
        {{.hcl = "AAAA"}, FINDING_HCL_SIZE, "3 bytes"},
        {{.message = "abc"}, FINDING_EVIDENCE, "message"},
        {{.message = "ff544347"}, FINDING_SIGNATURE, "not that of the attestation key"},
        {{.user_data = "00000000000000000000000000000000000000000000000000000000000000ff"},
         FINDING_QUOTE_NONCE,
         "user-data"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        uint8_t report_data[64];
        scoped(freep) char *text = text_of(&wrong[i].made, report_data);

        ck_assert_msg(judge(text, report_data) < 0, "taken: %s", wrong[i].why);
        ck_finding(wrong[i].code, wrong[i].why);
    }
}
END_TEST

START_TEST(user_data_is_looked_at_from_version_2_on)
{
    const struct made made = {
        .version = "1",
        .user_data = "00000000000000000000000000000000000000000000000000000000000000ff"};
    uint8_t report_data[64];
    scoped(freep) char *text = text_of(&made, report_data);

    ck_assert_msg(judge(text, report_data) == 0, "%s", finding.text);
}
END_TEST

START_TEST(azure_evidence_cut_at_any_byte_is_refused)
{
    uint8_t report_data[64];
    scoped(freep) char *text = text_of(&(struct made){0}, report_data);
    struct azure_evidence evidence;

    for (size_t size = 0; size < strlen(text); size++) {
        ck_assert_int_lt(azure_evidence_parse(text, size, HCL_REPORT_SNP, &evidence, &finding), 0);
        ck_finding(FINDING_EVIDENCE, "azure evidence");
    }
    ck_assert_int_lt(azure_evidence_parse("{}", 2, HCL_REPORT_SNP, &evidence, &finding), 0);
    ck_finding(FINDING_EVIDENCE, "version 0 is not taken");
}
END_TEST

int main(void)
{
    int rc;

    memset(nonce, 0x5a, sizeof(nonce));
    make_keys();
    rc = suite_run("azure_evidence",
                   (const TTest *[]){good_evidence_is_taken_with_what_vouches_for_it,
                                     each_part_of_azure_evidence_is_looked_at,
                                     user_data_is_looked_at_from_version_2_on,
                                     azure_evidence_cut_at_any_byte_is_refused, NULL});
    free_keys();
    return rc;
}
