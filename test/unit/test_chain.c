/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/chain.h"
#include "suite.h"
#include "x509_fixture.h"

enum { NOW = 1748736000 }; /* 2025-06-01 */

/* root -> ca -> leaf; a test changes one thing of it, then calls verify(). */
static mbedtls_pk_context root_key, ca_key, leaf_key, other_key;
static struct x509_spec root, ca, leaf;
static struct der crl;
static struct evidence_verdict verdict;
static mbedtls_pk_context *trusted;
static int64_t at;

static void setup(void)
{
    mbedtls_pk_context *keys[] = {&root_key, &ca_key, &leaf_key, &other_key};

    for (size_t i = 0; i < 4; i++)
        x509_key_ec(keys[i], i == 2 ? MBEDTLS_ECP_DP_SECP256R1 : MBEDTLS_ECP_DP_SECP384R1);
    root = (struct x509_spec){"root", "root", &root_key, &root_key, .pathlen = -1, .usage = 6};
    ca = (struct x509_spec){"ca", "root", &ca_key, &root_key, .usage = 4, .serial = 300};
    leaf = (struct x509_spec){"leaf", "ca", &leaf_key, &ca_key, .ca = X509_LEAF, .serial = 7};
    crl.size = 0;
    trusted = &root_key;
    at = NOW;
}

static struct chain_bytes bytes(const struct der *der)
{
    return (struct chain_bytes){der->data, der->size};
}

static void digest_of(mbedtls_pk_context *key, uint8_t ret[CHAIN_SPKI_SIZE])
{
    scoped(chain_freep) struct chain_certificate *certificate = NULL;
    struct der der;

    x509_make(&(struct x509_spec){"x", "x", key, key, .pathlen = -1, .usage = 4}, &der);
    ck_assert_int_eq(chain_parse_der("x", bytes(&der), &certificate, &verdict), 0);
    chain_spki(certificate, ret);
}

static int parse(const struct x509_spec *spec, const char *name, struct chain_certificate **ret)
{
    struct der der = {0};

    x509_make(spec, &der);
    return chain_parse_der(name, bytes(&der), ret, &verdict);
}

static int verify(void)
{
    scoped(chain_freep) struct chain_certificate *a = NULL, *b = NULL, *c = NULL;
    scoped(chain_crl_freep) struct chain_crl *list = NULL;
    uint8_t spki[1][CHAIN_SPKI_SIZE];

    digest_of(trusted, spki[0]);
    verdict = (struct evidence_verdict){0};
    if (parse(&leaf, "leaf", &a) < 0 || parse(&ca, "ca", &b) < 0 || parse(&root, "root", &c) < 0)
        return -1;
    if (crl.size && chain_parse_crl("crl", bytes(&crl), &list, &verdict) < 0)
        return -1;
    const struct chain_crl *lists[] = {list};
    const struct chain_path path = {
        .certificates = {a, b, c},
        .count = 3,
        .roots = (const uint8_t(*)[CHAIN_SPKI_SIZE]) spki,
        .root_count = 1,
        .crls = lists,
        .crl_count = list ? 1 : 0,
        .time = at,
    };
    return chain_verify_path(&path, &verdict);
}

static void refused(enum appraisal_check check, const char *field, const char *text)
{
    ck_assert_int_eq(verify(), -1);
    ck_assert_msg(verdict.failed == check && verdict.field && strcmp(verdict.field, field) == 0 &&
                      strstr(verdict.text, text),
                  "%s: %s: %s", appraisal_check_name(verdict.failed), verdict.field, verdict.text);
}

START_TEST(a_good_chain_holds)
{
    setup();
    ck_assert_msg(verify() == 0, "%s", verdict.text);
    leaf.ca = X509_CA_FALSE;
    leaf.usage = 0x80;
    ck_assert_msg(verify() == 0, "%s", verdict.text);
}
END_TEST

START_TEST(a_short_rsa_key_is_refused)
{
    setup();
    x509_key_rsa(&root_key, 2048);
    refused(APPRAISAL_SIGNATURE, "root", "not signed by the key of root");
}
END_TEST

START_TEST(an_algorithm_that_is_not_the_vendors_is_refused)
{
    static const enum x509_quirk quirks[] = {X509_PSS_SALT_32, X509_PSS_SHA256, X509_RSA_V15};

    setup();
    x509_quirk = X509_ECDSA_SHA256;
    refused(APPRAISAL_SIGNATURE, "root", "not signed by the key of root");
    x509_quirk = X509_NO_QUIRK;
    ck_assert_msg(verify() == 0, "%s", verdict.text);
    x509_key_rsa(&root_key, 3072);
    ck_assert_msg(verify() == 0, "%s", verdict.text);
    for (size_t i = 0; i < ARRAY_LENGTH(quirks); i++) {
        x509_quirk = quirks[i];
        refused(APPRAISAL_SIGNATURE, "root", "not signed by the key of root");
    }
}
END_TEST

START_TEST(a_root_is_a_key_and_not_a_name)
{
    setup();
    trusted = &other_key;
    refused(APPRAISAL_SIGNATURE, "root", "not a trusted root");
}
END_TEST

START_TEST(a_root_that_does_not_sign_itself_is_refused)
{
    setup();
    root.issuer_key = &other_key;
    refused(APPRAISAL_SIGNATURE, "root", "not signed by the key of root");
}
END_TEST

START_TEST(a_signature_by_another_key_is_refused)
{
    setup();
    ca.issuer_key = &other_key;
    refused(APPRAISAL_SIGNATURE, "ca", "not signed by the key of root");
    setup();
    leaf.issuer_key = &other_key;
    refused(APPRAISAL_SIGNATURE, "leaf", "not signed by the key of ca");
    setup();
    leaf.issuer = "root";
    refused(APPRAISAL_SIGNATURE, "leaf", "another issuer");
}
END_TEST

START_TEST(who_issues_has_to_be_a_ca)
{
    setup();
    ca.ca = X509_LEAF;
    refused(APPRAISAL_SIGNATURE, "ca", "no CA");
    ca.ca = X509_CA_FALSE;
    refused(APPRAISAL_SIGNATURE, "ca", "no CA");
    ca.ca = X509_CA_NUMBER;
    refused(APPRAISAL_SIGNATURE, "ca", "no CA");
    setup();
    ca.usage = 0x80;
    refused(APPRAISAL_SIGNATURE, "ca", "not to sign certificates");
    ca.usage = 0;
    refused(APPRAISAL_SIGNATURE, "ca", "not to sign certificates");
    setup();
    root.usage = 2;
    refused(APPRAISAL_SIGNATURE, "root", "not to sign certificates");
}
END_TEST

START_TEST(a_leaf_signs_and_is_no_ca)
{
    setup();
    leaf.ca = X509_CA;
    leaf.usage = 4;
    refused(APPRAISAL_SIGNATURE, "leaf", "is a CA");
    setup();
    leaf.usage = 0x20;
    refused(APPRAISAL_SIGNATURE, "leaf", "not to sign");
}
END_TEST

START_TEST(a_path_may_not_be_longer_than_its_ca_allows)
{
    setup();
    root.pathlen = 0;
    refused(APPRAISAL_SIGNATURE, "root", "allows 0 CAs below it, the chain has 1");
    root.pathlen = 1;
    ck_assert_msg(verify() == 0, "%s", verdict.text);
}
END_TEST

START_TEST(a_certificate_of_version_1_is_refused)
{
    setup();
    ca.version = 1;
    refused(APPRAISAL_FORMAT, "ca", "version 1");
    setup();
    leaf.version = 1;
    refused(APPRAISAL_FORMAT, "leaf", "version 1");
}
END_TEST

START_TEST(certificates_have_their_time)
{
    struct x509_spec *all[] = {&leaf, &ca, &root};
    const char *names[] = {"leaf", "ca", "root"};

    for (size_t i = 0; i < 3; i++) {
        setup();
        all[i]->to = "20250531235959Z";
        refused(APPRAISAL_SIGNATURE, names[i], "expired on 2025-05-31");
        all[i]->to = "20250601000000Z";
        ck_assert_msg(verify() == 0, "%s", verdict.text);
        all[i]->from = "20250601000001Z";
        all[i]->to = "20260601000001Z";
        refused(APPRAISAL_SIGNATURE, names[i], "not valid before 2025-06-01");
        all[i]->from = "20250601000000Z";
        ck_assert_msg(verify() == 0, "%s", verdict.text);
    }
}
END_TEST

START_TEST(unknown_critical_and_repeated_extensions_are_refused)
{
    static const struct der oid = {{0x2b, 6, 1, 4, 1, 0x9c, 0x78, 1, 99}, 9};

    setup();
    x509_extension(&leaf.extensions, &oid, false, "x", 1);
    ck_assert_msg(verify() == 0, "%s", verdict.text);
    x509_extension(&leaf.extensions, &oid, false, "x", 1);
    refused(APPRAISAL_FORMAT, "leaf", "an extension twice");
    setup();
    x509_extension(&ca.extensions, &oid, true, "x", 1);
    refused(APPRAISAL_FORMAT, "ca", "critical and unknown");
}
END_TEST

START_TEST(an_extension_is_found_by_its_oid)
{
    static const struct der oid = {{0x2b, 6, 1, 4, 1, 0x9c, 0x78, 1, 99}, 9};
    static const struct der longer = {{0x2b, 6, 1, 4, 1, 0x9c, 0x78, 1, 99, 1}, 10};
    scoped(chain_freep) struct chain_certificate *certificate = NULL;
    struct chain_bytes found;
    char name[8];

    setup();
    x509_extension(&leaf.extensions, &longer, false, "longer", 6);
    x509_extension(&leaf.extensions, &oid, false, "value", 5);
    ck_assert_int_eq(parse(&leaf, "leaf", &certificate), 0);
    ck_assert(chain_extension(certificate, bytes(&oid), &found));
    ck_assert_uint_eq(found.length, 5);
    ck_assert_mem_eq(found.data, "value", 5);
    ck_assert(!chain_extension(certificate, (struct chain_bytes){oid.data, 8}, &found));
    ck_assert(chain_common_name(certificate, name, sizeof(name)));
    ck_assert_str_eq(name, "leaf");
    ck_assert(!chain_common_name(certificate, name, 4));
}
END_TEST

START_TEST(what_stands_behind_a_certificate_is_refused)
{
    scoped(chain_freep) struct chain_certificate *certificate = NULL;
    struct der der = {0};

    setup();
    x509_make(&leaf, &der);
    for (size_t size = 0; size < der.size; size++)
        ck_assert_int_eq(
            chain_parse_der("leaf", (struct chain_bytes){der.data, size}, &certificate, &verdict),
            -1);
    der_raw(&der, "", 1);
    ck_assert_int_eq(chain_parse_der("leaf", bytes(&der), &certificate, &verdict), -1);
    ck_assert_ptr_nonnull(strstr(verdict.text, "1 bytes stand behind it"));
    der.size = CHAIN_CERTIFICATE_MAX + 1;
    ck_assert_int_eq(chain_parse_der("leaf", bytes(&der), &certificate, &verdict), -1);
    ck_assert_ptr_nonnull(strstr(verdict.text, "not 1 to 8192"));
}
END_TEST

START_TEST(a_bundle_is_certificates_and_nothing_else)
{
    struct chain_bundle bundle = {0};
    char text[20000] = "\n", other[20000];
    struct der der = {0};

    setup();
    x509_make(&ca, &der);
    x509_pem(&der, text, sizeof(text));
    x509_make(&root, &der);
    x509_pem(&der, text, sizeof(text));
    const struct chain_bytes whole = {(uint8_t *) text, strlen(text)};
    ck_assert_msg(chain_parse_pem("b", whole, &bundle, &verdict) == 0, "%s", verdict.text);
    ck_assert_uint_eq(bundle.count, 2);
    ck_assert(chain_names_issuer(bundle.certificates[0], bundle.certificates[1]));
    chain_bundle_fini(&bundle);
    ck_assert_int_eq(
        chain_parse_pem("b", (struct chain_bytes){whole.data, whole.length + 1}, &bundle, &verdict),
        0);
    chain_bundle_fini(&bundle);
    snprintf(other, sizeof(other), "%sx", text);
    ck_assert_int_eq(chain_parse_pem("b", (struct chain_bytes){(uint8_t *) other, strlen(other)},
                                     &bundle, &verdict),
                     -1);
    ck_assert_ptr_nonnull(strstr(verdict.text, "something else"));
    ck_assert_int_eq(
        chain_parse_pem("b", (struct chain_bytes){whole.data, whole.length - 3}, &bundle, &verdict),
        -1);
    ck_assert_int_eq(chain_parse_pem("b", (struct chain_bytes){whole.data, 1}, &bundle, &verdict),
                     -1);
    ck_assert_ptr_nonnull(strstr(verdict.text, "no certificate"));
    ck_assert_uint_eq(bundle.count, 0);
}
END_TEST

START_TEST(a_bundle_is_base64)
{
    struct chain_bundle bundle = {0};
    char text[10000] = "";
    struct der der = {0};

    setup();
    x509_make(&ca, &der);
    x509_pem(&der, text, sizeof(text));
    text[100] = '*';
    ck_assert_int_eq(chain_parse_pem("b", (struct chain_bytes){(uint8_t *) text, strlen(text)},
                                     &bundle, &verdict),
                     -1);
    ck_assert_ptr_nonnull(strstr(verdict.text, "no base64"));
    der.size = 0;
    for (size_t i = 0; i < 3000; i++)
        der_raw(&der, "x", 1);
    text[0] = '\0';
    x509_pem(&der, text, sizeof(text));
    ck_assert_int_eq(chain_parse_pem("b", (struct chain_bytes){(uint8_t *) text, strlen(text)},
                                     &bundle, &verdict),
                     -1);
    ck_assert_ptr_nonnull(strstr(verdict.text, "cannot be parsed"));
    ck_assert_int_eq(chain_parse_pem("b", (struct chain_bytes){(uint8_t *) text, 64 * 1024 + 1},
                                     &bundle, &verdict),
                     -1);
    ck_assert_ptr_nonnull(strstr(verdict.text, "at most 65536"));
}
END_TEST

START_TEST(a_list_is_bounded)
{
    scoped(chain_crl_freep) struct chain_crl *list = NULL;
    uint8_t byte = 0;

    ck_assert_int_eq(
        chain_parse_crl("crl", (struct chain_bytes){&byte, CHAIN_CRL_MAX + 1}, &list, &verdict),
        -1);
    ck_assert_ptr_nonnull(strstr(verdict.text, "not 1 to"));
    ck_assert_int_eq(chain_parse_crl("crl", (struct chain_bytes){&byte, 0}, &list, &verdict), -1);
    ck_assert_ptr_nonnull(strstr(verdict.text, "not 1 to"));
}
END_TEST

START_TEST(a_path_has_two_certificates_at_least_and_eight_at_most)
{
    static const size_t counts[] = {0, 1, CHAIN_LENGTH_MAX + 1};

    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
        const struct chain_path path = {.count = counts[i]};

        ck_assert_int_eq(chain_verify_path(&path, &verdict), -1);
        ck_assert_int_eq(verdict.failed, APPRAISAL_FORMAT);
        ck_assert_str_eq(verdict.field, "chain");
    }
}
END_TEST

START_TEST(a_bundle_of_nine_is_refused)
{
    struct chain_bundle bundle = {0};
    char text[20000] = "";
    struct der der = {0};

    setup();
    x509_make(&ca, &der);
    for (size_t i = 0; i <= CHAIN_LENGTH_MAX; i++)
        x509_pem(&der, text, sizeof(text));
    ck_assert_int_eq(chain_parse_pem("b", (struct chain_bytes){(uint8_t *) text, strlen(text)},
                                     &bundle, &verdict),
                     -1);
    ck_assert_ptr_nonnull(strstr(verdict.text, "more than 8"));
}
END_TEST

START_TEST(a_revoked_certificate_is_refused)
{
    setup();
    x509_make_crl("root", &root_key, 7, "20260101000000Z", &crl);
    ck_assert_msg(verify() == 0, "%s", verdict.text);
    x509_make_crl("root", &root_key, 300, "20260101000000Z", &crl);
    refused(APPRAISAL_SIGNATURE, "ca", "is revoked by crl");
}
END_TEST

START_TEST(a_list_is_of_its_issuer_and_its_time)
{
    setup();
    x509_make_crl("root", &other_key, 7, "20260101000000Z", &crl);
    refused(APPRAISAL_SIGNATURE, "crl", "not signed by the key of root");
    x509_make_crl("root", &root_key, 7, "20250531235959Z", &crl);
    refused(APPRAISAL_SIGNATURE, "crl", "not of this time");
    at = 1500000000;
    root.from = ca.from = leaf.from = "20100101000000Z";
    refused(APPRAISAL_SIGNATURE, "crl", "not of this time");
    setup();
    x509_make_crl("nobody", &root_key, 7, "20260101000000Z", &crl);
    refused(APPRAISAL_SIGNATURE, "crl", "not in the chain");
    x509_make_crl("ca", &ca_key, 8, "20260101000000Z", &crl);
    refused(APPRAISAL_SIGNATURE, "crl", "not to sign lists");
    ca.usage = 6;
    ck_assert_msg(verify() == 0, "%s", verdict.text);
    x509_make_crl("ca", &ca_key, 7, "20260101000000Z", &crl);
    refused(APPRAISAL_SIGNATURE, "leaf", "is revoked");
    der_raw(&crl, "", 1);
    refused(APPRAISAL_FORMAT, "crl", "not one DER revocation list");
}
END_TEST

START_TEST(a_point_off_the_curve_verifies_nothing)
{
    uint8_t point[96], rs[96] = {0}, hash[48] = {1};
    const struct signature signature = {SIGNATURE_P384, point, rs, hash};

    memset(point, 1, sizeof(point));
    ck_assert(!signature_is_valid(&signature));
    memset(point, 0, sizeof(point));
    ck_assert(!signature_is_valid(&signature));
}
END_TEST

int main(void)
{
    return suite_run("chain", (const TTest *[]){
                                  a_good_chain_holds,
                                  a_short_rsa_key_is_refused,
                                  an_algorithm_that_is_not_the_vendors_is_refused,
                                  a_root_is_a_key_and_not_a_name,
                                  a_root_that_does_not_sign_itself_is_refused,
                                  a_signature_by_another_key_is_refused,
                                  who_issues_has_to_be_a_ca,
                                  a_leaf_signs_and_is_no_ca,
                                  a_path_may_not_be_longer_than_its_ca_allows,
                                  a_certificate_of_version_1_is_refused,
                                  certificates_have_their_time,
                                  unknown_critical_and_repeated_extensions_are_refused,
                                  an_extension_is_found_by_its_oid,
                                  what_stands_behind_a_certificate_is_refused,
                                  a_bundle_is_certificates_and_nothing_else,
                                  a_bundle_is_base64,
                                  a_list_is_bounded,
                                  a_path_has_two_certificates_at_least_and_eight_at_most,
                                  a_bundle_of_nine_is_refused,
                                  a_revoked_certificate_is_refused,
                                  a_list_is_of_its_issuer_and_its_time,
                                  a_point_off_the_curve_verifies_nothing,
                                  NULL,
                              });
}
