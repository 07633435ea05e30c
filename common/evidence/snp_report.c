/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/snp_report.h"

#include <stdbool.h>
#include <string.h>

#include "evidence/evidence.h"

enum {
    ALGORITHM_ECDSA_P384_SHA384 = 1,
    NUMBER_SIZE = 72, /* of r and of s: little-endian, of which a number of P-384 fills 48 */
    COORDINATE_SIZE = 48,
    SIGNER_INFO_KNOWN = 0x1f,
};

/* Where each field lies; all numbers are little-endian. */
enum {
    AT_VERSION = 0x000,
    AT_GUEST_SVN = 0x004,
    AT_POLICY = 0x008,
    AT_VMPL = 0x030,
    AT_ALGORITHM = 0x034,
    AT_CURRENT_TCB = 0x038,
    AT_PLATFORM_INFO = 0x040,
    AT_SIGNER_INFO = 0x048,
    AT_REPORT_DATA = 0x050,
    AT_MEASUREMENT = 0x090,
    AT_HOST_DATA = 0x0c0,
    AT_ID_KEY_DIGEST = 0x0e0,
    AT_AUTHOR_KEY_DIGEST = 0x110,
    AT_REPORTED_TCB = 0x180,
    AT_CPUID = 0x188,
    AT_CHIP_ID = 0x1a0,
    AT_COMMITTED_TCB = 0x1e0,
    AT_CURRENT_FIRMWARE = 0x1e8,
    AT_COMMITTED_FIRMWARE = 0x1ec,
    AT_LAUNCH_TCB = 0x1f0,
    AT_MITIGATIONS = 0x1f8,
    AT_R = 0x2a0,
    AT_S = AT_R + NUMBER_SIZE,
};

/* What has to be zero, and in which versions. */
static const struct {
    uint16_t at, length;
    uint8_t from, to;
    const char *field;
} zeros[] = {
    {0x04c, 4, 2, 5, "reserved.04c"},
    {0x188, 3, 2, 2, "cpuid"},
    {0x18b, 21, 2, 5, "reserved.18b"},
    {0x1eb, 1, 2, 5, "reserved.1eb"},
    {0x1ef, 1, 2, 5, "reserved.1ef"},
    {0x1f8, 16, 2, 4, "reserved.1f8"},
    {0x208, 152, 2, 5, "reserved.208"},
    {AT_R + COORDINATE_SIZE, NUMBER_SIZE - COORDINATE_SIZE, 2, 5, "signature.r"},
    {AT_S + COORDINATE_SIZE, NUMBER_SIZE - COORDINATE_SIZE, 2, 5, "signature.s"},
    {AT_S + NUMBER_SIZE, SNP_REPORT_SIZE - AT_S - NUMBER_SIZE, 2, 5, "signature.reserved"},
};

static const struct {
    uint8_t family, model_min, model_max;
    enum snp_product product;
} processors[] = {
    {0x19, 0x00, 0x0f, SNP_MILAN},
    {0x19, 0x10, 0x1f, SNP_GENOA},
    {0x19, 0xa0, 0xaf, SNP_GENOA},
    {0x1a, 0x00, 0x11, SNP_TURIN},
};

static uint64_t number(const uint8_t *at, size_t size)
{
    uint64_t value = 0;

    while (size)
        value = value << 8 | at[--size];
    return value;
}

static bool is_zero(const uint8_t *at, size_t length)
{
    uint8_t any = 0;

    while (length)
        any |= at[--length];
    return !any;
}

static void reverse(const uint8_t *from, uint8_t *to)
{
    for (size_t i = 0; i < COORDINATE_SIZE; i++)
        to[i] = from[COORDINATE_SIZE - 1 - i];
}

static struct snp_firmware firmware(const uint8_t *at)
{
    return (struct snp_firmware){.build = at[0], .minor = at[1], .major = at[2]};
}

static enum snp_product product_of(uint8_t family, uint8_t model)
{
    for (size_t i = 0; i < ARRAY_LENGTH(processors); i++)
        if (family == processors[i].family && model >= processors[i].model_min &&
            model <= processors[i].model_max)
            return processors[i].product;
    return SNP_PRODUCT_UNKNOWN;
}

static int check_format(const uint8_t *bytes, size_t length, struct evidence_verdict *verdict)
{
    if (length != SNP_REPORT_SIZE)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, "report",
                                   "the report has %zu bytes, not %d", length, SNP_REPORT_SIZE);
    uint32_t version = (uint32_t) number(bytes + AT_VERSION, 4);
    if (version < SNP_VERSION_MIN || version > SNP_VERSION_MAX)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, "version",
                                   "version %u of the report is not known here, %d to %d are",
                                   version, SNP_VERSION_MIN, SNP_VERSION_MAX);
    if (number(bytes + AT_ALGORITHM, 4) != ALGORITHM_ECDSA_P384_SHA384)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, "signature_algo",
                                   "signature_algo is %u, not 1 (ECDSA P-384 with SHA-384)",
                                   (unsigned) number(bytes + AT_ALGORITHM, 4));
    if (number(bytes + AT_SIGNER_INFO, 4) & ~(uint64_t) SIGNER_INFO_KNOWN)
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, "signer_info",
                                   "signer_info has reserved bits that are not zero: 0x%08x",
                                   (unsigned) number(bytes + AT_SIGNER_INFO, 4));
    for (size_t i = 0; i < ARRAY_LENGTH(zeros); i++)
        if (version >= zeros[i].from && version <= zeros[i].to &&
            !is_zero(bytes + zeros[i].at, zeros[i].length))
            return evidence_fail_field(verdict, APPRAISAL_FORMAT, zeros[i].field,
                                       "%s has to be zero in version %u", zeros[i].field, version);
    return 0;
}

static void read_digests(const uint8_t *bytes, struct snp_report *ret)
{
    memcpy(ret->report_data, bytes + AT_REPORT_DATA, sizeof(ret->report_data));
    memcpy(ret->measurement, bytes + AT_MEASUREMENT, sizeof(ret->measurement));
    memcpy(ret->host_data, bytes + AT_HOST_DATA, sizeof(ret->host_data));
    memcpy(ret->id_key_digest, bytes + AT_ID_KEY_DIGEST, sizeof(ret->id_key_digest));
    memcpy(ret->author_key_digest, bytes + AT_AUTHOR_KEY_DIGEST, sizeof(ret->author_key_digest));
    memcpy(ret->chip_id, bytes + AT_CHIP_ID, sizeof(ret->chip_id));
}

static void read_platform(const uint8_t *bytes, struct snp_report *ret)
{
    if (ret->version >= SNP_VERSION_CPUID) {
        ret->family = bytes[AT_CPUID];
        ret->model = bytes[AT_CPUID + 1];
        ret->stepping = bytes[AT_CPUID + 2];
        ret->product = product_of(ret->family, ret->model);
    }
    memcpy(ret->current_tcb, bytes + AT_CURRENT_TCB, SNP_TCB_SIZE);
    memcpy(ret->reported_tcb, bytes + AT_REPORTED_TCB, SNP_TCB_SIZE);
    memcpy(ret->committed_tcb, bytes + AT_COMMITTED_TCB, SNP_TCB_SIZE);
    memcpy(ret->launch_tcb, bytes + AT_LAUNCH_TCB, SNP_TCB_SIZE);
    ret->current = firmware(bytes + AT_CURRENT_FIRMWARE);
    ret->committed = firmware(bytes + AT_COMMITTED_FIRMWARE);
    if (ret->version >= SNP_VERSION_MITIGATIONS) {
        ret->launch_mitigations = number(bytes + AT_MITIGATIONS, 8);
        ret->current_mitigations = number(bytes + AT_MITIGATIONS + 8, 8);
    }
}

int snp_report_parse(const void *data, size_t length, struct snp_report *ret,
                     struct evidence_verdict *verdict)
{
    const uint8_t *bytes = data;

    if (check_format(bytes, length, verdict) < 0)
        return -1;
    *ret = (struct snp_report){
        .version = (uint32_t) number(bytes + AT_VERSION, 4),
        .guest_svn = (uint32_t) number(bytes + AT_GUEST_SVN, 4),
        .policy = number(bytes + AT_POLICY, 8),
        .vmpl = (uint32_t) number(bytes + AT_VMPL, 4),
        .platform_info = number(bytes + AT_PLATFORM_INFO, 8),
        .signer_info = (uint32_t) number(bytes + AT_SIGNER_INFO, 4),
        .product = SNP_PRODUCT_UNKNOWN,
    };
    read_digests(bytes, ret);
    read_platform(bytes, ret);
    reverse(bytes + AT_R, ret->signature);
    reverse(bytes + AT_S, ret->signature + COORDINATE_SIZE);
    return 0;
}

int snp_tcb_parse(enum snp_product product, const uint8_t raw[SNP_TCB_SIZE], const char *field,
                  struct snp_tcb *ret, struct evidence_verdict *verdict)
{
    const bool turin = product == SNP_TURIN;
    const uint8_t *reserved = turin ? raw + 4 : raw + 2;

    if (!is_zero(reserved, turin ? 3 : 4))
        return evidence_fail_field(verdict, APPRAISAL_FORMAT, field,
                                   "%s has reserved bytes that are not zero on %s", field,
                                   snp_product_name(product));
    *ret = turin ? (struct snp_tcb){.fmc = raw[0],
                                    .bootloader = raw[1],
                                    .tee = raw[2],
                                    .snp = raw[3],
                                    .microcode = raw[7]}
                 : (struct snp_tcb){
                       .bootloader = raw[0], .tee = raw[1], .snp = raw[6], .microcode = raw[7]};
    return 0;
}

const char *snp_product_name(enum snp_product product)
{
    static const char *const names[] = {
        [SNP_MILAN] = "Milan", [SNP_GENOA] = "Genoa", [SNP_TURIN] = "Turin"};

    return (size_t) product < ARRAY_LENGTH(names) ? names[product] : "unknown";
}

enum snp_key snp_report_key(const struct snp_report *report)
{
    return report->signer_info >> 2 & 7;
}
