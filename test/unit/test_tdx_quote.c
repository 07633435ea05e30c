/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <string.h>

#include "base/error.h"
#include "tdx_fixture.h"

enum { AUTH = 32, INNER = 128 + 6, CHAIN = INNER + SGX_REPORT_SIZE + 64 + 2 + AUTH };

static void make(struct fixture *fixture, int version, enum tdx_body_type type)
{
    fixture_init(fixture);
    fixture->header[0] = (uint8_t) version;
    fixture->body_type = type;
    fixture_build(fixture);
}

static int parse(const struct fixture *fixture, size_t length, struct error *err)
{
    struct tdx_quote quote;

    return tdx_quote_parse(fixture->evidence, length, &quote, err);
}

static void expect_refused(const struct fixture *fixture, const char *text)
{
    struct error err;

    ck_assert_msg(parse(fixture, fixture->quote.length, &err) == -1, "%s", text);
    ck_assert_msg(strstr(err.message, text) != NULL, "not '%s' but '%s'", text, err.message);
}

START_TEST(a_quote_is_found_in_its_places)
{
    struct tdx_quote quote;
    struct fixture fixture;
    struct error err;

    make(&fixture, 5, TDX_BODY_1_5);
    ck_assert_int_eq(tdx_quote_parse(fixture.evidence, fixture.quote.length, &quote, &err), 0);
    ck_assert_uint_eq(quote.version, 5);
    ck_assert_int_eq(quote.body.type, TDX_BODY_1_5);
    ck_assert_uint_eq(quote.signed_length, 54 + 648);
    ck_assert_ptr_eq(quote.body.mr_td, fixture.evidence + 54 + 136);
    ck_assert_ptr_eq(quote.body.rtmr[3], fixture.evidence + 54 + 472);
    ck_assert_ptr_eq(quote.body.report_data, fixture.evidence + 54 + 520);
    ck_assert_ptr_eq(quote.body.mr_service_td, fixture.evidence + 54 + 600);
    ck_assert_uint_eq(quote.body.td_attributes, TDX_ATTRIBUTE_SEPT_VE_DISABLE);
    ck_assert_uint_eq(quote.body.xfam, 0xe7);
    ck_assert_uint_eq(quote.qe.isv_prod_id, 2);
    ck_assert_uint_eq(quote.qe.isv_svn, 4);
    ck_assert_uint_eq(quote.qe_auth_length, AUTH);
    ck_assert_uint_eq(quote.pem_length, strlen(fixture.pem)); /* without its NUL */
    ck_assert_uint_eq(quote.trailing, 0);
    fixture_fini(&fixture);

    make(&fixture, 4, TDX_BODY_1_0);
    ck_assert_int_eq(tdx_quote_parse(fixture.evidence, fixture.quote.length, &quote, &err), 0);
    ck_assert_uint_eq(quote.signed_length, 48 + 584);
    ck_assert_ptr_null(quote.body.mr_service_td);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(a_quote_that_is_cut_is_refused_at_every_byte)
{
    static const int versions[] = {4, 5};
    struct fixture fixture;
    struct error err;

    for (size_t v = 0; v < ARRAY_LENGTH(versions); v++) {
        make(&fixture, versions[v], TDX_BODY_1_0);
        for (size_t length = 0; length < fixture.quote.length; length++) {
            ck_assert_int_eq(parse(&fixture, length, &err), -1);
            ck_assert_ptr_nonnull(strstr(err.message, "quote ends within its"));
        }
        ck_assert_int_eq(parse(&fixture, fixture.quote.length, &err), 0);
        fixture_fini(&fixture);
    }
}
END_TEST

struct patch {
    size_t at;
    uint8_t value;
    const char *text;
};

START_TEST(other_versions_types_and_vendors_are_refused_by_name)
{
    static const struct patch patches[] = {
        {0, 3, "an SGX quote (version 3)"},
        {0, 6, "version is 6"},
        {0, 0, "version is 0"},
        {1, 1, "version is 260"},
        {2, 3, "attestation key type is 3"},
        {4, 0, "an SGX quote (version 4)"},
        {4, 0x82, "tee_type is 0x82"},
        {7, 1, "tee_type is 0x1000081"},
        {12, 0, "vendor_id"},
        {27, 0, "vendor_id"},
    };
    struct fixture fixture;

    make(&fixture, 4, TDX_BODY_1_0);
    for (size_t i = 0; i < ARRAY_LENGTH(patches); i++) {
        uint8_t kept = fixture.evidence[patches[i].at];

        fixture.evidence[patches[i].at] = patches[i].value;
        expect_refused(&fixture, patches[i].text);
        fixture.evidence[patches[i].at] = kept;
    }
    fixture_fini(&fixture);
}
END_TEST

START_TEST(a_body_is_as_long_as_its_type_says)
{
    static const struct patch patches[] = {
        {48, 1, "body type is 1"},           {48, 4, "body type is 4"},
        {49, 1, "body type is 259"},         {48, 2, "body size is 648, wrong for body type 2"},
        {50, 0x48, "body size is 584"},      {50, 0x89, "body size is 649"},
        {53, 0x80, "wrong for body type 3"},
    };
    struct fixture fixture;

    make(&fixture, 5, TDX_BODY_1_5);
    for (size_t i = 0; i < ARRAY_LENGTH(patches); i++) {
        uint8_t kept = fixture.evidence[patches[i].at];

        fixture.evidence[patches[i].at] = patches[i].value;
        expect_refused(&fixture, patches[i].text);
        fixture.evidence[patches[i].at] = kept;
    }
    fixture_fini(&fixture);
}
END_TEST

/* Lengths one too large, one too small, and as large as the number can be. */
START_TEST(each_length_is_exactly_that_of_its_content)
{
    static const struct {
        size_t at; /* from the start of the signature data */
        int size;
    } lengths[] = {{(size_t) -4, 4}, {130, 4}, {CHAIN - AUTH - 2, 2}, {CHAIN + 2, 4}};
    struct fixture fixture;
    struct error err;

    make(&fixture, 4, TDX_BODY_1_0);
    for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
        uint8_t *at = fixture.evidence + fixture_signature_at(&fixture) + lengths[i].at;
        uint8_t kept[4];

        memcpy(kept, at, 4);
        at[0]++;
        ck_assert_msg(parse(&fixture, fixture.quote.length, &err) == -1, "%zu + 1", i);
        at[0] = (uint8_t) (kept[0] - 1);
        ck_assert_msg(parse(&fixture, fixture.quote.length, &err) == -1, "%zu - 1", i);
        memset(at, 0xff, (size_t) lengths[i].size);
        ck_assert_msg(parse(&fixture, fixture.quote.length, &err) == -1, "%zu max", i);
        memset(at, 0, (size_t) lengths[i].size);
        ck_assert_msg(parse(&fixture, fixture.quote.length, &err) == -1, "%zu zero", i);
        memcpy(at, kept, 4);
    }
    ck_assert_int_eq(parse(&fixture, fixture.quote.length, &err), 0);
    fixture_fini(&fixture);
}
END_TEST

/* One byte more at the end, and the lengths around it say so. */
START_TEST(nothing_stands_between_the_parts_of_a_signature)
{
    struct fixture fixture;

    fixture_init(&fixture);
    fixture.trailing = 1;
    fixture_build(&fixture);
    uint8_t *signature = fixture.evidence + fixture_signature_at(&fixture);
    signature[-4]++;
    expect_refused(&fixture, "signature data: 1 bytes behind the certification data");
    signature[130]++;
    expect_refused(&fixture, "QE report certification data: 1 bytes behind the PCK chain");
    fixture_fini(&fixture);
}
END_TEST

START_TEST(other_certification_data_is_refused_by_name)
{
    struct fixture fixture;

    make(&fixture, 4, TDX_BODY_1_0);
    uint8_t *signature = fixture.evidence + fixture_signature_at(&fixture);
    signature[128] = 5;
    expect_refused(&fixture, "certification data is of type 5, not 6");
    signature[128] = 6;
    signature[CHAIN] = 4;
    expect_refused(&fixture, "PCK certification data is of type 4, not 5");
    fixture_fini(&fixture);
}
END_TEST

START_TEST(bytes_behind_a_quote_are_counted_up_to_a_limit)
{
    static uint8_t large[TDX_QUOTE_MAX + 1];
    struct tdx_quote quote;
    struct fixture fixture;
    struct error err;

    make(&fixture, 4, TDX_BODY_1_0);
    memcpy(large, fixture.evidence, fixture.quote.length);
    ck_assert_int_eq(tdx_quote_parse(large, TDX_QUOTE_MAX, &quote, &err), 0);
    ck_assert_uint_eq(quote.trailing, TDX_QUOTE_MAX - fixture.quote.length);
    ck_assert_int_eq(tdx_quote_parse(large, TDX_QUOTE_MAX + 1, &quote, &err), -1);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
    fixture_fini(&fixture);
}
END_TEST

int main(void)
{
    return suite_run("tdx_quote", (const TTest *[]){
                                      a_quote_is_found_in_its_places,
                                      a_quote_that_is_cut_is_refused_at_every_byte,
                                      other_versions_types_and_vendors_are_refused_by_name,
                                      a_body_is_as_long_as_its_type_says,
                                      each_length_is_exactly_that_of_its_content,
                                      other_certification_data_is_refused_by_name,
                                      bytes_behind_a_quote_are_counted_up_to_a_limit,
                                      nothing_stands_between_the_parts_of_a_signature,
                                      NULL,
                                  });
}
