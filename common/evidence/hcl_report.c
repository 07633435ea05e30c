/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/hcl_report.h"

#include <stdbool.h>
#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "evidence/base64url.h"
#include "evidence/finding.h"
#include "evidence/tpm_key.h"

/* Little-endian. "HCLA", version, size up to the end of the JSON, request type, status and reserved
 * up to 0x20; 1184 bytes for the hardware report; size from here to the end of the JSON, version,
 * report type, hash type, size of the JSON; the JSON; zeros. */
enum {
    VERSION_AT = 0x04,
    SIZE_AT = 0x08,
    REQUEST_AT = 0x0c,
    HARDWARE_AT = 0x20,
    DATA_AT = 0x4c0,
    DATA_VERSION_AT = 0x4c4,
    TYPE_AT = 0x4c8,
    HASH_AT = 0x4cc,
    VARIABLE_SIZE_AT = 0x4d0,
    VARIABLE_AT = 0x4d4,
};
enum {
    VERSION_MAX = 2,
    REQUEST_REPORT = 2,
    DATA_VERSION = 1,
    TYPE_SNP = 2,
    TYPE_TDX = 4,
    HASH_SHA256 = 1,
    KEYS_MAX = 16,
    NUMBER_MAX = 512, /* bytes of an RSA modulus */
};

static const char magic[4] = {'H', 'C', 'L', 'A'};
static const char key_id[] = "HCLAkPub";

static uint32_t le32(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t) bytes[1] << 8 | (uint32_t) bytes[2] << 16 |
           (uint32_t) bytes[3] << 24;
}

static int check_header(const uint8_t *data, struct finding *finding)
{
    const struct {
        const char *name;
        size_t at;
        uint32_t value, other;
    } fields[] = {
        {"version", VERSION_AT, 1, VERSION_MAX},
        {"request_type", REQUEST_AT, REQUEST_REPORT, REQUEST_REPORT},
        {"version of the runtime data", DATA_VERSION_AT, DATA_VERSION, DATA_VERSION},
        {"report_type", TYPE_AT, TYPE_SNP, TYPE_TDX},
        {"hash_type", HASH_AT, HASH_SHA256, HASH_SHA256},
    };

    if (memcmp(data, magic, sizeof(magic)) != 0)
        return finding_set(finding, FINDING_HCL_HEADER, "HCL report: no magic 'HCLA'");
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        uint32_t value = le32(data + fields[i].at);

        if (value != fields[i].value && value != fields[i].other)
            return finding_set(finding, FINDING_HCL_HEADER, "HCL report: %s is %u", fields[i].name,
                               value);
    }
    return 0;
}

static int check_sizes(const uint8_t *data, size_t size, struct finding *finding)
{
    uint32_t whole = le32(data + SIZE_AT), inner = le32(data + DATA_AT);
    uint32_t variable = le32(data + VARIABLE_SIZE_AT);

    if (variable == 0 || variable > size - VARIABLE_AT)
        return finding_set(finding, FINDING_HCL_SIZE,
                           "HCL report: variable data of %u bytes in a report of %zu", variable,
                           size);
    if (inner != VARIABLE_AT - DATA_AT + variable || whole != VARIABLE_AT + variable)
        return finding_set(finding, FINDING_HCL_SIZE,
                           "HCL report: sizes %u and %u do not fit variable data of %u bytes",
                           whole, inner, variable);
    for (size_t i = VARIABLE_AT + variable; i < size; i++)
        if (data[i])
            return finding_set(finding, FINDING_HCL_SIZE,
                               "HCL report: something stands behind the variable data, at %zu", i);
    return 0;
}

/* Without padding, as JWK has it. */
static int read_number(const struct js *jwk, const char *name, uint8_t **ret, size_t *ret_size,
                       struct error *err)
{
    const char *text;

    if (js_need_string(jwk, name, &text, err) < 0)
        return -1;
    if (strchr(text, '='))
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s: padding", name);
    if (base64url_decode(text, NUMBER_MAX, ret, ret_size, err) < 0)
        return error_wrap(err, "%s", name);
    return 0;
}

static int read_key(const struct js *jwk, struct tpm_key **ret, struct finding *finding)
{
    scoped(freep) uint8_t *modulus = NULL, *exponent = NULL;
    const struct js *uses = js_get(jwk, "key_ops");
    struct rsa_numbers numbers = {0};
    struct error err;

    if (!text_equal(js_get_string(jwk, "kty"), "RSA") || js_type(uses) != JS_ARRAY ||
        js_length(uses) != 1 || !text_equal(js_string(js_at(uses, 0)), "sign"))
        return finding_set(finding, FINDING_HCL_VARIABLE,
                           "HCL report: key '%s' is no RSA key that only signs", key_id);
    if (read_number(jwk, "n", &modulus, &numbers.modulus_size, &err) < 0 ||
        read_number(jwk, "e", &exponent, &numbers.exponent_size, &err) < 0)
        return finding_set(finding, FINDING_HCL_VARIABLE, "HCL report: key '%s': %s", key_id,
                           err.message);
    numbers.modulus = modulus;
    numbers.exponent = exponent;
    return tpm_key_from_rsa(&numbers, ret, finding);
}

static int find_key(const struct js *root, const struct js **ret, struct finding *finding)
{
    const struct js *keys = js_get(root, "keys"), *found = NULL;

    if (js_type(keys) != JS_ARRAY || js_length(keys) > KEYS_MAX)
        return finding_set(finding, FINDING_HCL_VARIABLE,
                           "HCL report: 'keys' is no array of at most %d", KEYS_MAX);
    for (size_t i = 0; i < js_length(keys); i++) {
        if (!text_equal(js_get_string(js_at(keys, i), "kid"), key_id))
            continue;
        if (found)
            return finding_set(finding, FINDING_HCL_VARIABLE,
                               "HCL report: key '%s' stands there twice", key_id);
        found = js_at(keys, i);
    }
    if (!found)
        return finding_set(finding, FINDING_HCL_VARIABLE, "HCL report: there is no key '%s'",
                           key_id);
    *ret = found;
    return 0;
}

static int read_variable(struct hcl_report *report, struct finding *finding)
{
    scoped(js_freep) struct js *root = NULL;
    const char *user_data;
    const struct js *jwk = NULL;
    struct error err;

    if (js_parse((const char *) report->variable, report->variable_size, &root, &err) < 0 ||
        js_need_string(root, "user-data", &user_data, &err) < 0)
        return finding_set(finding, FINDING_HCL_VARIABLE, "HCL report: variable data: %s",
                           err.message);
    if (hex_decode(user_data, report->user_data, HCL_USER_DATA_SIZE, &err) < 0)
        return finding_set(finding, FINDING_HCL_VARIABLE, "HCL report: user-data: %s", err.message);
    if (find_key(root, &jwk, finding) < 0)
        return -1;
    return read_key(jwk, &report->key, finding);
}

int hcl_report_parse(const void *data, size_t size, struct hcl_report *ret, struct finding *finding)
{
    struct hcl_report report = {0};
    const uint8_t *bytes = data;

    if (size < VARIABLE_AT || size > HCL_REPORT_MAX)
        return finding_set(finding, FINDING_HCL_SIZE, "HCL report of %zu bytes, not %d to %d", size,
                           VARIABLE_AT, HCL_REPORT_MAX);
    if (check_header(bytes, finding) < 0 || check_sizes(bytes, size, finding) < 0)
        return -1;
    report.type = le32(bytes + TYPE_AT) == TYPE_SNP ? HCL_REPORT_SNP : HCL_REPORT_TDX;
    report.hardware = bytes + HARDWARE_AT;
    report.hardware_size = report.type == HCL_REPORT_SNP ? HCL_SNP_REPORT_SIZE : HCL_TD_REPORT_SIZE;
    report.variable = bytes + VARIABLE_AT;
    report.variable_size = le32(bytes + VARIABLE_SIZE_AT);
    if (read_variable(&report, finding) < 0)
        return -1;
    *ret = report;
    return 0;
}

void hcl_report_fini(struct hcl_report *report)
{
    tpm_key_free(report->key);
    *report = (struct hcl_report){0};
}

int hcl_report_bind(const struct hcl_report *report, const uint8_t report_data[64],
                    struct finding *finding)
{
    uint8_t expected[64] = {0};

    digest_sha256(report->variable, report->variable_size, expected);
    if (memcmp(expected, report_data, sizeof(expected)) != 0)
        return finding_set(finding, FINDING_HCL_HASH,
                           "HCL report: report_data is not the SHA-256 of the variable data");
    return 0;
}
