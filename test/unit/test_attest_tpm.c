/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes of a real software TPM, as the verifier sees them. */
#include "suite.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/scoped.h"
#include "evidence/finding.h"
#include "evidence/tpm_evidence.h"
#include "swtpm.h"
#include "tpm_private.h"

static struct swtpm swtpm;
static struct tpm *tpm;
static struct evidence_output output;
static struct tpm_evidence evidence;
static struct finding finding;
static struct error err;
static uint8_t nonce[TPM_NONCE_SIZE];
static int strangers; /* extend a register in so many quotes */

static const char initdata[] = "version = \"0.1.0\"\n";
static const uint8_t zero[SHA256_SIZE];

static void open_tpm(void)
{
    tpm_free(take_ptr(tpm));
    ck_assert_msg(tpm_open(SWTPM_TRANSPORT, &tpm, &err) == 0, "%s", err.message);
}

static void setup(void)
{
    swtpm_own_network();
    swtpm_init(&swtpm);
    writer_init(&output.evidence, 65536);
    writer_init(&output.endorsements, 1);
    writer_init(&output.event_log, 1);
    memset(nonce, 0x4e, sizeof(nonce));
    open_tpm();
}

static void teardown(void)
{
    tpm_evidence_fini(&evidence);
    evidence_output_fini(&output);
    tpm_free(take_ptr(tpm));
    swtpm_fini(&swtpm);
}

/* Between the values and the quote. */
int __wrap_tpm_quote_all(struct tpm *asked, const struct tpm_ak *ak, const uint8_t *over,
                         struct tpm_signed_quote *ret, struct error *error);
int __real_tpm_quote_all(struct tpm *asked, const struct tpm_ak *ak, const uint8_t *over,
                         struct tpm_signed_quote *ret, struct error *error);

int __wrap_tpm_quote_all(struct tpm *asked, const struct tpm_ak *ak, const uint8_t *over,
                         struct tpm_signed_quote *ret, struct error *error)
{
    static const uint8_t digest[SHA256_SIZE] = {0x23};

    if (strangers > 0 && strangers--)
        ck_assert_int_eq(tpm_extend(asked, 16, digest, error), 0);
    return __real_tpm_quote_all(asked, ak, over, ret, error);
}

static void attest(void)
{
    output.evidence.size = 0;
    ck_assert_msg(tpm_attest(tpm, nonce, &output, &err) == 0, "%s", err.message);
    ck_assert_uint_eq(output.endorsements.size + output.event_log.size, 0);
    tpm_evidence_fini(&evidence);
    ck_assert_msg(tpm_evidence_parse((const char *) output.evidence.data, output.evidence.size,
                                     &evidence, &finding) == 0,
                  "%s", finding.text);
}

static int check(const uint8_t *expected)
{
    static uint8_t enrolled[1][TPM_KEY_SPKI_DIGEST_SIZE];
    const struct tpm_policy policy = {.nonce = expected,
                                      .nonce_size = TPM_NONCE_SIZE,
                                      .selection = 0xffffff,
                                      .enrolled = (const uint8_t(*)[32]) enrolled,
                                      .enrolled_count = 1};

    memcpy(enrolled[0], tpm_key_spki_digest(evidence.key), sizeof(enrolled[0]));
    return tpm_evidence_check(&evidence, &policy, &finding);
}

START_TEST(its_evidence_passes_the_verifier)
{
    uint8_t other[TPM_NONCE_SIZE] = {0};

    attest();
    ck_assert_msg(check(nonce) == 0, "%s", finding.text);
    ck_assert_int_lt(check(other), 0);
    ck_assert_int_eq(finding.code, FINDING_QUOTE_NONCE);
    evidence.pcrs.values[7][0] ^= 1;
    ck_assert_int_lt(check(nonce), 0);
    ck_assert_int_eq(finding.code, FINDING_QUOTE_DIGEST);
}
END_TEST

START_TEST(all_registers_are_quoted_as_they_are)
{
    static const uint8_t digest[SHA256_SIZE] = {1};
    struct tpm_pcrs pcrs;

    ck_assert_int_eq(tpm_extend(tpm, 0, digest, &err), 0);
    ck_assert_int_eq(tpm_extend(tpm, 15, digest, &err), 0);
    ck_assert_int_eq(tpm_extend(tpm, 23, digest, &err), 0);
    attest();
    ck_assert_int_eq(tpm_read_pcrs(tpm, 0xffffff, &pcrs, &err), 0);
    for (int i = 0; i < TPM_PCRS; i++)
        ck_assert_mem_eq(evidence.pcrs.values[i], pcrs.values[i], SHA256_SIZE);
    ck_assert_mem_ne(pcrs.values[0], zero, SHA256_SIZE);
    ck_assert_mem_ne(pcrs.values[15], zero, SHA256_SIZE);
    ck_assert_mem_eq(pcrs.values[1], zero, SHA256_SIZE);
}
END_TEST

/* It has room for three objects. */
START_TEST(nothing_is_left_in_it)
{
    for (int i = 0; i < 12; i++) {
        attest();
        ck_assert_msg(check(nonce) == 0, "%s", finding.text);
    }
    strangers = 1000;
    for (int i = 0; i < 4; i++)
        ck_assert_int_lt(tpm_attest(tpm, nonce, &output, &err), 0);
    strangers = 0;
    attest();
}
END_TEST

START_TEST(a_register_that_moves_in_between_is_read_again)
{
    strangers = 3;
    attest();
    ck_assert_int_eq(strangers, 0);
    ck_assert_msg(check(nonce) == 0, "%s", finding.text);
    ck_assert_mem_ne(evidence.pcrs.values[16], zero, SHA256_SIZE);
}
END_TEST

START_TEST(registers_that_never_rest_are_given_up_on)
{
    strangers = 1000;
    ck_assert_int_lt(tpm_attest(tpm, nonce, &output, &err), 0);
    ck_assert_msg(strstr(err.message, "8 quotes of the TPM are not over its values"), "%s",
                  err.message);
    ck_assert_int_eq(strangers, 992);
}
END_TEST

START_TEST(its_key_is_its_own_and_stays)
{
    uint8_t first[TPM_KEY_SPKI_DIGEST_SIZE];

    attest();
    memcpy(first, tpm_key_spki_digest(evidence.key), sizeof(first));
    tpm_free(take_ptr(tpm));
    swtpm_stop(&swtpm);
    swtpm_start(&swtpm);
    open_tpm();
    attest();
    ck_assert_mem_eq(first, tpm_key_spki_digest(evidence.key), sizeof(first));
    tpm_free(take_ptr(tpm));
    swtpm_fini(&swtpm);
    swtpm_init(&swtpm);
    open_tpm();
    attest();
    ck_assert_mem_ne(first, tpm_key_spki_digest(evidence.key), sizeof(first));
}
END_TEST

/* ---- initdata -------------------------------------------------------------------------------- */

START_TEST(register_8_takes_the_digest_of_the_initdata)
{
    uint8_t extended[2 * SHA256_SIZE] = {0}, expected[SHA256_SIZE];

    ck_assert_msg(tpm_extend_initdata(tpm, initdata, strlen(initdata), &err) == 0, "%s",
                  err.message);
    digest_sha256(initdata, strlen(initdata), extended + SHA256_SIZE);
    digest_sha256(extended, sizeof(extended), expected);
    attest();
    ck_assert_mem_eq(evidence.pcrs.values[8], expected, SHA256_SIZE);
    for (int i = 0; i < 16; i++)
        if (i != 8)
            ck_assert_mem_eq(evidence.pcrs.values[i], zero, SHA256_SIZE);
}
END_TEST

START_TEST(register_8_takes_it_once)
{
    struct tpm_pcrs before, after;

    ck_assert_int_eq(tpm_extend_initdata(tpm, initdata, strlen(initdata), &err), 0);
    ck_assert_int_eq(tpm_read_pcrs(tpm, 1u << 8, &before, &err), 0);
    ck_assert_int_lt(tpm_extend_initdata(tpm, initdata, strlen(initdata), &err), 0);
    ck_assert_msg(strstr(err.message, "PCR 8 has been extended before"), "%s", err.message);
    ck_assert_int_eq(tpm_read_pcrs(tpm, 1u << 8, &after, &err), 0);
    ck_assert_mem_eq(before.values[8], after.values[8], SHA256_SIZE);
}
END_TEST

START_TEST(register_8_that_another_has_extended_is_refused)
{
    static const uint8_t digest[SHA256_SIZE]; /* of zeros: what is extended counts, not by what */

    ck_assert_int_eq(tpm_extend(tpm, 8, digest, &err), 0);
    ck_assert_int_lt(tpm_extend_initdata(tpm, initdata, strlen(initdata), &err), 0);
    ck_assert_msg(strstr(err.message, "PCR 8 has been extended before"), "%s", err.message);
}
END_TEST

/* ---- without one ----------------------------------------------------------------------------- */

START_TEST(a_tpm_that_dies_is_an_error)
{
    swtpm_stop(&swtpm);
    ck_assert_int_lt(tpm_attest(tpm, nonce, &output, &err), 0);
    ck_assert_msg(strstr(err.message, "the TPM does not answer"), "%s", err.message);
    ck_assert_int_eq(err.status, STATUS_UNAVAILABLE);
    ck_assert_int_lt(tpm_extend_initdata(tpm, initdata, strlen(initdata), &err), 0);
    ck_assert_msg(strstr(err.message, "the TPM does not answer"), "%s", err.message);
    ck_assert_uint_eq(output.evidence.size, 0);
}
END_TEST

START_TEST(a_tpm_that_is_not_there_is_named)
{
    struct tpm *none = NULL;

    ck_assert_int_lt(tpm_open("device:/dev/tpmrm-absent", &none, &err), 0);
    ck_assert_str_eq(err.message, "no TPM at 'device:/dev/tpmrm-absent'");
    ck_assert_int_lt(tpm_open("swtpm:host=127.0.0.1,port=9", &none, &err), 0);
    ck_assert_int_lt(tpm_open("cmd:/bin/sh", &none, &err), 0);
    ck_assert_str_eq(err.message, "no TPM at 'cmd:/bin/sh'");
    ck_assert_int_lt(tpm_open("device:/dev/null", &none, &err) == 0
                         ? tpm_attest(none, nonce, &output, &err)
                         : -1,
                     0);
    tpm_free(none);
}
END_TEST

int main(void)
{
    (void) setenv("TSS2_LOG", "all+none", 1);
    return suite_run_with(
        &(struct suite){
            .name = "attest_tpm", .setup = setup, .teardown = teardown, .timeout_s = 60},
        (const TTest *[]){its_evidence_passes_the_verifier, all_registers_are_quoted_as_they_are,
                          nothing_is_left_in_it, a_register_that_moves_in_between_is_read_again,
                          registers_that_never_rest_are_given_up_on, its_key_is_its_own_and_stays,
                          register_8_takes_the_digest_of_the_initdata, register_8_takes_it_once,
                          register_8_that_another_has_extended_is_refused,
                          a_tpm_that_dies_is_an_error, a_tpm_that_is_not_there_is_named, NULL});
}
