/* SPDX-License-Identifier: Apache-2.0 */
/* `cleave check tenant` on the files that say which guests are good. */
#include <stdio.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "checks.h"
#include "evidence/evidence.h"
#include "reference_fixture.h"
#include "suite.h"
#include "x509_fixture.h"

static char root[64];
static mbedtls_pk_context keys[2];
static struct error err;

static char *in(const char *path)
{
    static char there[256];

    snprintf(there, sizeof(there), "%s%s", root, path);
    return there;
}

static void put(const char *path, const void *data, size_t length)
{
    ck_assert_msg(file_write_atomic(in(path), data, length, 0644, &err) == 0, "%s", err.message);
}

static void put_conf(const char *text)
{
    put("/etc/cleave/tenant.conf", text, strlen(text));
}

static void setup(void)
{
    unsigned char pem[512];

    strcpy(root, "/tmp/check-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    ck_assert_int_eq(file_make_directories(in("/etc/cleave/endorsements"), 0755, &err), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        x509_key_ec(&keys[i], MBEDTLS_ECP_DP_SECP256R1);
    ck_assert_int_eq(mbedtls_pk_write_pubkey_pem(&keys[0], pem, sizeof(pem)), 0);
    put("/etc/cleave/reference-keys.pem", pem, strlen((char *) pem));
}

static void teardown(void)
{
    ck_assert_int_eq(file_remove_tree(root, &err), 0);
}

static void install(const char *from, const char *to, mbedtls_pk_context *key)
{
    scoped(freep) char *json = reference_json(from, to);
    uint8_t hash[SHA256_SIZE], signature[128];
    size_t length = 0;

    digest_sha256(json, strlen(json), hash);
    ck_assert_int_eq(mbedtls_pk_sign(key, MBEDTLS_MD_SHA256, hash, sizeof(hash), signature,
                                     sizeof(signature), &length, x509_random, NULL),
                     0);
    put("/etc/cleave/reference-values.json", json, strlen(json));
    put("/etc/cleave/reference-values.json.sig", signature, length);
}

static void expect(const char *name, enum check_grade grade, const char *word)
{
    scoped(node_fini) struct node node = {.realm = &tenant_realm, .root = root};
    struct check_result result = {0};

    for (size_t i = 0; i < tenant_realm.count; i++) {
        check_run(&tenant_realm.checks[i], &node, &result);
        if (strcmp(tenant_realm.checks[i].name, name) == 0)
            break;
    }
    ck_assert_msg(result.grade == grade && strstr(result.fact, word), "%s: grade %d: %s", name,
                  (int) result.grade, result.fact);
    ck_assert(grade == CHECK_OK || grade == CHECK_SILENT || result.advice[0]);
}

static void expect_values(enum check_grade grade, const char *word)
{
    expect("reference-values", grade, word);
}

START_TEST(evidence_that_proves_nothing_needs_no_values)
{
    put_conf("evidence = \"sample\"\n");
    expect_values(CHECK_SILENT, "");
    /* But those that are there must be right. */
    put("/etc/cleave/reference-values.json", "{}", 2);
    expect_values(CHECK_FAIL, "reference-values.json.sig");
    install(NULL, NULL, &keys[0]);
    expect_values(CHECK_OK, "serial 3");
}
END_TEST

START_TEST(values_are_there_signed_and_well_formed)
{
    put_conf("evidence = \"snp\"\n");
    expect_values(CHECK_FAIL, "/etc/cleave/reference-values.json");
    install(NULL, NULL, &keys[0]);
    expect_values(CHECK_OK, "'guest-image-2026.11', serial 3, until 2027-01-01T00:00:00Z");
    install(NULL, NULL, &keys[1]);
    expect_values(CHECK_FAIL, "by none of the keys");
    install("'vmpl':1", "'vmpll':1", &keys[0]);
    expect_values(CHECK_FAIL, "snp: there is no member 'vmpll'");
    put_conf("evidence = \"snp\"\nreference_values = \"/elsewhere\"\n");
    expect_values(CHECK_FAIL, "/elsewhere");
}
END_TEST

START_TEST(values_have_the_section_that_is_asked_for)
{
    static const char *const types[] = {"snp", "tdx", "tpm", "az-snp-vtpm", "az-tdx-vtpm"};

    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        scoped(freep) char *conf = xformat("evidence = \"%s\"\n", types[i]);
        scoped(freep) char *only = NULL;

        if (!evidence_find_name(types[i])) /* not in this build: the row "evidence" says so */
            continue;
        put_conf(conf);
        install(NULL, NULL, &keys[0]);
        expect_values(CHECK_OK, "serial 3");
        only = xformat("{'format':'cleave-reference-values/1','id':'a','serial':3,"
                       "'not_after':'2027-01-01T00:00:00Z','%s':%s}",
                       i == 2 ? "az-snp-vtpm" : "tpm",
                       i == 2 ? "{'snp':{'measurements':['<148>'],'products':['Milan'],"
                                "'tcb_min':{'Milan':{'bootloader':0,'tee':0,'snp':0,"
                                "'microcode':0}},'guest_policy':{}},'pcrs':{'4':['0']}}"
                              : "{'trust_anchor':'host-vtpm','attestation_keys':'any',"
                                "'pcrs':{'4':['0']}}");
        install(reference_text, only, &keys[0]);
        expect_values(CHECK_FAIL, "has no section");
    }
}
END_TEST

START_TEST(values_that_end_soon_are_told)
{
    char soon[DATE_SIZE], later[DATE_SIZE];

    put_conf("evidence = \"snp\"\n");
    install("2027-01-01T00:00:00Z", "2026-01-01T00:00:00Z", &keys[0]);
    expect_values(CHECK_FAIL, "has expired on 2026-01-01");
    date_print(clock_wall_ns() / 1000000000 + 86400, soon);
    install("2027-01-01T00:00:00Z", soon, &keys[0]);
    expect_values(CHECK_WARN, "expires on");
    date_print(clock_wall_ns() / 1000000000 + 20 * 86400, later);
    install("2027-01-01T00:00:00Z", later, &keys[0]);
    expect_values(CHECK_OK, later);
}
END_TEST

START_TEST(endorsements_are_those_that_the_values_ask_for)
{
    put_conf("evidence = \"snp\"\n");
    expect("endorsements", CHECK_SILENT, "");
    install(NULL, NULL, &keys[0]);
    expect("endorsements", CHECK_FAIL, "ask.pem is missing");
    put("/etc/cleave/endorsements/ask.pem", "", 0);
    expect("endorsements", CHECK_FAIL, "ask.pem is missing or empty");
    put("/etc/cleave/endorsements/ask.pem", "a", 1);
    expect("endorsements", CHECK_OK, "/etc/cleave/endorsements");
    install("'crl':'if-given'", "'crl':'required'", &keys[0]);
    expect("endorsements", CHECK_FAIL, "crl.der is missing");
    put("/etc/cleave/endorsements/crl.der", "a", 1);
    expect("endorsements", CHECK_OK, "");
}
END_TEST

START_TEST(collateral_is_whole)
{
    static const char *const names[] = {"tcb_info.json", "qe_identity.json", "tcb_signing.pem",
                                        "pck_crl.der", "root_crl.der"};

    put_conf("evidence = \"tdx\"\n");
    install("'collateral':'if-given',", "", &keys[0]);
    expect("endorsements", CHECK_FAIL, "tcb_info.json is missing");
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        scoped(freep) char *path = xformat("/etc/cleave/endorsements/%s", names[i]);

        put(path, "a", 1);
        if (i + 1 < ARRAY_LENGTH(names))
            expect("endorsements", CHECK_FAIL, "root_crl.der is missing");
    }
    expect("endorsements", CHECK_OK, "");
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "cli_check_reference", .setup = setup, .teardown = teardown},
        (const TTest *[]){
            evidence_that_proves_nothing_needs_no_values, values_are_there_signed_and_well_formed,
            values_have_the_section_that_is_asked_for, values_that_end_soon_are_told,
            endorsements_are_those_that_the_values_ask_for, collateral_is_whole, NULL});
}
