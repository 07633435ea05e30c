/* SPDX-License-Identifier: Apache-2.0 */
/* Collateral of an Intel of our own, with one thing wrong in each. */
#include "suite.h"

#include <string.h>

#include "base/error.h"
#include "evidence/signed_json.h"
#include "tdx_fixture.h"

static void expect(const struct fixture *fixture, const char *name, enum appraisal_check check,
                   const char *field)
{
    struct evidence_verdict verdict;
    int rc = fixture_verify(fixture, &verdict);

    ck_assert_msg(rc == (check == APPRAISAL_OK ? 0 : -1) && verdict.failed == check, "%s: %s: %s",
                  name, appraisal_check_name(verdict.failed), verdict.text);
    ck_assert_msg(field ? verdict.field && strcmp(verdict.field, field) == 0 : !verdict.field,
                  "%s: field %s: %s", name, verdict.field ? verdict.field : "none", verdict.text);
}

static enum tdx_status status_of(const struct fixture *fixture)
{
    struct evidence_verdict verdict;
    struct tdx_result result;

    (void) !tdx_verify(fixture->quote, &fixture->collateral, &fixture->policy, &result, &verdict);
    return result.status;
}

START_TEST(good_collateral_says_up_to_date)
{
    struct fixture fixture;

    fixture_init(&fixture);
    fixture.policy.collateral = TDX_COLLATERAL_REQUIRED;
    fixture.policy.evaluation_floor = 17;
    fixture_build(&fixture);
    expect(&fixture, "good", APPRAISAL_OK, NULL);
    ck_assert_int_eq(status_of(&fixture), TDX_UP_TO_DATE);
    fixture_fini(&fixture);
}
END_TEST

/* A text in a document, replaced before it is signed. */
struct edit {
    const char *from, *to;
    enum appraisal_check check;
    const char *field;
};

static void expect_edits(const struct edit *edits, size_t count, size_t document)
{
    struct fixture fixture;

    fixture_init(&fixture);
    for (size_t i = 0; i < count; i++) {
        struct fixture_document *edited = document ? &fixture.qe_identity : &fixture.tcb_info;

        edited->from = edits[i].from;
        edited->to = edits[i].to;
        fixture_build(&fixture);
        expect(&fixture, edits[i].to, edits[i].check, edits[i].field);
    }
    fixture_fini(&fixture);
}

START_TEST(each_field_of_tcb_info_counts)
{
    static const struct edit edits[] = {
        {"\"id\":\"TDX\"", "\"id\":\"SGX\"", APPRAISAL_FORMAT, "tcb_info_format"},
        {"\"id\":\"TDX\"", "\"it\":\"TDX\"", APPRAISAL_FORMAT, "tcb_info_format"},
        {"\"version\" : 3", "\"version\" : 2", APPRAISAL_FORMAT, "tcb_info_format"},
        {"\"version\" : 3", "\"version\" : \"3\"", APPRAISAL_FORMAT, "tcb_info_format"},
        {"2025-06-01T", "2025-06-16T", APPRAISAL_TCB, "tcb_info_time"},
        {"2025-07-01T", "2025-06-15T", APPRAISAL_TCB, "tcb_info_time"},
        {"2025-07-01T00:00:00Z", "2025-07-01", APPRAISAL_FORMAT, "tcb_info_format"},
        {"2025-07-01T", "2025-06-31T", APPRAISAL_FORMAT, "tcb_info_format"},
        {"2025-07-01T", "2025-7-01T", APPRAISAL_FORMAT, "tcb_info_format"},
        {"00A06D080000", "00a06d080000", APPRAISAL_OK, NULL},
        {"00A06D080000", "00A06D080001", APPRAISAL_TCB, "fmspc"},
        {"00A06D080000", "00A06D0800", APPRAISAL_FORMAT, "tcb_info_format"},
        {"\"pceId\":\"0102\"", "\"pceId\":\"0201\"", APPRAISAL_TCB, "pce_id"},
        {"\"tcbType\":0", "\"tcbType\":1", APPRAISAL_FORMAT, "tcb_info_format"},
        {"\"tcbEvaluationDataNumber\":17", "\"tcbEvaluationDataNumber\":-1", APPRAISAL_FORMAT,
         "tcb_info_format"},
        {"TDX_\\u00301", "TDX_02", APPRAISAL_TCB, "module_identity"},
        {"TDX_\\u00301\",\"mrsigner\":\"00", "TDX_01\",\"mrsigner\":\"01", APPRAISAL_TCB,
         "module_mrsigner"},
        {"\"isvsvn\":5}", "\"isvsvn\":6}", APPRAISAL_TCB, "tcb_status"},
        {"\"isvsvn\":5}", "\"isvsvn\":\"5\"}", APPRAISAL_FORMAT, "tcb_info_format"},
        {"\"tcbLevels\":[{\"tcb\":{\"sgx", "\"tcbLevel\":[{\"tcb\":{\"sgx", APPRAISAL_FORMAT,
         "tcb_info_format"},
        {"\"tcbLevels\":[{\"tcb\":{\"sgxtcbcomponents\":[{\"svn\":3}",
         "\"tcbLevels\":[{\"tcb\":{\"sgxtcbcomponents\":[{\"svn\":4}", APPRAISAL_TCB, "tcb_status"},
        {"\"sgxtcbcomponents\":[{\"svn\":3},", "\"sgxtcbcomponents\":[", APPRAISAL_FORMAT,
         "tcb_info_format"},
        {"\"sgxtcbcomponents\":[{\"svn\":3}", "\"sgxtcbcomponents\":[{\"svn\":256}",
         APPRAISAL_FORMAT, "tcb_info_format"},
        {"\"pcesvn\":11", "\"pcesvn\":14", APPRAISAL_TCB, "tcb_status"},
        {"\"tdxtcbcomponents\":[{\"svn\":5},{\"svn\":0},{\"svn\":3}",
         "\"tdxtcbcomponents\":[{\"svn\":5},{\"svn\":0},{\"svn\":4}", APPRAISAL_TCB, "tcb_status"},
        /* The module's own two bytes belong to its identity. */
        {"\"tdxtcbcomponents\":[{\"svn\":5},{\"svn\":0}",
         "\"tdxtcbcomponents\":[{\"svn\":9},{\"svn\":9}", APPRAISAL_OK, NULL},
        {"\"tdxtcbcomponents\"", "\"tdxcomponents\"", APPRAISAL_FORMAT, "tcb_info_format"},
        {"\"UpToDate\"},{\"tcb\":{\"sgx", "\"Fine\"},{\"tcb\":{\"sgx", APPRAISAL_FORMAT,
         "tcb_info_format"},
        {"\"UpToDate\"},{\"tcb\":{\"sgx", "\"Revoked\"},{\"tcb\":{\"sgx", APPRAISAL_TCB,
         "tcb_status"},
    };

    expect_edits(edits, ARRAY_LENGTH(edits), 0);
}
END_TEST

START_TEST(each_field_of_the_qe_identity_counts)
{
    static const struct edit edits[] = {
        {"\"TD_QE\"", "\"QE\"", APPRAISAL_FORMAT, "qe_identity_format"},
        {"\"version\":2", "\"version\":3", APPRAISAL_FORMAT, "qe_identity_format"},
        {"2025-06-01T", "2025-06-16T", APPRAISAL_TCB, "qe_identity_time"},
        {"2025-07-01T", "2025-06-15T", APPRAISAL_TCB, "qe_identity_time"},
        {"\"tcbEvaluationDataNumber\":17,", "", APPRAISAL_FORMAT, "qe_identity_format"},
        {"\"miscselect\":\"00000000\"", "\"miscselect\":\"00000001\"", APPRAISAL_TCB,
         "qe_miscselect"},
        {"\"miscselect\":\"00000000\"", "\"miscselect\":\"0\"", APPRAISAL_FORMAT,
         "qe_identity_format"},
        {"\"attributes\":\"11", "\"attributes\":\"31", APPRAISAL_TCB, "qe_attributes"},
        {"Mask\":\"FBFF", "Mask\":\"FFFF", APPRAISAL_TCB, "qe_attributes"},
        {"DC9E2A7C", "DC9E2A7D", APPRAISAL_TCB, "qe_mrsigner"},
        {"\"isvprodid\":2", "\"isvprodid\":1", APPRAISAL_TCB, "qe_isvprodid"},
        {"\"isvsvn\":4", "\"isvsvn\":5", APPRAISAL_TCB, "tcb_status"},
        {"\"isvsvn\":4},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate",
         "\"isvsvn\":4},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"Revoked",
         APPRAISAL_TCB, "tcb_status"},
        {"\"tcbLevels\":[", "\"tcbLevels\":[7,", APPRAISAL_FORMAT, "qe_identity_format"},
    };

    expect_edits(edits, ARRAY_LENGTH(edits), 1);
}
END_TEST

/* The platform changes and the collateral stays. */
struct platform {
    uint8_t component_4, pce_svn, module_svn, module_major, tdx_2, qe_svn;
    enum tdx_status status;
    enum appraisal_check check;
    const char *field;
};

START_TEST(the_first_level_that_the_platform_reaches_is_its_own)
{
    static const struct platform platforms[] = {
        {3, 11, 5, 1, 3, 4, TDX_UP_TO_DATE, APPRAISAL_OK, NULL},
        {255, 255, 255, 1, 255, 255, TDX_UP_TO_DATE, APPRAISAL_OK, NULL},
        {2, 13, 5, 1, 3, 4, TDX_SW_HARDENING_NEEDED, APPRAISAL_TCB, "tcb_status"},
        {3, 13, 5, 1, 2, 4, TDX_SW_HARDENING_NEEDED, APPRAISAL_TCB, "tcb_status"},
        {3, 10, 5, 1, 3, 4, TDX_OUT_OF_DATE, APPRAISAL_TCB, "tcb_status"},
        {1, 13, 5, 1, 3, 4, TDX_REVOKED, APPRAISAL_TCB, "tcb_status"},
        {0, 13, 5, 1, 3, 4, TDX_UNCHECKED, APPRAISAL_TCB, "tcb_level"},
        {3, 4, 5, 1, 3, 4, TDX_UNCHECKED, APPRAISAL_TCB, "tcb_level"},
        {3, 13, 5, 1, 1, 4, TDX_UNCHECKED, APPRAISAL_TCB, "tcb_level"},
        {3, 13, 4, 1, 3, 4, TDX_OUT_OF_DATE, APPRAISAL_TCB, "tcb_status"},
        {2, 13, 4, 1, 3, 4, TDX_OUT_OF_DATE, APPRAISAL_TCB, "tcb_status"},
        {3, 13, 3, 1, 3, 4, TDX_UNCHECKED, APPRAISAL_TCB, "module_isvsvn"},
        {3, 13, 3, 3, 3, 4, TDX_UP_TO_DATE, APPRAISAL_OK, NULL},
        {3, 13, 5, 2, 3, 4, TDX_UNCHECKED, APPRAISAL_TCB, "module_identity"},
        /* Major version 0 has no identity: its SVN is one of the platform's. */
        {3, 13, 5, 0, 3, 4, TDX_UP_TO_DATE, APPRAISAL_OK, NULL},
        {3, 13, 4, 0, 3, 4, TDX_UNCHECKED, APPRAISAL_TCB, "tcb_level"},
        {3, 13, 5, 1, 3, 3, TDX_OUT_OF_DATE, APPRAISAL_TCB, "tcb_status"},
        {3, 13, 5, 1, 3, 2, TDX_UNCHECKED, APPRAISAL_TCB, "qe_isvsvn"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(platforms); i++) {
        const struct platform *p = &platforms[i];
        scoped(freep) char *name = xformat("platform %zu", i);
        struct fixture fixture;

        fixture_init(&fixture);
        fixture.components[4] = p->component_4;
        fixture.pce_svn = p->pce_svn;
        fixture.body[0] = p->module_svn;
        fixture.body[1] = p->module_major;
        fixture.body[2] = p->tdx_2;
        fixture.qe[258] = p->qe_svn;
        fixture_build(&fixture);
        expect(&fixture, name, p->check, p->field);
        ck_assert_msg(status_of(&fixture) == p->status, "%s", name);
        fixture_fini(&fixture);
    }
}
END_TEST

START_TEST(policy_may_accept_a_status_but_never_revoked)
{
    struct fixture fixture;

    fixture_init(&fixture);
    fixture.components[4] = 2;
    fixture.policy.also_accepted = BIT(TDX_OUT_OF_DATE) | BIT(TDX_UNCHECKED);
    fixture_build(&fixture);
    expect(&fixture, "another status", APPRAISAL_TCB, "tcb_status");
    fixture.policy.also_accepted = BIT(TDX_SW_HARDENING_NEEDED);
    expect(&fixture, "accepted", APPRAISAL_OK, NULL);
    fixture.components[4] = 1;
    fixture.policy.also_accepted = UINT32_MAX;
    fixture_build(&fixture);
    expect(&fixture, "revoked", APPRAISAL_TCB, "tcb_status");
    fixture_fini(&fixture);
}
END_TEST

START_TEST(two_parts_together_need_what_either_needs)
{
    ck_assert_int_eq(tdx_status_join(TDX_UP_TO_DATE, TDX_UP_TO_DATE), TDX_UP_TO_DATE);
    ck_assert_int_eq(tdx_status_join(TDX_CONFIGURATION_NEEDED, TDX_OUT_OF_DATE),
                     TDX_OUT_OF_DATE_CONFIGURATION_NEEDED);
    ck_assert_int_eq(tdx_status_join(TDX_OUT_OF_DATE, TDX_SW_HARDENING_NEEDED), TDX_OUT_OF_DATE);
    ck_assert_int_eq(tdx_status_join(TDX_SW_HARDENING_NEEDED, TDX_CONFIGURATION_NEEDED),
                     TDX_CONFIGURATION_AND_SW_HARDENING_NEEDED);
    ck_assert_int_eq(tdx_status_join(TDX_CONFIGURATION_AND_SW_HARDENING_NEEDED, TDX_OUT_OF_DATE),
                     TDX_OUT_OF_DATE_CONFIGURATION_NEEDED);
    ck_assert_int_eq(tdx_status_join(TDX_REVOKED, TDX_OUT_OF_DATE), TDX_REVOKED);
    ck_assert_int_eq(tdx_status_join(TDX_UNCHECKED, TDX_UP_TO_DATE), TDX_UNCHECKED);
    for (size_t i = TDX_UP_TO_DATE; i < TDX_STATUSES; i++)
        ck_assert_int_eq(tdx_status_find(tdx_status_name(i)), (int) i);
    ck_assert_int_eq(tdx_status_find("Unchecked"), TDX_UNCHECKED);
    ck_assert_int_eq(tdx_status_find("uptodate"), TDX_UNCHECKED);
}
END_TEST

struct wrong {
    const char *name;
    void (*change)(struct fixture *fixture);
    enum appraisal_check check;
    const char *field;
};

static void tcb_info_by_stranger(struct fixture *f)
{
    f->tcb_info.signer = KEY_STRANGER;
}

static void qe_identity_by_pck(struct fixture *f)
{
    f->qe_identity.signer = KEY_PCK;
}

/* The same JSON to any parser: only the text is another. */
static void tcb_info_in_other_words(struct fixture *f)
{
    f->tcb_info.tamper_from = "\"version\" : 3";
    f->tcb_info.tamper_to = "\"version\":3";
}

static void tcb_info_in_plain_letters(struct fixture *f)
{
    f->tcb_info.tamper_from = "TDX_\\u00301";
    f->tcb_info.tamper_to = "TDX_01";
}

static void qe_identity_changed(struct fixture *f)
{
    f->qe_identity.tamper_from = "\"isvsvn\":4";
    f->qe_identity.tamper_to = "\"isvsvn\":5";
}

static void signature_cut(struct fixture *f)
{
    f->tcb_info.tamper_from = "\"signature\":\"";
    f->tcb_info.tamper_to = "\"signature\":\"00";
}

static void member_twice(struct fixture *f)
{
    f->tcb_info.tamper_from = "{\"tcbInfo\"";
    f->tcb_info.tamper_to = "{\"tcbInfo\":{},\"tcbInfo\"";
}

static void member_more(struct fixture *f)
{
    f->tcb_info.tamper_from = "{\"tcbInfo\"";
    f->tcb_info.tamper_to = "{\"more\":1,\"tcbInfo\"";
}

static void member_disguised(struct fixture *f)
{
    f->tcb_info.tamper_from = "{\"tcbInfo\"";
    f->tcb_info.tamper_to = "{\"tcbInf\\u006f\"";
}

static void two_values(struct fixture *f)
{
    f->qe_identity.tamper_from = " {\"enclaveIdentity\"";
    f->qe_identity.tamper_to = " {} {\"enclaveIdentity\"";
}

static void documents_below_floor(struct fixture *f)
{
    f->policy.evaluation_floor = 18;
}

static void identity_below_floor(struct fixture *f)
{
    f->policy.evaluation_floor = 18;
    f->tcb_info.from = "DataNumber\":17";
    f->tcb_info.to = "DataNumber\":18";
}

static void signer_by_stranger(struct fixture *f)
{
    f->signer.signer = KEY_STRANGER;
}

static void signer_of_another_name(struct fixture *f)
{
    f->signer.subject = "Intel SGX PCK Processor CA";
}

static void signer_expired(struct fixture *f)
{
    f->signer.to = "20250614000000Z";
}

static void signer_is_a_ca(struct fixture *f)
{
    f->signer.ca = 0;
}

static void signer_revoked(struct fixture *f)
{
    f->root_list.revoked = f->signer.serial;
}

static void ca_revoked(struct fixture *f)
{
    f->root_list.revoked = f->ca.serial;
}

static void pck_revoked(struct fixture *f)
{
    f->pck_list.revoked = f->pck.serial;
}

static void root_list_by_ca(struct fixture *f)
{
    f->root_list.signer = KEY_CA;
}

static void pck_list_by_stranger(struct fixture *f)
{
    f->pck_list.signer = KEY_STRANGER;
}

/* The root's list says nothing of certificates that the CA issued. */
static void root_list_twice(struct fixture *f)
{
    f->pck_list = f->root_list;
}

static void root_list_old(struct fixture *f)
{
    f->root_list.to = "20250614000000Z";
}

static void pck_list_old(struct fixture *f)
{
    f->pck_list.to = "20250614000000Z";
}

static void seam_of_another(struct fixture *f)
{
    f->body[119] = 1;
}

static void module_0_of_another(struct fixture *f)
{
    f->body[1] = 0;
    f->body[64] = 1;
}

START_TEST(what_is_not_signed_or_not_of_this_time_is_refused)
{
    static const struct wrong wrongs[] = {
        {"stranger", tcb_info_by_stranger, APPRAISAL_SIGNATURE, "tcb_info_signature"},
        {"PCK", qe_identity_by_pck, APPRAISAL_SIGNATURE, "qe_identity_signature"},
        {"white space", tcb_info_in_other_words, APPRAISAL_SIGNATURE, "tcb_info_signature"},
        {"escape", tcb_info_in_plain_letters, APPRAISAL_SIGNATURE, "tcb_info_signature"},
        {"changed", qe_identity_changed, APPRAISAL_SIGNATURE, "qe_identity_signature"},
        {"signature", signature_cut, APPRAISAL_FORMAT, "tcb_info_format"},
        {"member twice", member_twice, APPRAISAL_FORMAT, "tcb_info_format"},
        {"member more", member_more, APPRAISAL_FORMAT, "tcb_info_format"},
        {"member disguised", member_disguised, APPRAISAL_FORMAT, "tcb_info_format"},
        {"two values", two_values, APPRAISAL_FORMAT, "qe_identity_format"},
        {"floor", documents_below_floor, APPRAISAL_TCB, "tcb_info_rollback"},
        {"identity's floor", identity_below_floor, APPRAISAL_TCB, "qe_identity_rollback"},
        {"signer's signer", signer_by_stranger, APPRAISAL_SIGNATURE, "tcb_signing"},
        {"signer's name", signer_of_another_name, APPRAISAL_SIGNATURE, "tcb_signing_name"},
        {"signer expired", signer_expired, APPRAISAL_SIGNATURE, "tcb_signing"},
        {"signer a CA", signer_is_a_ca, APPRAISAL_SIGNATURE, "tcb_signing"},
        {"signer revoked", signer_revoked, APPRAISAL_SIGNATURE, "tcb_signing"},
        {"CA revoked", ca_revoked, APPRAISAL_SIGNATURE, "PCK-CA"},
        {"PCK revoked", pck_revoked, APPRAISAL_SIGNATURE, "PCK"},
        {"root list by CA", root_list_by_ca, APPRAISAL_SIGNATURE, "root_crl"},
        {"PCK list by stranger", pck_list_by_stranger, APPRAISAL_SIGNATURE, "pck_crl"},
        {"root list twice", root_list_twice, APPRAISAL_SIGNATURE, "pck_crl"},
        {"root list old", root_list_old, APPRAISAL_SIGNATURE, "root_crl"},
        {"PCK list old", pck_list_old, APPRAISAL_SIGNATURE, "pck_crl"},
        {"module's attributes", seam_of_another, APPRAISAL_TCB, "module_attributes"},
        {"old module's signer", module_0_of_another, APPRAISAL_TCB, "module_mrsigner"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(wrongs); i++) {
        struct fixture fixture;

        fixture_init(&fixture);
        wrongs[i].change(&fixture);
        fixture_build(&fixture);
        expect(&fixture, wrongs[i].name, wrongs[i].check, wrongs[i].field);
        fixture_fini(&fixture);
    }
}
END_TEST

START_TEST(some_of_the_collateral_is_not_taken_for_none)
{
    struct fixture fixture;

    fixture_init(&fixture);
    fixture_build(&fixture);
    struct chain_bytes *const parts[] = {
        &fixture.collateral.tcb_info, &fixture.collateral.qe_identity,
        &fixture.collateral.tcb_signing, &fixture.collateral.pck_crl, &fixture.collateral.root_crl};
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        struct tdx_collateral all = fixture.collateral;

        *parts[i] = (struct chain_bytes){0};
        expect(&fixture, "one is missing", APPRAISAL_FORMAT, "collateral");
        struct chain_bytes kept = (&all.tcb_info)[i];
        fixture.collateral = (struct tdx_collateral){.tcb_info = {0}};
        *parts[i] = kept;
        expect(&fixture, "only one is there", APPRAISAL_FORMAT, "collateral");
        fixture.collateral = all;
    }
    fixture_fini(&fixture);
}
END_TEST

START_TEST(the_signer_can_come_without_its_root)
{
    struct fixture fixture;

    fixture_init(&fixture);
    fixture_build(&fixture);
    struct chain_bytes *signing = &fixture.collateral.tcb_signing;
    struct chain_bytes both = *signing;
    size_t first = (size_t) (strstr(fixture.signing_pem + 1, "-----BEGIN") - fixture.signing_pem);
    scoped(freep) char *three = xformat("%s%s", fixture.signing_pem, fixture.signing_pem + first);

    signing->length = first;
    expect(&fixture, "the signer alone", APPRAISAL_OK, NULL);
    ck_assert_int_eq(status_of(&fixture), TDX_UP_TO_DATE);
    *signing = (struct chain_bytes){both.data + first, both.length - first};
    expect(&fixture, "the root alone", APPRAISAL_SIGNATURE, "tcb_signing");
    *signing = (struct chain_bytes){(const uint8_t *) three, strlen(three)};
    expect(&fixture, "three", APPRAISAL_FORMAT, "tcb_signing");
    fixture_fini(&fixture);
}
END_TEST

START_TEST(time_decides_and_is_an_argument)
{
    struct fixture fixture;

    fixture_init(&fixture);
    fixture_build(&fixture);
    fixture.policy.time = FIXTURE_TIME + 30 * 86400;
    expect(&fixture, "a month later", APPRAISAL_SIGNATURE, "root_crl");
    fixture.policy.time = FIXTURE_TIME - 30 * 86400;
    expect(&fixture, "a month earlier", APPRAISAL_TCB, "tcb_info_time");
    fixture.policy.time = 1751328000; /* 2025-07-01: nextUpdate itself */
    expect(&fixture, "the last second", APPRAISAL_OK, NULL);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(the_signed_text_is_cut_out_as_it_was_sent)
{
    static const char whole[] =
        "{ \"signature\" : \"%0128d\", \"x\" : { \"}\\\"\": [ { } , \"]\" ] } }";
    scoped(freep) char *text = xformat(whole, 7);
    struct signed_json json;
    struct error err;

    ck_assert_int_eq(signed_json_split(text, strlen(text), "x", &json, &err), 0);
    ck_assert_uint_eq(json.length, strlen("{ \"}\\\"\": [ { } , \"]\" ] }"));
    ck_assert_mem_eq(json.text, "{ \"}\\\"\": [ { } , \"]\" ] }", json.length);
    ck_assert_uint_eq(json.signature[63], 7);
    for (size_t length = 0; length < strlen(text); length++)
        ck_assert_int_eq(signed_json_split(text, length, "x", &json, &err), -1);
    ck_assert_int_eq(signed_json_split(text, strlen(text), "y", &json, &err), -1);
    ck_assert_int_eq(signed_json_split(text, SIGNED_JSON_MAX + 1, "x", &json, &err), -1);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
}
END_TEST

int main(void)
{
    return suite_run("tdx_collateral", (const TTest *[]){
                                           good_collateral_says_up_to_date,
                                           each_field_of_tcb_info_counts,
                                           each_field_of_the_qe_identity_counts,
                                           the_first_level_that_the_platform_reaches_is_its_own,
                                           policy_may_accept_a_status_but_never_revoked,
                                           two_parts_together_need_what_either_needs,
                                           what_is_not_signed_or_not_of_this_time_is_refused,
                                           some_of_the_collateral_is_not_taken_for_none,
                                           the_signer_can_come_without_its_root,
                                           time_decides_and_is_an_argument,
                                           the_signed_text_is_cut_out_as_it_was_sent,
                                           NULL,
                                       });
}
