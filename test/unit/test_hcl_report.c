/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of a paravisor made here: a good one, each field wrong once, cut at each byte. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/scoped.h"
#include "evidence/finding.h"
#include "evidence/hcl_report.h"
#include "evidence/tpm_key.h"
#include "suite.h"

/* A modulus of 2048 bits: odd, and nobody signs with it. */
#define A32     "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"
#define MODULUS A32 A32 A32 A32 A32 A32 A32 A32 A32 A32 "qqqqqqqqqqqqqqqqqqqqqw"
#define ZEROS16 "0000000000000000"
#define AK                                                                                         \
    "{\"kid\":\"HCLAkPub\",\"key_ops\":[\"sign\"],\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" MODULUS \
    "\"}"
#define EK                                                                                         \
    "{\"kid\":\"HCLEkPub\",\"key_ops\":[\"encrypt\"],\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":"        \
    "\"" MODULUS "\"}"

static const char good[] = "{\"keys\":[" AK "," EK
                           "],\"vm-configuration\":{},\"user-data\":\"AB" ZEROS16 ZEROS16 ZEROS16
                               ZEROS16 ZEROS16 ZEROS16 ZEROS16 "00000000000000\"}";

enum { VARIABLE_AT = 0x4d4, ROOM = 4096, FILLED = 100 };

struct made {
    uint8_t data[ROOM];
    size_t size;
};

static struct finding finding;

static void put_le32(struct made *made, size_t at, uint32_t value)
{
    for (size_t i = 0; i < 4; i++)
        made->data[at + i] = (uint8_t) (value >> 8 * i);
}

static void make(struct made *made, const char *variable)
{
    size_t size = strlen(variable);

    *made = (struct made){.size = VARIABLE_AT + size + FILLED};
    memcpy(made->data, "HCLA", 4);
    put_le32(made, 0x04, 2);
    put_le32(made, 0x08, (uint32_t) (VARIABLE_AT + size));
    put_le32(made, 0x0c, 2);
    memset(made->data + 0x20, 0x77, 1184);
    put_le32(made, 0x4c0, (uint32_t) (20 + size));
    put_le32(made, 0x4c4, 1);
    put_le32(made, 0x4c8, 2);
    put_le32(made, 0x4cc, 1);
    put_le32(made, 0x4d0, (uint32_t) size);
    memcpy(made->data + VARIABLE_AT, variable, size);
}

/* From a copy of exactly that size, so that ASan sees the first byte behind it. */
static int parse(const struct made *made, size_t size)
{
    scoped(freep) uint8_t *copy = xmemdup(made->data, size ? size : 1);
    struct hcl_report report;

    finding = (struct finding){0};
    if (hcl_report_parse(copy, size, &report, &finding) < 0)
        return -1;
    hcl_report_fini(&report);
    return 0;
}

static void ck_finding(enum finding_code code, const char *why)
{
    ck_assert_msg(finding.code == code, "%s: %s, not %s", finding_name(finding.code), finding.text,
                  finding_name(code));
    ck_assert_msg(strstr(finding.text, why), "'%s' is not in: %s", why, finding.text);
}

START_TEST(a_good_report_is_read_and_bound)
{
    uint8_t report_data[64] = {0};
    struct hcl_report report;
    struct made made;

    make(&made, good);
    ck_assert_msg(hcl_report_parse(made.data, made.size, &report, &finding) == 0, "%s",
                  finding.text);
    ck_assert_int_eq(report.type, HCL_REPORT_SNP);
    ck_assert_uint_eq(report.hardware_size, 1184);
    ck_assert_uint_eq(report.hardware[0], 0x77);
    ck_assert_uint_eq(report.user_data[0], 0xab);
    ck_assert_ptr_nonnull(report.key);
    digest_sha256(good, strlen(good), report_data);
    ck_assert_int_eq(hcl_report_bind(&report, report_data, &finding), 0);
    for (size_t i = 0; i < sizeof(report_data); i++) {
        report_data[i] ^= 1;
        ck_assert_int_lt(hcl_report_bind(&report, report_data, &finding), 0);
        ck_finding(FINDING_HCL_HASH, "variable data");
        report_data[i] ^= 1;
    }
    hcl_report_fini(&report);
    put_le32(&made, 0x4c8, 4);
    ck_assert_int_eq(hcl_report_parse(made.data, made.size, &report, &finding), 0);
    ck_assert_int_eq(report.type, HCL_REPORT_TDX);
    ck_assert_uint_eq(report.hardware_size, 1024);
    hcl_report_fini(&report);
}
END_TEST

START_TEST(each_field_of_the_header_is_looked_at)
{
    static const struct {
        size_t at;
        uint32_t value;
        enum finding_code code;
        const char *why;
    } changes[] = {
        {0x00, 0, FINDING_HCL_HEADER, "no magic"},
        {0x04, 0, FINDING_HCL_HEADER, "version is 0"},
        {0x04, 3, FINDING_HCL_HEADER, "version is 3"},
        {0x08, 0, FINDING_HCL_SIZE, "sizes 0 and"},
        {0x0c, 1, FINDING_HCL_HEADER, "request_type is 1"},
        {0x4c0, 20, FINDING_HCL_SIZE, "and 20 do not fit"},
        {0x4c4, 2, FINDING_HCL_HEADER, "runtime data is 2"},
        {0x4c8, 3, FINDING_HCL_HEADER, "report_type is 3"},
        {0x4cc, 2, FINDING_HCL_HEADER, "hash_type is 2"},
        {0x4d0, 0, FINDING_HCL_SIZE, "variable data of 0 bytes"},
        {0x4d0, 0xffffffff, FINDING_HCL_SIZE, "variable data of 4294967295 bytes"},
        {0x4d0, 100, FINDING_HCL_SIZE, "variable data of 100 bytes"},
        {VARIABLE_AT + sizeof(good) - 1, 1, FINDING_HCL_SIZE, "behind the variable data"},
        {VARIABLE_AT + sizeof(good) - 1 + FILLED - 4, 1 << 24, FINDING_HCL_SIZE, "behind"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
        struct made made;

        make(&made, good);
        put_le32(&made, changes[i].at, changes[i].value);
        ck_assert_msg(parse(&made, made.size) < 0, "taken: %s", changes[i].why);
        ck_finding(changes[i].code, changes[i].why);
    }
}
END_TEST

START_TEST(a_report_cut_within_its_variable_data_is_refused)
{
    struct made made;

    make(&made, good);
    for (size_t size = 0; size < made.size - FILLED; size++) {
        ck_assert_int_lt(parse(&made, size), 0);
        ck_finding(FINDING_HCL_SIZE, "bytes");
    }
    ck_assert_int_eq(parse(&made, made.size - FILLED), 0);
}
END_TEST

START_TEST(variable_data_is_read_strictly)
{
    static const struct {
        const char *from, *to;
        enum finding_code code;
        const char *why;
    } changes[] = {
        {"{\"keys\"", "{\"keyz\"", FINDING_HCL_VARIABLE, "'keys' is no array"},
        {"HCLAkPub", "HCLBkPub", FINDING_HCL_VARIABLE, "no key 'HCLAkPub'"},
        {"HCLEkPub", "HCLAkPub", FINDING_HCL_VARIABLE, "twice"},
        {"[\"sign\"]", "[\"sine\"]", FINDING_HCL_VARIABLE, "only signs"},
        {"[\"sign\"]", "[\"sign\",\"encrypt\"]", FINDING_HCL_VARIABLE, "only signs"},
        {"\"RSA\"", "\"EC\"", FINDING_HCL_VARIABLE, "only signs"},
        {"\"AQAB\"", "1", FINDING_HCL_VARIABLE, "e"},
        {"\"AQAB\"", "\"AQ+B\"", FINDING_HCL_VARIABLE, "e: not base64url"},
        {"\"AQAB\"", "\"AQA=\"", FINDING_HCL_VARIABLE, "e: padding"},
        {"\"AQAB\"", "\"AQABA\"", FINDING_HCL_VARIABLE, "base64"},
        {"\"AQAB\"", "\"AQAA\"", FINDING_KEY_FORMAT, "no RSA key"},
        {"\"n\":\"qqqq", "\"n\":\"", FINDING_KEY_TYPE, "bits"},
        {"\"user-data\":\"AB", "\"user-data\":\"", FINDING_HCL_VARIABLE, "user-data"},
        {"\"user-data\"", "\"no-data\"", FINDING_HCL_VARIABLE, "user-data"},
        {"\"vm-configuration\":{}", "\"keys\":[]", FINDING_HCL_VARIABLE, "variable data"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
        const char *at = strstr(good, changes[i].from);
        scoped(freep) char *text = NULL;
        struct made made;

        ck_assert_ptr_nonnull(at);
        text = xformat("%.*s%s%s", (int) (at - good), good, changes[i].to,
                       at + strlen(changes[i].from));
        make(&made, text);
        ck_assert_msg(parse(&made, made.size) < 0, "taken: %s", changes[i].to);
        ck_finding(changes[i].code, changes[i].why);
    }
}
END_TEST

int main(void)
{
    return suite_run("hcl_report",
                     (const TTest *[]){a_good_report_is_read_and_bound,
                                       each_field_of_the_header_is_looked_at,
                                       a_report_cut_within_its_variable_data_is_refused,
                                       variable_data_is_read_strictly, NULL});
}
