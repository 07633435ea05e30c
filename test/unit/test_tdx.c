/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes of an Intel of our own, with one thing wrong in each. */
#include "suite.h"

#include <string.h>

#include "evidence/tdx_policy.h"
#include "tdx_fixture.h"

struct wrong {
    const char *name;
    void (*change)(struct fixture *fixture); /* before it is signed */
    enum appraisal_check check;
    const char *field;
};

static void expect(const struct fixture *fixture, const char *name, enum appraisal_check check,
                   const char *field)
{
    struct evidence_verdict verdict;
    int rc = fixture_verify(fixture, &verdict);

    ck_assert_msg(rc == (check == APPRAISAL_OK ? 0 : -1) && verdict.failed == check, "%s: %s: %s",
                  name, appraisal_check_name(verdict.failed), verdict.text);
    ck_assert_msg(field ? verdict.field && strcmp(verdict.field, field) == 0 : !verdict.field,
                  "%s: field %s: %s", name, verdict.field ? verdict.field : "none", verdict.text);
    ck_assert(check == APPRAISAL_OK || verdict.text[0]);
}

static void without_collateral(struct fixture *fixture)
{
    fixture_build(fixture);
    fixture->collateral = (struct tdx_collateral){.tcb_info = {0}};
}

static void expect_each(const struct wrong *wrongs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct fixture fixture;

        fixture_init(&fixture);
        wrongs[i].change(&fixture);
        without_collateral(&fixture);
        expect(&fixture, wrongs[i].name, wrongs[i].check, wrongs[i].field);
        fixture_fini(&fixture);
    }
}

static void as_version_5(struct fixture *fixture)
{
    fixture->header[0] = 5;
}

static void as_tdx_1_5(struct fixture *fixture)
{
    fixture->header[0] = 5;
    fixture->body_type = TDX_BODY_1_5;
}

static void with_trailing(struct fixture *fixture)
{
    fixture->trailing = 70;
}

START_TEST(good_quotes_of_each_shape_are_taken)
{
    static void (*const shapes[])(struct fixture *) = {as_version_5, as_tdx_1_5, with_trailing};

    for (size_t i = 0; i <= ARRAY_LENGTH(shapes); i++) {
        struct evidence_verdict verdict;
        struct tdx_result result;
        struct fixture fixture;

        fixture_init(&fixture);
        if (i < ARRAY_LENGTH(shapes))
            shapes[i](&fixture);
        without_collateral(&fixture);
        expect(&fixture, "good", APPRAISAL_OK, NULL);
        ck_assert_int_eq(
            tdx_verify(fixture.quote, &fixture.collateral, &fixture.policy, &result, &verdict), 0);
        ck_assert_int_eq(result.status, TDX_UNCHECKED);
        ck_assert_uint_eq(result.quote.trailing, fixture.trailing);
        ck_assert_mem_eq(verdict.measurement, fixture.body + 136, 48);
        ck_assert_mem_eq(result.pck.fmspc, fixture.fmspc, 6);
        ck_assert_uint_eq(result.pck.pce_svn, 13);
        fixture_fini(&fixture);
    }
}
END_TEST

static void quote_by_stranger(struct fixture *f)
{
    f->quote_signer = KEY_STRANGER;
}

static void quote_by_pck(struct fixture *f)
{
    f->quote_signer = KEY_PCK;
}

static void qe_by_stranger(struct fixture *f)
{
    f->qe_signer = KEY_STRANGER;
}

static void qe_by_ca(struct fixture *f)
{
    f->qe_signer = KEY_CA;
}

static void bound_to_stranger(struct fixture *f)
{
    f->bound_key = KEY_STRANGER;
}

static void padding_of_report_data(struct fixture *f)
{
    f->qe[383] = 1;
}

static void signer_of_qe(struct fixture *f)
{
    f->qe[128] ^= 1;
}

static void product_of_qe(struct fixture *f)
{
    f->qe[256] = 1;
}

static void debug_of_qe(struct fixture *f)
{
    f->qe[48] |= 2;
}

static void pck_by_stranger(struct fixture *f)
{
    f->pck.signer = KEY_STRANGER;
}

static void pck_by_root(struct fixture *f)
{
    f->pck.issuer = f->root.subject;
    f->pck.signer = KEY_ROOT;
}

static void ca_by_stranger(struct fixture *f)
{
    f->ca.signer = KEY_STRANGER;
}

static void ca_is_none(struct fixture *f)
{
    f->ca.ca = -1;
}

static void pck_is_a_ca(struct fixture *f)
{
    f->pck.ca = 0;
}

/* The same name and another key, as pre-production parts have it. */
static void root_of_the_same_name(struct fixture *f)
{
    f->root.key = KEY_STRANGER;
    f->root.signer = KEY_STRANGER;
    f->ca.signer = KEY_STRANGER;
}

static void root_is_intels(struct fixture *f)
{
    f->policy.root_count = 0;
}

static void pck_expired(struct fixture *f)
{
    f->pck.to = "20250614235959Z";
}

static void pck_of_tomorrow(struct fixture *f)
{
    f->pck.from = "20250616000000Z";
}

static void ca_expired(struct fixture *f)
{
    f->ca.to = "20250614235959Z";
}

static void root_expired(struct fixture *f)
{
    f->root.to = "20250614235959Z";
}

static void no_extension(struct fixture *f)
{
    f->sgx_absent = 1;
}

static void no_tcb(struct fixture *f)
{
    f->sgx_left_out = BIT(2);
}

static void no_pce_id(struct fixture *f)
{
    f->sgx_left_out = BIT(3);
}

static void no_fmspc(struct fixture *f)
{
    f->sgx_left_out = BIT(4);
}

START_TEST(what_does_not_lead_to_the_root_is_refused)
{
    static const struct wrong wrongs[] = {
        {"quote by a stranger", quote_by_stranger, APPRAISAL_SIGNATURE, "quote_signature"},
        {"quote by the PCK", quote_by_pck, APPRAISAL_SIGNATURE, "quote_signature"},
        {"QE by a stranger", qe_by_stranger, APPRAISAL_SIGNATURE, "qe_signature"},
        {"QE by the CA", qe_by_ca, APPRAISAL_SIGNATURE, "qe_signature"},
        {"another key bound", bound_to_stranger, APPRAISAL_SIGNATURE, "qe_binding"},
        {"padding bound", padding_of_report_data, APPRAISAL_SIGNATURE, "qe_binding"},
        {"QE's signer", signer_of_qe, APPRAISAL_SIGNATURE, "qe_signer"},
        {"QE's product", product_of_qe, APPRAISAL_SIGNATURE, "qe_product"},
        {"QE under debug", debug_of_qe, APPRAISAL_SIGNATURE, "qe_debug"},
        {"PCK by a stranger", pck_by_stranger, APPRAISAL_SIGNATURE, "PCK"},
        {"PCK by the root", pck_by_root, APPRAISAL_SIGNATURE, "PCK"},
        {"CA by a stranger", ca_by_stranger, APPRAISAL_SIGNATURE, "PCK-CA"},
        {"CA that is none", ca_is_none, APPRAISAL_SIGNATURE, "PCK-CA"},
        {"PCK that is a CA", pck_is_a_ca, APPRAISAL_SIGNATURE, "PCK"},
        {"another root", root_of_the_same_name, APPRAISAL_SIGNATURE, "Intel-root"},
        {"our root, Intel's wanted", root_is_intels, APPRAISAL_SIGNATURE, "Intel-root"},
        {"PCK expired", pck_expired, APPRAISAL_SIGNATURE, "PCK"},
        {"PCK not yet valid", pck_of_tomorrow, APPRAISAL_SIGNATURE, "PCK"},
        {"CA expired", ca_expired, APPRAISAL_SIGNATURE, "PCK-CA"},
        {"root expired", root_expired, APPRAISAL_SIGNATURE, "Intel-root"},
        {"no SGX extension", no_extension, APPRAISAL_SIGNATURE, "pck_extension"},
        {"no TCB", no_tcb, APPRAISAL_FORMAT, "pck_extension"},
        {"no PCEID", no_pce_id, APPRAISAL_FORMAT, "pck_extension"},
        {"no FMSPC", no_fmspc, APPRAISAL_FORMAT, "pck_extension"},
    };

    expect_each(wrongs, ARRAY_LENGTH(wrongs));
}
END_TEST

static void debug_td(struct fixture *f)
{
    f->body[120] = 1;
}

/* Policy that does not look at the bit does not take it either. */
static void debug_td_asked_for(struct fixture *f)
{
    static const struct tdx_bits debug = {.mask = 1, .value = 1};

    f->body[120] = 1;
    f->policy.attributes = &debug;
}

static void other_debug(struct fixture *f)
{
    f->body[120] = 0x80;
}

static void no_sept_ve_disable(struct fixture *f)
{
    f->body[123] = 0;
}

static void migratable(struct fixture *f)
{
    f->body[123] |= 0x20;
}

static void perfmon(struct fixture *f)
{
    f->body[127] = 0x80;
}

static void sept_ve_not_cared_for(struct fixture *f)
{
    static const struct tdx_bits any = {.mask = 0};

    f->body[123] = 0;
    f->policy.attributes = &any;
}

static void pks_and_key_locker(struct fixture *f)
{
    f->body[123] |= 0xc0;
}

static void other_exact_attributes(struct fixture *f)
{
    static const struct tdx_bits exact = {.mask = UINT64_MAX, .value = 0x30000000};

    f->policy.attributes = &exact;
}

static void other_xfam(struct fixture *f)
{
    static const struct tdx_bits xfam = {.mask = UINT64_MAX, .value = 0x61ae7};

    f->policy.xfam = &xfam;
}

static void seam_signer(struct fixture *f)
{
    f->body[64] = 1;
}

static void seam_signer_end(struct fixture *f)
{
    f->body[111] = 1;
}

static void seam_attributes(struct fixture *f)
{
    f->body[119] = 1;
}

static const uint8_t others[48] = {1};

static void other_report_data(struct fixture *f)
{
    static uint8_t wanted[64];

    memcpy(wanted, f->body + 520, 64);
    wanted[63] ^= 1;
    f->policy.report_data = wanted;
}

static void other_mr_config_id(struct fixture *f)
{
    f->policy.mr_config_id = others;
    f->policy.skip = TDX_SKIP_MR_TD;
}

static void mr_config_id_not_named(struct fixture *f)
{
    f->policy.skip = TDX_SKIP_MR_TD;
}

static void mr_config_id_zero(struct fixture *f)
{
    memset(f->body + 184, 0, 48);
    f->policy.skip = TDX_SKIP_MR_TD;
}

static void report_data_not_named(struct fixture *f)
{
    f->policy.report_data = NULL;
}

static void mr_td_not_named(struct fixture *f)
{
    f->policy.skip = TDX_SKIP_MR_CONFIG_ID;
}

static void other_mr_td(struct fixture *f)
{
    f->policy.mr_td = (struct tdx_values){&others, 1};
    f->policy.skip = TDX_SKIP_MR_CONFIG_ID;
}

static void other_mr_seam(struct fixture *f)
{
    f->policy.mr_seam = (struct tdx_values){&others, 1};
}

static void set_rtmr(struct fixture *f, size_t index, const uint8_t *value)
{
    f->policy.rtmr[index] = (struct tdx_values){(const uint8_t(*)[TDX_MEASUREMENT_SIZE]) value, 1};
}

static void other_rtmr_0(struct fixture *f)
{
    set_rtmr(f, 0, others);
}

static void other_rtmr_3(struct fixture *f)
{
    set_rtmr(f, 3, others);
}

static void other_mr_owner(struct fixture *f)
{
    f->policy.mr_owner = others;
}

static void other_mr_owner_config(struct fixture *f)
{
    f->policy.mr_owner_config = others;
}

static void other_mr_service_td(struct fixture *f)
{
    as_tdx_1_5(f);
    f->policy.mr_service_td = others;
}

static void mr_service_td_not_named(struct fixture *f)
{
    as_tdx_1_5(f);
    f->policy.skip = TDX_SKIP_MR_TD | TDX_SKIP_MR_CONFIG_ID;
}

static void mr_service_td_zero(struct fixture *f)
{
    mr_service_td_not_named(f);
    memset(f->body + 600, 0, 48);
}

static void mr_service_td_of_1_0(struct fixture *f)
{
    f->policy.mr_service_td = others;
}

static void higher_floor(struct fixture *f)
{
    static const uint8_t floor[16] = {5, 1, 4};

    f->policy.svn_floor = floor;
}

static void no_collateral(struct fixture *f)
{
    f->policy.collateral = TDX_COLLATERAL_REQUIRED;
}

START_TEST(what_policy_does_not_want_is_refused)
{
    static const struct wrong wrongs[] = {
        {"debug", debug_td, APPRAISAL_ATTRIBUTES, "debug"},
        {"debug asked for", debug_td_asked_for, APPRAISAL_ATTRIBUTES, "debug"},
        {"the like of debug", other_debug, APPRAISAL_ATTRIBUTES, "debug"},
        {"SEPT_VE_DISABLE", no_sept_ve_disable, APPRAISAL_ATTRIBUTES, "td_attributes"},
        {"migratable", migratable, APPRAISAL_ATTRIBUTES, "td_attributes"},
        {"perfmon", perfmon, APPRAISAL_ATTRIBUTES, "td_attributes"},
        {"any attributes", sept_ve_not_cared_for, APPRAISAL_OK, NULL},
        {"PKS, Key Locker", pks_and_key_locker, APPRAISAL_OK, NULL},
        {"exact attributes", other_exact_attributes, APPRAISAL_ATTRIBUTES, "td_attributes"},
        {"xfam", other_xfam, APPRAISAL_ATTRIBUTES, "xfam"},
        {"SEAM signer", seam_signer, APPRAISAL_ATTRIBUTES, "mr_signer_seam"},
        {"SEAM signer's end", seam_signer_end, APPRAISAL_ATTRIBUTES, "mr_signer_seam"},
        {"SEAM attributes", seam_attributes, APPRAISAL_ATTRIBUTES, "seam_attributes"},
        {"report_data", other_report_data, APPRAISAL_REPORT_DATA, "report_data"},
        {"mr_config_id", other_mr_config_id, APPRAISAL_HARDWARE_INITDATA, "mr_config_id"},
        {"no mr_config_id", mr_config_id_not_named, APPRAISAL_HARDWARE_INITDATA, "mr_config_id"},
        {"zero mr_config_id", mr_config_id_zero, APPRAISAL_OK, NULL},
        {"no report_data", report_data_not_named, APPRAISAL_REPORT_DATA, "report_data"},
        {"no mr_td", mr_td_not_named, APPRAISAL_MEASUREMENT, "mr_td"},
        {"mr_td", other_mr_td, APPRAISAL_MEASUREMENT, "mr_td"},
        {"mr_seam", other_mr_seam, APPRAISAL_MEASUREMENT, "mr_seam"},
        {"rtmr0", other_rtmr_0, APPRAISAL_MEASUREMENT, "rtmr0"},
        {"rtmr3", other_rtmr_3, APPRAISAL_MEASUREMENT, "rtmr3"},
        {"mr_owner", other_mr_owner, APPRAISAL_MEASUREMENT, "mr_owner"},
        {"mr_owner_config", other_mr_owner_config, APPRAISAL_MEASUREMENT, "mr_owner_config"},
        {"mr_service_td", other_mr_service_td, APPRAISAL_MEASUREMENT, "mr_service_td"},
        {"bound", mr_service_td_not_named, APPRAISAL_MEASUREMENT, "mr_service_td"},
        {"not bound", mr_service_td_zero, APPRAISAL_OK, NULL},
        {"no mr_service_td", mr_service_td_of_1_0, APPRAISAL_MEASUREMENT, "mr_service_td"},
        {"SVN floor", higher_floor, APPRAISAL_TCB, "tee_tcb_svn"},
        {"no collateral", no_collateral, APPRAISAL_TCB, "collateral_missing"},
    };

    expect_each(wrongs, ARRAY_LENGTH(wrongs));
}
END_TEST

/* As other certificates than the fixture's have it. */
static void expect_chips(struct fixture *fixture, unsigned left_out, int has_instance,
                         enum appraisal_check check)
{
    fixture->sgx_left_out = left_out;
    fixture->has_instance = has_instance;
    fixture_build(fixture);
    expect(fixture, "chips", check, check == APPRAISAL_OK ? NULL : "ppid");
}

START_TEST(a_list_of_families_is_kept)
{
    static const uint8_t families[2][SGX_FMSPC_SIZE] = {{1}, {0xb0, 0xc0, 0x6f}};
    struct fixture fixture;

    fixture_init(&fixture);
    memcpy(fixture.fmspc, families[1], SGX_FMSPC_SIZE);
    fixture_build(&fixture);
    fixture.collateral = (struct tdx_collateral){.tcb_info = {0}};
    fixture.policy.fmspc = families;
    fixture.policy.fmspc_count = 1;
    expect(&fixture, "another family", APPRAISAL_HARDWARE, "fmspc");
    fixture.policy.fmspc_count = 2;
    expect(&fixture, "a family", APPRAISAL_OK, NULL);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(a_chip_is_listed_by_its_id_or_its_instance)
{
    static const uint8_t chips[2][SGX_CHIP_SIZE] = {"a platform's id", "an instance's i"};
    struct fixture fixture;

    fixture_init(&fixture);
    memcpy(fixture.ppid, chips[0], SGX_CHIP_SIZE);
    memcpy(fixture.instance, chips[1], SGX_CHIP_SIZE);
    fixture.policy.chips = chips;
    fixture.policy.chip_count = 1;
    expect_chips(&fixture, 0, 0, APPRAISAL_OK);
    expect_chips(&fixture, BIT(1), 0, APPRAISAL_HARDWARE);
    expect_chips(&fixture, BIT(1), 1, APPRAISAL_HARDWARE);
    fixture.policy.chips = &chips[1];
    expect_chips(&fixture, 0, 0, APPRAISAL_HARDWARE);
    expect_chips(&fixture, 0, 1, APPRAISAL_OK);
    expect_chips(&fixture, BIT(1), 1, APPRAISAL_OK);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(a_register_can_have_several_values)
{
    uint8_t values[2][TDX_MEASUREMENT_SIZE] = {{1}};
    struct fixture fixture;

    fixture_init(&fixture);
    fixture_build(&fixture);
    memcpy(values[1], fixture.body + 328 + 48, TDX_MEASUREMENT_SIZE);
    fixture.policy.rtmr[1] = (struct tdx_values){values, 2};
    expect(&fixture, "the second", APPRAISAL_OK, NULL);
    fixture.policy.rtmr[1].count = 1;
    expect(&fixture, "none", APPRAISAL_MEASUREMENT, "rtmr1");
    fixture_fini(&fixture);
}
END_TEST

START_TEST(all_that_policy_names_is_compared_with_its_own_field)
{
    static const uint8_t floor[16] = {5, 1, 3};
    static const struct tdx_bits xfam = {.mask = UINT64_MAX, .value = 0xe7};
    uint8_t references[2][TDX_MEASUREMENT_SIZE] = {{0}};
    struct fixture fixture;

    fixture_init(&fixture);
    as_tdx_1_5(&fixture);
    without_collateral(&fixture);
    fixture.policy.skip = 0;
    memcpy(references[1], fixture.body + 136, TDX_MEASUREMENT_SIZE);
    fixture.policy.mr_td = (struct tdx_values){references, 2};
    fixture.policy.mr_seam = (struct tdx_values){
        (const uint8_t(*)[TDX_MEASUREMENT_SIZE])(fixture.body + 16), 1};
    fixture.policy.mr_config_id = fixture.body + 184;
    fixture.policy.mr_owner = fixture.body + 232;
    fixture.policy.mr_owner_config = fixture.body + 280;
    for (size_t i = 0; i < 4; i++)
        set_rtmr(&fixture, i, fixture.body + 328 + i * 48);
    fixture.policy.report_data = fixture.body + 520;
    fixture.policy.mr_service_td = fixture.body + 600;
    fixture.policy.svn_floor = floor;
    fixture.policy.xfam = &xfam;
    expect(&fixture, "all of policy", APPRAISAL_OK, NULL);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(a_report_for_another_connection_is_told_with_what_it_signs)
{
    struct evidence_verdict verdict;
    struct fixture fixture;

    fixture_init(&fixture);
    other_report_data(&fixture);
    without_collateral(&fixture);
    ck_assert_int_eq(fixture_verify(&fixture, &verdict), -1);
    ck_assert_uint_eq(verdict.signed_digest_size, 64);
    ck_assert_mem_eq(verdict.signed_digest, fixture.body + 520, 64);
    fixture_fini(&fixture);
}
END_TEST

/* A sample of every part: header, body, signature, key and QE report; PEM has its own rules. */
START_TEST(no_byte_under_a_signature_can_be_changed)
{
    struct fixture fixture;

    fixture_init(&fixture);
    as_tdx_1_5(&fixture);
    without_collateral(&fixture);
    size_t end = fixture_signature_at(&fixture) + 128 + 6 + SGX_REPORT_SIZE + 64 + 2 + 32;
    for (size_t i = 0; i < end; i += 47) {
        struct evidence_verdict verdict;

        fixture.evidence[i] ^= 0x10;
        ck_assert_msg(fixture_verify(&fixture, &verdict) == -1, "byte %zu", i);
        ck_assert_msg(verdict.failed == APPRAISAL_FORMAT || verdict.failed == APPRAISAL_SIGNATURE,
                      "byte %zu: %s", i, verdict.text);
        fixture.evidence[i] ^= 0x10;
    }
    expect(&fixture, "restored", APPRAISAL_OK, NULL);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(the_chain_is_three_certificates)
{
    struct fixture fixture;

    fixture_init(&fixture);
    without_collateral(&fixture);
    /* The last one goes: what is left of the text is cut out of every length around it. */
    size_t pem_at = fixture_signature_at(&fixture) + 128 + 6 + SGX_REPORT_SIZE + 64 + 2 + 32 + 6;
    char *last = strstr(strstr(fixture.pem + 1, "-----BEGIN") + 1, "-----BEGIN");
    size_t gone = strlen(last) + 1,
           at[] = {pem_at - 4, pem_at - 6 - 482 - 4, fixture_signature_at(&fixture) - 4};
    for (size_t i = 0; i < ARRAY_LENGTH(at); i++) {
        unsigned length = fixture.evidence[at[i]] | (unsigned) fixture.evidence[at[i] + 1] << 8;

        length -= (unsigned) gone;
        fixture.evidence[at[i]] = (uint8_t) length;
        fixture.evidence[at[i] + 1] = (uint8_t) (length >> 8);
    }
    expect(&fixture, "two certificates", APPRAISAL_FORMAT, "pck_chain");
    fixture_fini(&fixture);
}
END_TEST

int main(void)
{
    return suite_run("tdx", (const TTest *[]){
                                good_quotes_of_each_shape_are_taken,
                                what_does_not_lead_to_the_root_is_refused,
                                what_policy_does_not_want_is_refused,
                                a_list_of_families_is_kept,
                                a_chip_is_listed_by_its_id_or_its_instance,
                                a_register_can_have_several_values,
                                all_that_policy_names_is_compared_with_its_own_field,
                                a_report_for_another_connection_is_told_with_what_it_signs,
                                no_byte_under_a_signature_can_be_changed,
                                the_chain_is_three_certificates,
                                NULL,
                            });
}
