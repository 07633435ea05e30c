/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes and evidence made here, with keys of this run: good ones, each field wrong once, cut at
 * each byte. */
#include "base/hex.h"
#include "evidence/tpm_evidence.h"
#include "evidence/tpm_quote.h"
#include "suite.h"
#include "quote_fixture.h"

enum { SELECTION = BIT(0) | BIT(4) | BIT(11) | BIT(12) };
/* Offsets in a quote whose signer has 34 bytes and whose nonce has 32. */
enum {
    SIGNER_AT = 6,
    NONCE_AT = 42,
    RESET_AT = 84,
    SAFE_AT = 92,
    FIRMWARE_AT = 93,
    BANKS_AT = 101,
    BANK_AT = 105,
    SELECT_SIZE_AT = 107,
    SELECT_AT = 108,
    DIGEST_AT = 111,
};

/* From a copy of exactly that size, so that ASan sees the first byte behind it. */
static int judge(const void *message, size_t size, const struct registers *banks, size_t count)
{
    scoped(freep) uint8_t *copy = xmemdup(message, size ? size : 1);
    const struct tpm_quote_expected expected = {
        .nonce = nonce, .nonce_size = sizeof(nonce), .banks = banks, .bank_count = count};
    struct tpm_quote quote;

    finding = (struct finding){0};
    if (tpm_quote_parse(copy, size, &quote, &finding) < 0)
        return -1;
    return tpm_quote_check(&quote, &expected, &finding);
}

START_TEST(a_good_quote_is_read_and_taken)
{
    scoped(writer_fini) struct writer message;
    struct tpm_quote quote;
    struct registers bank;

    make_registers(&bank, DIGEST_SHA256, SELECTION);
    write_quote(&message, &bank, 1);
    ck_assert_uint_eq(message.size, 145);
    ck_assert_msg(judge(message.data, message.size, &bank, 1) == 0, "%s", finding.text);
    ck_assert_int_eq(tpm_quote_parse(message.data, message.size, &quote, &finding), 0);
    ck_assert_uint_eq(quote.signer_size, 34);
    ck_assert_uint_eq(quote.clock, 1234567);
    ck_assert_uint_eq(quote.reset_count, 7);
    ck_assert_uint_eq(quote.restart_count, 3);
    ck_assert(quote.safe);
    ck_assert_uint_eq(quote.firmware, 0x2019102300163636);
    ck_assert_uint_eq(quote.banks[0].set, SELECTION);
}
END_TEST

START_TEST(each_field_of_a_quote_is_looked_at)
{
    static const struct {
        size_t offset, width;
        uint64_t value;
        enum finding_code code;
        const char *why;
    } changes[] = {
        {0, 4, 0xff544348, FINDING_QUOTE_MAGIC, "magic is 0xff544348"},
        {4, 2, 0x8017, FINDING_QUOTE_TYPE, "type is 0x8017"},
        {SIGNER_AT, 2, 67, FINDING_QUOTE_SIGNER, "qualifiedSigner of 67"},
        {SIGNER_AT, 2, 0xffff, FINDING_QUOTE_SIGNER, "qualifiedSigner of 65535"},
        {SIGNER_AT, 2, 33, FINDING_QUOTE_CLOCK, "safe is 90"},
        {NONCE_AT, 2, 65, FINDING_QUOTE_NONCE, "extraData of 65"},
        {NONCE_AT + 2, 1, 1, FINDING_QUOTE_NONCE, "not what was asked for"},
        {NONCE_AT + 33, 1, 1, FINDING_QUOTE_NONCE, "not what was asked for"},
        {SAFE_AT, 1, 2, FINDING_QUOTE_CLOCK, "safe is 2"},
        {BANKS_AT, 4, 0, FINDING_QUOTE_BANK, "0 banks"},
        {BANKS_AT, 4, 3, FINDING_QUOTE_BANK, "3 banks"},
        {BANKS_AT, 4, 0xffffffff, FINDING_QUOTE_BANK, "4294967295 banks"},
        {BANK_AT, 2, 4, FINDING_QUOTE_BANK, "bank 0x0004"},
        {BANK_AT, 2, SHA384_ID, FINDING_QUOTE_BANK, "sha384 is not asked for"},
        {SELECT_SIZE_AT, 1, 2, FINDING_QUOTE_BANK, "sizeofSelect of bank sha256 is 2"},
        {SELECT_SIZE_AT, 1, 4, FINDING_QUOTE_BANK, "sizeofSelect of bank sha256 is 4"},
        {SELECT_AT, 1, 0x10, FINDING_QUOTE_PCRS, "PCRs 0x001810, not exactly 0x001811"},
        {SELECT_AT + 2, 1, 0x80, FINDING_QUOTE_PCRS, "PCRs 0x801811, not exactly 0x001811"},
        {SELECT_AT, 3, 0, FINDING_QUOTE_PCRS, "PCRs 0x000000"},
        {DIGEST_AT, 2, 31, FINDING_QUOTE_SIZE, "something is behind"},
        {DIGEST_AT, 2, 33, FINDING_QUOTE_SIZE, "cut short"},
        {DIGEST_AT + 2, 1, 0, FINDING_QUOTE_DIGEST, "pcrDigest"},
        {DIGEST_AT + 33, 1, 0, FINDING_QUOTE_DIGEST, "pcrDigest"},
    };
    struct registers bank;

    make_registers(&bank, DIGEST_SHA256, SELECTION);
    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
        scoped(writer_fini) struct writer message;

        write_quote(&message, &bank, 1);
        for (size_t j = 0; j < changes[i].width; j++)
            message.data[changes[i].offset + j] = (uint8_t) (changes[i].value >>
                                                             8 * (changes[i].width - 1 - j));
        ck_assert_msg(judge(message.data, message.size, &bank, 1) < 0, "taken: %s", changes[i].why);
        ck_finding(changes[i].code, changes[i].why);
    }
}
END_TEST

START_TEST(a_quote_cut_at_any_byte_is_refused)
{
    scoped(writer_fini) struct writer message;
    struct registers bank;

    make_registers(&bank, DIGEST_SHA256, SELECTION);
    write_quote(&message, &bank, 1);
    for (size_t size = 0; size < message.size; size++) {
        ck_assert_msg(judge(message.data, size, &bank, 1) < 0, "cut at %zu", size);
        ck_finding(FINDING_QUOTE_SIZE, "bytes");
    }
    writer_u8(&message, 0);
    ck_assert_int_lt(judge(message.data, message.size, &bank, 1), 0);
    ck_finding(FINDING_QUOTE_SIZE, "something is behind it");
    writer_zeros(&message, TPM_QUOTE_MAX + 1 - message.size);
    ck_assert_int_lt(judge(message.data, message.size, &bank, 1), 0);
    ck_finding(FINDING_QUOTE_SIZE, "limit 1024");
}
END_TEST

START_TEST(two_banks_are_taken_in_their_order_and_none_twice)
{
    struct registers banks[2], reversed[2], twice[2];

    make_registers(&banks[0], DIGEST_SHA256, SELECTION);
    make_registers(&banks[1], DIGEST_SHA384, BIT(7));
    reversed[0] = banks[1];
    reversed[1] = banks[0];
    twice[0] = twice[1] = banks[0];
    {
        scoped(writer_fini) struct writer message;

        write_quote(&message, banks, 2);
        ck_assert_msg(judge(message.data, message.size, banks, 2) == 0, "%s", finding.text);
        ck_assert_msg(judge(message.data, message.size, reversed, 2) == 0, "%s", finding.text);
        ck_assert_int_lt(judge(message.data, message.size, banks, 1), 0);
        ck_finding(FINDING_QUOTE_BANK, "sha384 is not asked for");
    }
    {
        scoped(writer_fini) struct writer message;

        write_quote(&message, banks, 1);
        ck_assert_int_lt(judge(message.data, message.size, banks, 2), 0);
        ck_finding(FINDING_QUOTE_BANK, "1 banks, not 2");
    }
    {
        scoped(writer_fini) struct writer message;

        write_quote(&message, twice, 2);
        ck_assert_int_lt(judge(message.data, message.size, twice, 2), 0);
        ck_finding(FINDING_QUOTE_BANK, "sha256 stands there twice");
    }
}
END_TEST

START_TEST(values_that_are_not_signed_are_refused)
{
    scoped(writer_fini) struct writer message;
    struct registers bank;

    make_registers(&bank, DIGEST_SHA256, SELECTION);
    write_quote(&message, &bank, 1);
    for (unsigned i = 0; i < REGISTERS_MAX; i++) {
        struct registers other = bank;

        other.values[i][31] ^= 1;
        ck_assert_int_eq(judge(message.data, message.size, &other, 1), SELECTION & BIT(i) ? -1 : 0);
    }
}
END_TEST

START_TEST(another_boot_or_firmware_is_refused_if_one_is_asked_for)
{
    scoped(writer_fini) struct writer message;
    uint64_t firmware = 0x2019102300163636;
    uint32_t reset_count = 7;
    struct registers bank;
    struct tpm_quote_expected expected = {.nonce = nonce,
                                          .nonce_size = sizeof(nonce),
                                          .banks = &bank,
                                          .bank_count = 1,
                                          .reset_count = &reset_count,
                                          .firmware = &firmware};
    struct tpm_quote quote;

    make_registers(&bank, DIGEST_SHA256, SELECTION);
    write_quote(&message, &bank, 1);
    ck_assert_int_eq(tpm_quote_parse(message.data, message.size, &quote, &finding), 0);
    ck_assert_int_eq(tpm_quote_check(&quote, &expected, &finding), 0);
    firmware++;
    ck_assert_int_lt(tpm_quote_check(&quote, &expected, &finding), 0);
    ck_finding(FINDING_QUOTE_FIRMWARE, "0x2019102300163636");
    reset_count++;
    ck_assert_int_lt(tpm_quote_check(&quote, &expected, &finding), 0);
    ck_finding(FINDING_QUOTE_RESET, "resetCount is 7, not 8");
}
END_TEST

struct made { /* parts of an evidence; what is not NULL replaces the good part */
    const char *message, *signature, *pcr_4, *key, *more;
};

static char *evidence_text(mbedtls_pk_context *pk, const struct registers *bank,
                           const struct made *made)
{
    scoped(writer_fini) struct writer message, signature;
    scoped(freep) char *message_text = NULL, *signature_text = NULL, *key_text = NULL;
    scoped(freep) char *pcrs = xstrdup("");
    uint8_t der[1024];

    write_quote(&message, bank, 1);
    sign(pk, message.data, message.size, &signature);
    message_text = base64_encode(message.data, message.size);
    signature_text = base64_encode(signature.data, signature.size);
    key_text = base64_encode(der, spki_of(pk, der));
    for (unsigned i = 0; i < REGISTERS_MAX; i++) {
        scoped(freep) char *before = pcrs;
        char hex[2 * SHA256_SIZE + 1];

        hex_encode(bank->values[i], SHA256_SIZE, hex);
        pcrs = xformat("%s%s\"%s\"", before, i ? "," : "",
                       i == 4 && made->pcr_4 ? made->pcr_4 : hex);
    }
    return xformat("{\"tpm_quote\":{\"signature\":\"%s\",\"message\":\"%s\",\"pcrs\":[%s]},"
                   "\"ak_public\":\"%s\"%s}",
                   made->signature ? made->signature : signature_text,
                   made->message ? made->message : message_text, pcrs,
                   made->key ? made->key : key_text, made->more ? made->more : "");
}

static int judge_evidence(const char *text, const struct tpm_policy *policy)
{
    struct tpm_evidence evidence;
    int rc;

    finding = (struct finding){0};
    if (tpm_evidence_parse(text, strlen(text), &evidence, &finding) < 0)
        return -1;
    rc = tpm_evidence_check(&evidence, policy, &finding);
    tpm_evidence_fini(&evidence);
    return rc;
}

START_TEST(evidence_of_an_enrolled_key_is_taken)
{
    mbedtls_pk_context *const keys[] = {&p256, &rsa};

    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        scoped(tpm_key_freep) struct tpm_key *key = key_of(keys[i]);
        scoped(freep) char *text = NULL;
        uint8_t enrolled[2][TPM_KEY_SPKI_DIGEST_SIZE] = {{1}};
        uint32_t reset_count = 7;
        struct registers bank, reference;
        struct tpm_policy policy = {.nonce = nonce,
                                    .nonce_size = sizeof(nonce),
                                    .selection = SELECTION,
                                    .enrolled = enrolled,
                                    .enrolled_count = 2,
                                    .reference = &reference,
                                    .reset_count = &reset_count};

        make_registers(&bank, DIGEST_SHA256, SELECTION);
        make_registers(&reference, DIGEST_SHA256, BIT(4) | BIT(11));
        text = evidence_text(keys[i], &bank, &(struct made){0});
        memcpy(enrolled[1], tpm_key_spki_digest(key), TPM_KEY_SPKI_DIGEST_SIZE);
        ck_assert_msg(judge_evidence(text, &policy) == 0, "%s", finding.text);

        reference.values[11][0] ^= 1;
        ck_assert_int_lt(judge_evidence(text, &policy), 0);
        ck_finding(FINDING_REGISTER_VALUE, "PCR 11");
        reference.set = BIT(9);
        ck_assert_int_lt(judge_evidence(text, &policy), 0);
        ck_finding(FINDING_QUOTE_PCRS, "PCR 9 has a reference value, but is not quoted");
        reset_count = 6;
        ck_assert_int_lt(judge_evidence(text, &policy), 0);
        ck_finding(FINDING_QUOTE_RESET, "resetCount is 7, not 6");
        policy.nonce_size--;
        ck_assert_int_lt(judge_evidence(text, &policy), 0);
        ck_finding(FINDING_QUOTE_NONCE, "(31 bytes)");
        enrolled[1][0] ^= 1;
        ck_assert_int_lt(judge_evidence(text, &policy), 0);
        ck_finding(FINDING_KEY_UNKNOWN, "is not enrolled");
    }
}
END_TEST

START_TEST(a_register_can_have_several_values)
{
    static const uint8_t other[1][SHA256_SIZE] = {{1}};
    uint8_t values[2][SHA256_SIZE] = {{1}};
    struct registers_lists lists = {.set = BIT(4) | BIT(11)};
    struct registers bank;
    const struct tpm_policy policy = {.nonce = nonce,
                                      .nonce_size = sizeof(nonce),
                                      .selection = SELECTION,
                                      .lists = &lists,
                                      .skip = TPM_SKIP_ENROLMENT};

    make_registers(&bank, DIGEST_SHA256, SELECTION);
    scoped(freep) char *text = evidence_text(&p256, &bank, &(struct made){0});
    memcpy(values[1], bank.values[11], SHA256_SIZE);
    lists.lists[4] = (struct registers_list){(const uint8_t(*)[SHA256_SIZE]) bank.values[4], 1};
    lists.lists[11] = (struct registers_list){(const uint8_t(*)[SHA256_SIZE]) values, 2};
    ck_assert_msg(judge_evidence(text, &policy) == 0, "%s", finding.text);
    lists.lists[11].count = 1;
    ck_assert_int_lt(judge_evidence(text, &policy), 0);
    ck_finding(FINDING_REGISTER_VALUE, "PCR 11");
    lists.lists[11].values = other;
    lists.set = BIT(9);
    ck_assert_int_lt(judge_evidence(text, &policy), 0);
    ck_finding(FINDING_QUOTE_PCRS, "PCR 9 has reference values, but is not quoted");
}
END_TEST

START_TEST(a_key_need_not_be_enrolled_only_by_name)
{
    struct registers bank;
    struct tpm_policy policy = {
        .nonce = nonce, .nonce_size = sizeof(nonce), .selection = SELECTION};

    make_registers(&bank, DIGEST_SHA256, SELECTION);
    scoped(freep) char *text = evidence_text(&p256, &bank, &(struct made){0});
    ck_assert_int_lt(judge_evidence(text, &policy), 0);
    ck_finding(FINDING_KEY_UNKNOWN, "is not enrolled");
    policy.skip = TPM_SKIP_ENROLMENT;
    ck_assert_int_eq(judge_evidence(text, &policy), 0);
}
END_TEST

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

START_TEST(each_part_of_evidence_is_looked_at)
{
    static const struct {
        struct made made;
        enum finding_code code;
        const char *why;
    } wrong[] = {
        {{.message = "!"}, FINDING_EVIDENCE, "message: base64"},
        {{.message = "AAAA"}, FINDING_SIGNATURE, "not that of the attestation key"},
        {{.signature = "AAA"}, FINDING_EVIDENCE, "signature: base64"},
        {{.signature = ""}, FINDING_SIGNATURE_FORMAT, "TPMT_SIGNATURE of 0 bytes"},
        {{.pcr_4 = "aa"}, FINDING_EVIDENCE, "pcrs[4]: expected 64"},
        {{.pcr_4 = HEX_A}, FINDING_QUOTE_DIGEST, "pcrDigest"},
        {{.pcr_4 = HEX_A "\",\"" HEX_A}, FINDING_EVIDENCE, "pcrs: not an array of 24"},
        {{.key = "AAAA"}, FINDING_KEY_FORMAT, "attestation key"},
        {{.key = "\",\"a\":\""}, FINDING_EVIDENCE, "a"},
        {{.more = ",\"x\":1"}, FINDING_EVIDENCE, "x"},
        {{.more = ",\"ak_public\":\"\""}, FINDING_EVIDENCE, "a key stands twice"},
    };
    scoped(tpm_key_freep) struct tpm_key *key = key_of(&p256);
    uint8_t enrolled[1][TPM_KEY_SPKI_DIGEST_SIZE];
    const struct tpm_policy policy = {.nonce = nonce,
                                      .nonce_size = sizeof(nonce),
                                      .selection = SELECTION,
                                      .enrolled = enrolled,
                                      .enrolled_count = 1};
    struct registers bank;

    memcpy(enrolled[0], tpm_key_spki_digest(key), sizeof(enrolled[0]));
    make_registers(&bank, DIGEST_SHA256, SELECTION);
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        scoped(freep) char *text = evidence_text(&p256, &bank, &wrong[i].made);

        ck_assert_msg(judge_evidence(text, &policy) < 0, "taken: %s", wrong[i].why);
        ck_finding(wrong[i].code, wrong[i].why);
    }
}
END_TEST

START_TEST(evidence_cut_at_any_byte_is_refused)
{
    scoped(freep) char *text = NULL;
    struct tpm_evidence evidence;
    struct registers bank;

    make_registers(&bank, DIGEST_SHA256, SELECTION);
    text = evidence_text(&p256, &bank, &(struct made){0});
    for (size_t size = 0; size < strlen(text); size++) {
        ck_assert_int_lt(tpm_evidence_parse(text, size, &evidence, &finding), 0);
        ck_finding(FINDING_EVIDENCE, "tpm evidence");
    }
    ck_assert_int_lt(tpm_evidence_parse("[]", 2, &evidence, &finding), 0);
    ck_finding(FINDING_EVIDENCE, "no object");
    ck_assert_int_lt(tpm_evidence_parse(text, TPM_EVIDENCE_MAX + 1, &evidence, &finding), 0);
    ck_finding(FINDING_EVIDENCE, "limit 65536");
}
END_TEST
int main(void)
{
    int rc;

    memset(nonce, 0x5a, sizeof(nonce));
    make_keys();
    rc = suite_run("tpm_quote",
                   (const TTest *[]){
                       a_good_quote_is_read_and_taken, each_field_of_a_quote_is_looked_at,
                       a_quote_cut_at_any_byte_is_refused,
                       two_banks_are_taken_in_their_order_and_none_twice,
                       values_that_are_not_signed_are_refused,
                       another_boot_or_firmware_is_refused_if_one_is_asked_for,
                       a_register_can_have_several_values, a_key_need_not_be_enrolled_only_by_name,
                       evidence_of_an_enrolled_key_is_taken, each_part_of_evidence_is_looked_at,
                       evidence_cut_at_any_byte_is_refused, NULL});
    free_keys();
    return rc;
}
