/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of Azure made here, but for the hardware report: what vouches for it is another test. */
#include "base/hex.h"
#include "evidence/azure_evidence.h"
#include "quote_fixture.h"
#include "suite.h"

enum { SELECTION = 0xffffff, VARIABLE_AT = 0x4d4 };

struct made { /* what is not NULL replaces the good part */
    const char *version, *user_data, *hcl, *message, *more;
    uint32_t type; /* of the hardware report; 0: SEV-SNP */
};

/* "+" and "/" as base64url has them; padding stays. */
static char *url(char *text)
{
    for (char *c = text; *c; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    return text;
}

static char *hex_of(const void *data, size_t size)
{
    char *text = xalloc(2 * size + 1);

    hex_encode(data, size, text);
    return text;
}

static char *variable_of(const char *user_data)
{
    scoped(freep) char *number = NULL, *hex = NULL;
    uint8_t modulus[256];

    must(mbedtls_mpi_write_binary(&mbedtls_pk_rsa(rsa)->N, modulus, sizeof(modulus)));
    number = url(base64_encode(modulus, sizeof(modulus)));
    number[strcspn(number, "=")] = '\0';
    hex = hex_of(nonce, sizeof(nonce));
    return xformat("{\"keys\":[{\"kid\":\"HCLAkPub\",\"key_ops\":[\"sign\"],\"kty\":\"RSA\","
                   "\"e\":\"AQAB\",\"n\":\"%s\"}],\"user-data\":\"%s%064d\"}",
                   number, user_data ? user_data : hex, 0);
}

static char *hcl_of(const char *variable, uint32_t type)
{
    size_t size = strlen(variable);
    const uint32_t fields[][2] = {{0x04, 2},  {0x08, (uint32_t) (VARIABLE_AT + size)},
                                  {0x0c, 2},  {0x4c0, (uint32_t) (20 + size)},
                                  {0x4c4, 1}, {0x4c8, type ? type : 2},
                                  {0x4cc, 1}, {0x4d0, (uint32_t) size}};
    scoped(freep) uint8_t *data = xalloc(VARIABLE_AT + size);

    memcpy(data, "HCLA", 4);
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
        for (size_t j = 0; j < 4; j++)
            data[fields[i][0] + j] = (uint8_t) (fields[i][1] >> 8 * j);
    memcpy(data + VARIABLE_AT, variable, size);
    return url(base64_encode(data, VARIABLE_AT + size));
}

static char *text_of(const struct made *made, uint8_t report_data[64])
{
    scoped(freep) char *variable = variable_of(made->user_data),
                       *hcl = hcl_of(variable, made->type);
    scoped(freep) char *message_hex = NULL, *signature_hex = NULL, *pcrs = xstrdup("");
    scoped(writer_fini) struct writer message;
    uint8_t signature[512];
    struct registers bank;

    make_registers(&bank, DIGEST_SHA256, SELECTION);
    write_quote(&message, &bank, 1);
    message_hex = hex_of(message.data, message.size);
    signature_hex = hex_of(signature, sign_bare(&rsa, message.data, message.size, signature));
    for (unsigned i = 0; i < REGISTERS_MAX; i++) {
        scoped(freep) char *before = pcrs, *hex = hex_of(bank.values[i], SHA256_SIZE);

        pcrs = xformat("%s%s\"%s\"", before, i ? "," : "", hex);
    }
    memset(report_data, 0, 64);
    digest_sha256(variable, strlen(variable), report_data);
    return xformat("{\"version\":%s,\"vcek\":\"bm9uZQ==\",\"hcl_report\":\"%s\",\"tpm_quote\":"
                   "{\"message\":\"%s\",\"signature\":\"%s\",\"pcrs\":[%s]}%s}",
                   made->version ? made->version : "2", made->hcl ? made->hcl : hcl,
                   made->message ? made->message : message_hex, signature_hex, pcrs,
                   made->more ? made->more : "");
}

static int judge(const char *text, const uint8_t report_data[64])
{
    const struct tpm_policy policy = {
        .nonce = nonce, .nonce_size = sizeof(nonce), .selection = SELECTION};
    scoped(azure_evidence_fini) struct azure_evidence evidence = {0};

    finding = (struct finding){0};
    if (azure_evidence_parse(text, strlen(text), &evidence, &finding) < 0)
        return -1;
    return azure_evidence_check(&evidence, report_data, &policy, &finding);
}

START_TEST(good_evidence_is_taken_with_what_vouches_for_it)
{
    uint8_t report_data[64], needed[64];
    scoped(freep) char *text = text_of(&(struct made){0}, report_data);
    scoped(azure_evidence_fini) struct azure_evidence evidence = {0};

    ck_assert_msg(judge(text, report_data) == 0, "%s", finding.text);
    must(azure_evidence_parse(text, strlen(text), &evidence, &finding));
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
        ck_assert_int_lt(azure_evidence_parse(text, size, &evidence, &finding), 0);
        ck_finding(FINDING_EVIDENCE, "azure evidence");
    }
    ck_assert_int_lt(azure_evidence_parse("{}", 2, &evidence, &finding), 0);
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
