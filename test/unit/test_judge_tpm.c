/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM's quote as the channel judges it. What a quote must be like besides is in test_tpm_quote
 * and test_tpm_key. */
#include "base/error.h"
#include "base/hex.h"
#include "event_log_fixture.h"
#include "evidence/judge.h"
#include "evidence/reference_values.h"
#include "quote_fixture.h"
#include "suite.h"

enum { ALL = 0xffffff, KERNEL = 4, INITDATA = 8, INITRD = 9 };

static uint8_t statement[EVIDENCE_STATEMENT_SIZE], initdata_digest[48];
static const struct evidence_request expected = {statement, initdata_digest};
static struct evidence_policy policy;
static struct evidence_verdict verdict;
static struct registers pcrs;
static mbedtls_pk_context *signer;
static char *evidence;
static struct made_log event_log;

/* rest: behind the head, the section included. */
static void use_values(const char *rest)
{
    static struct reference_values *values;
    scoped(freep) char *text = xformat(
        "{\"format\":\"cleave-reference-values/1\",\"id\":\"test\",\"serial\":1,"
        "\"not_after\":\"2099-01-01T00:00:00Z\",%s}",
        rest);
    struct error err;

    reference_values_free(values);
    values = NULL;
    ck_assert_msg(reference_values_parse(text, strlen(text), &values, &err) == 0, "%s: %s",
                  err.message, text);
    policy = (struct evidence_policy){.values = values};
}

static void use_section(const char *keys)
{
    scoped(freep) char *kernel = hex_text(pcrs.values[KERNEL], SHA256_SIZE);
    scoped(freep) char *rest = xformat("\"tpm\":{\"trust_anchor\":\"host-vtpm\","
                                       "\"attestation_keys\":%s,\"pcrs\":{\"4\":[\"%s\"],"
                                       "\"12\":[\"0\"]}}",
                                       keys, kernel);

    use_values(rest);
}

static void make_evidence(void)
{
    scoped(writer_fini) struct writer message, signature;
    scoped(freep) char *values = xstrdup("");
    uint8_t der[1024];

    evidence_find(EVIDENCE_TPM)->digest(statement, sizeof(statement), nonce);
    write_quote(&message, &pcrs, 1);
    sign(signer, message.data, message.size, &signature);
    for (unsigned i = 0; i < REGISTERS_MAX; i++) {
        scoped(freep) char *before = values, *value = hex_text(pcrs.values[i], SHA256_SIZE);

        values = xformat("%s%s\"%s\"", before, i ? "," : "", value);
    }
    scoped(freep) char *m = base64_encode(message.data, message.size);
    scoped(freep) char *s = base64_encode(signature.data, signature.size);
    scoped(freep) char *k = base64_encode(der, spki_of(signer, der));
    free(evidence);
    evidence = xformat("{\"tpm_quote\":{\"signature\":\"%s\",\"message\":\"%s\",\"pcrs\":[%s]},"
                       "\"ak_public\":\"%s\"}",
                       s, m, values, k);
}

static void log_event(unsigned pcr, const char *name)
{
    const struct made_event event = {.index = pcr, .type = 0xd, .data = name, .size = strlen(name)};
    uint8_t digest[SHA256_SIZE];

    put_event(&event_log, &event);
    digest_sha256(name, strlen(name), digest);
    registers_extend(&pcrs, pcr, digest);
}

static void begin(void)
{
    memset(statement, 0x33, sizeof(statement));
    memset(initdata_digest, 0, sizeof(initdata_digest));
    memset(initdata_digest, 0xd1, SHA256_SIZE);
    registers_init(&pcrs, REGISTERS_PCR, DIGEST_SHA256);
    memset(&event_log, 0, sizeof(event_log));
    put_spec_id(&event_log);
    log_event(KERNEL, "kernel");
    log_event(INITRD, "initrd");
    registers_extend(&pcrs, INITDATA, initdata_digest);
    registers_extend(&pcrs, 10, statement); /* the kernel's own */
    pcrs.set = ALL;
    signer = &p256;
    use_section("\"any\"");
    make_evidence();
}

static void judge_by(const struct evidence_bundle *bundle)
{
    verdict = (struct evidence_verdict){.failed = APPRAISAL_FORMAT};
    evidence_judge(evidence_find(EVIDENCE_TPM), bundle, &expected, &policy, &verdict);
}

static void judge(void)
{
    judge_by(&(struct evidence_bundle){.evidence = (const uint8_t *) evidence,
                                       .evidence_length = strlen(evidence),
                                       .event_log = event_log.data,
                                       .event_log_length = event_log.size});
}

static void ck_verdict(enum appraisal_check check, const char *field)
{
    ck_assert_msg(verdict.failed == check, "%s: %s", appraisal_check_name(verdict.failed),
                  verdict.text);
    if (field)
        ck_assert_msg(verdict.field && strcmp(verdict.field, field) == 0, "%s: %s", verdict.field,
                      verdict.text);
}

START_TEST(a_quote_for_this_connection_and_this_initdata_is_accepted)
{
    scoped(digest_freep) struct digest *digest = digest_new(DIGEST_SHA256);
    uint8_t der[1024], key[SHA256_SIZE], quoted[SHA256_SIZE];

    begin();
    judge();
    ck_verdict(APPRAISAL_OK, NULL);
    digest_sha256(der, spki_of(&p256, der), key);
    ck_assert_uint_eq(verdict.chip_size, sizeof(key));
    ck_assert_mem_eq(verdict.chip, key, sizeof(key));
    for (unsigned i = 0; i < REGISTERS_MAX; i++)
        digest_update(digest, pcrs.values[i], SHA256_SIZE);
    digest_value(digest, quoted);
    ck_assert_uint_eq(verdict.measurement_size, sizeof(quoted));
    ck_assert_mem_eq(verdict.measurement, quoted, sizeof(quoted));
    event_log.size = 0; /* a guest need not have one */
    judge();
    ck_verdict(APPRAISAL_OK, NULL);
}
END_TEST

START_TEST(a_quote_for_another_connection_is_refused)
{
    begin();
    statement[77] ^= 1;
    judge();
    ck_verdict(APPRAISAL_REPORT_DATA, "quote-nonce");
    ck_assert_uint_eq(verdict.signed_digest_size, SHA256_SIZE);
    ck_assert_mem_eq(verdict.signed_digest, nonce, SHA256_SIZE);
}
END_TEST

START_TEST(initdata_is_extended_once_and_is_ours)
{
    begin();
    initdata_digest[0] ^= 1;
    judge();
    ck_verdict(APPRAISAL_HARDWARE_INITDATA, "pcr8");
    begin();
    registers_extend(&pcrs, INITDATA, initdata_digest);
    make_evidence();
    judge();
    ck_verdict(APPRAISAL_HARDWARE_INITDATA, "pcr8");
    begin();
    memset(pcrs.values[INITDATA], 0, SHA256_SIZE);
    make_evidence();
    judge();
    ck_verdict(APPRAISAL_HARDWARE_INITDATA, "pcr8");
}
END_TEST

START_TEST(a_register_without_its_reference_value_is_refused)
{
    begin();
    pcrs.values[12][0] = 1; /* another command line */
    event_log.size = 0;
    make_evidence();
    judge();
    ck_verdict(APPRAISAL_MEASUREMENT, "register-value");
    ck_assert_msg(strstr(verdict.text, "PCR 12"), "%s", verdict.text);
    begin();
    pcrs.values[KERNEL][0] ^= 1;
    event_log.size = 0;
    make_evidence();
    judge();
    ck_verdict(APPRAISAL_MEASUREMENT, "register-value");
    ck_assert_msg(strstr(verdict.text, "PCR 4"), "%s", verdict.text);
}
END_TEST

/* As the kernel's stub tags it. */
static void log_load(const char *tag, const char *content)
{
    char data[64] = {0};
    const struct made_event event = {.index = INITRD,
                                     .type = EVENT_TAG,
                                     .data = data,
                                     .size = 8 + strlen(tag),
                                     .hashed = content,
                                     .hashed_size = strlen(content)};
    uint8_t digest[SHA256_SIZE];

    memcpy(data + 8, tag, strlen(tag));
    put_event(&event_log, &event);
    digest_sha256(content, strlen(content), digest);
    registers_extend(&pcrs, INITRD, digest);
}

static void boot_with(const char *cmdline, const char *initrd)
{
    uint8_t good[2][SHA256_SIZE];

    begin();
    log_load("LOADED_IMAGE::LoadOptions", cmdline);
    log_load("Linux initrd", initrd);
    digest_sha256("quiet", 5, good[0]);
    digest_sha256("tree", 4, good[1]);
    scoped(freep) char *line = hex_text(good[0], SHA256_SIZE),
                       *tree = hex_text(good[1], SHA256_SIZE);
    scoped(freep) char *rest = xformat(
        "\"tpm\":{\"trust_anchor\":\"host-vtpm\",\"attestation_keys\":\"any\",\"pcrs\":"
        "{\"9\":[\"%s\"]},\"loads\":{\"cmdline\":[\"%s\"],\"initrd\":[\"%s\"]}}",
        line, line, tree);
    use_values(rest);
    make_evidence();
    judge();
    ck_verdict(APPRAISAL_MEASUREMENT, "register-value");
}

START_TEST(a_log_tells_what_of_pcr_9_is_another)
{
    boot_with("loud", "tree");
    ck_assert_msg(strstr(verdict.text, "PCR 9") && strstr(verdict.text, "the command line is"),
                  "%s", verdict.text);
    boot_with("quiet", "bush");
    ck_assert_msg(strstr(verdict.text, "the initrd is another"), "%s", verdict.text);
    boot_with("loud", "bush");
    ck_assert_msg(strstr(verdict.text, "both command line and initrd"), "%s", verdict.text);
    boot_with("quiet", "tree"); /* and something that has no name */
    ck_assert_msg(!strstr(verdict.text, "another"), "%s", verdict.text);
    boot_with("loud", "tree");
    event_log.size = 0;
    judge();
    ck_assert_msg(!strstr(verdict.text, "another"), "%s", verdict.text);
}
END_TEST

START_TEST(values_that_are_not_those_of_the_quote_are_refused)
{
    begin();
    char *value = strstr(evidence, "\"pcrs\":[\"") + 9;
    value[0] = value[0] == '1' ? '2' : '1';
    judge();
    ck_verdict(APPRAISAL_MEASUREMENT, "quote-digest");
}
END_TEST

START_TEST(a_log_of_another_boot_is_refused)
{
    begin();
    log_event(INITRD, "and more");
    judge(); /* the quote was made before */
    ck_verdict(APPRAISAL_MEASUREMENT, "register-value");
    ck_assert_msg(strstr(verdict.text, "PCR 9") && strstr(verdict.text, "log"), "%s", verdict.text);
    begin();
    event_log.size--;
    judge();
    ck_verdict(APPRAISAL_FORMAT, NULL);
}
END_TEST

START_TEST(keys_can_be_enrolled)
{
    uint8_t der[1024], key[SHA256_SIZE];

    begin();
    digest_sha256(der, spki_of(&p256, der), key);
    scoped(freep) char *name = hex_text(key, sizeof(key));
    scoped(freep) char *list = xformat("[\"%s\"]", name);
    use_section(list);
    judge();
    ck_verdict(APPRAISAL_OK, NULL);
    signer = &rsa;
    make_evidence();
    judge();
    ck_verdict(APPRAISAL_SIGNATURE, "key-unknown");
}
END_TEST

START_TEST(what_was_revoked_is_refused_in_any_register)
{
    begin();
    scoped(freep) char *kernel = hex_text(pcrs.values[KERNEL], SHA256_SIZE);
    scoped(freep) char *initrd = hex_text(pcrs.values[INITRD], SHA256_SIZE);
    scoped(freep) char *rest = xformat("\"revoked\":[\"%s\"],\"tpm\":{\"trust_anchor\":"
                                       "\"host-vtpm\",\"attestation_keys\":\"any\","
                                       "\"pcrs\":{\"4\":[\"%s\"]}}",
                                       initrd, kernel);
    use_values(rest);
    judge();
    ck_verdict(APPRAISAL_MEASUREMENT, NULL);
    ck_assert_msg(strstr(verdict.text, "revoked"), "%s", verdict.text);
    ck_assert_uint_eq(verdict.measurement_size, 0);
}
END_TEST

START_TEST(a_file_that_does_not_name_it_takes_no_tpm)
{
    begin();
    use_values("\"snp\":{\"measurements\":[\"" /* of another type */
               "000000000000000000000000000000000000000000000000"
               "000000000000000000000000000000000000000000000001\"],\"products\":[\"Milan\"],"
               "\"guest_policy\":{},\"tcb_min\":{\"Milan\":{\"bootloader\":0,\"tee\":0,"
               "\"snp\":0,\"microcode\":0}}}");
    judge();
    ck_verdict(APPRAISAL_POLICY, "reference_values");
}
END_TEST

START_TEST(what_is_no_evidence_is_refused)
{
    begin();
    judge_by(&(struct evidence_bundle){.evidence = (const uint8_t *) "{}", .evidence_length = 2});
    ck_verdict(APPRAISAL_FORMAT, "evidence");
    judge_by(&(struct evidence_bundle){0});
    ck_verdict(APPRAISAL_FORMAT, "evidence");
}
END_TEST

int main(void)
{
    make_keys();
    int rc = suite_run(
        "judge_tpm",
        (const TTest *[]){
            a_quote_for_this_connection_and_this_initdata_is_accepted,
            a_quote_for_another_connection_is_refused, initdata_is_extended_once_and_is_ours,
            a_register_without_its_reference_value_is_refused, a_log_tells_what_of_pcr_9_is_another,
            values_that_are_not_those_of_the_quote_are_refused, a_log_of_another_boot_is_refused,
            keys_can_be_enrolled, what_was_revoked_is_refused_in_any_register,
            a_file_that_does_not_name_it_takes_no_tpm, what_is_no_evidence_is_refused, NULL});
    free_keys();
    return rc;
}
