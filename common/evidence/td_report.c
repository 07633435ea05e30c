/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/td_report.h"

#include <string.h>

#include "base/digest.h"
#include "base/scoped.h"
#include "evidence/finding.h"
#include "evidence/tdx_quote.h"

/* A MACed head with the digests of the two parts behind it: the TDX module, the trust domain. The
 * head's version and its reserved bytes are left to the processor, like its MAC. */
enum {
    TYPE_AT = 0,
    MODULE_HASH_AT = 32,
    DOMAIN_HASH_AT = 80,
    REPORT_DATA_AT = 128,
    MODULE_AT = 256,
    MODULE_SIZE = 239,
    DOMAIN_AT = 512,
    DOMAIN_SIZE = 512,
};
enum { TYPE_TDX = 0x81 };

struct part {
    const char *name;
    size_t at, size;
    const uint8_t *quoted; /* NULL: not in this kind of body */
};

static uint64_t le64(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (size_t i = 8; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

static int check_head(const uint8_t *report, struct finding *finding)
{
    uint8_t module[SHA384_SIZE], domain[SHA384_SIZE];

    if (report[TYPE_AT] != TYPE_TDX || report[TYPE_AT + 1] != 0)
        return finding_set(finding, FINDING_TD_REPORT,
                           "TDREPORT: type 0x%02x, subtype %u: that is none of a trust domain",
                           report[TYPE_AT], report[TYPE_AT + 1]);
    digest_sha384(report + MODULE_AT, MODULE_SIZE, module);
    digest_sha384(report + DOMAIN_AT, DOMAIN_SIZE, domain);
    if (memcmp(report + MODULE_HASH_AT, module, sizeof(module)) != 0)
        return finding_set(finding, FINDING_TD_REPORT,
                           "TDREPORT: tee_tcb_info_hash is not that of its tee_tcb_info");
    if (memcmp(report + DOMAIN_HASH_AT, domain, sizeof(domain)) != 0)
        return finding_set(finding, FINDING_TD_REPORT,
                           "TDREPORT: tee_info_hash is not that of its tdinfo");
    return 0;
}

static int check_number(const char *name, uint64_t reported, uint64_t quoted,
                        struct finding *finding)
{
    if (reported == quoted)
        return 0;
    return finding_set(finding, FINDING_TD_REPORT,
                       "TDREPORT: %s is 0x%016llx, in the quote it is 0x%016llx", name,
                       (unsigned long long) reported, (unsigned long long) quoted);
}

static int check_parts(const uint8_t *report, const struct part *parts, size_t count,
                       struct finding *finding)
{
    for (size_t i = 0; i < count; i++)
        if (parts[i].quoted && memcmp(report + parts[i].at, parts[i].quoted, parts[i].size) != 0)
            return finding_set(finding, FINDING_TD_REPORT, "TDREPORT: %s is another in the quote",
                               parts[i].name);
    return 0;
}

int td_report_check(const uint8_t report[TD_REPORT_SIZE], const struct tdx_body *body,
                    struct finding *finding)
{
    const struct part parts[] = {
        {"report_data", REPORT_DATA_AT, TDX_REPORT_DATA_SIZE, body->report_data},
        {"tee_tcb_svn", MODULE_AT + 8, TDX_SVN_SIZE, body->tee_tcb_svn},
        {"mr_seam", MODULE_AT + 24, TDX_MEASUREMENT_SIZE, body->mr_seam},
        {"mr_signer_seam", MODULE_AT + 72, TDX_MEASUREMENT_SIZE, body->mr_signer_seam},
        {"seam_attributes", MODULE_AT + 120, 8, body->seam_attributes},
        {"tee_tcb_svn2", MODULE_AT + 128, TDX_SVN_SIZE, body->tee_tcb_svn2},
        {"mr_td", DOMAIN_AT + 16, TDX_MEASUREMENT_SIZE, body->mr_td},
        {"mr_config_id", DOMAIN_AT + 64, TDX_MEASUREMENT_SIZE, body->mr_config_id},
        {"mr_owner", DOMAIN_AT + 112, TDX_MEASUREMENT_SIZE, body->mr_owner},
        {"mr_owner_config", DOMAIN_AT + 160, TDX_MEASUREMENT_SIZE, body->mr_owner_config},
        {"rtmr0", DOMAIN_AT + 208, TDX_MEASUREMENT_SIZE, body->rtmr[0]},
        {"rtmr1", DOMAIN_AT + 256, TDX_MEASUREMENT_SIZE, body->rtmr[1]},
        {"rtmr2", DOMAIN_AT + 304, TDX_MEASUREMENT_SIZE, body->rtmr[2]},
        {"rtmr3", DOMAIN_AT + 352, TDX_MEASUREMENT_SIZE, body->rtmr[3]},
        {"mr_service_td", DOMAIN_AT + 400, TDX_MEASUREMENT_SIZE, body->mr_service_td},
    };

    if (check_head(report, finding) < 0 ||
        check_number("td_attributes", le64(report + DOMAIN_AT), body->td_attributes, finding) < 0 ||
        check_number("xfam", le64(report + DOMAIN_AT + 8), body->xfam, finding) < 0)
        return -1;
    return check_parts(report, parts, ARRAY_LENGTH(parts), finding);
}
