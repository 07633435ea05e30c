/* SPDX-License-Identifier: Apache-2.0 */
/* What evidence says, against the digests that were withdrawn. */
#include "base/hex.h"
#include "evidence/reference_values.h"

struct part {
    const char *field;
    const uint8_t *value;
    size_t size;
    enum appraisal_check check;
};

static int judge(const struct reference_values *values, const struct part *part,
                 struct evidence_verdict *verdict)
{
    char hex[2 * 8 + 1];

    if (!part->value || !reference_values_revoked(values, part->value, part->size))
        return 0;
    hex_encode(part->value, 8, hex);
    return evidence_fail_field(verdict, part->check, part->field,
                               "%s, %s..., was revoked by the reference values '%s', serial %llu",
                               part->field, hex, reference_values_id(values),
                               (unsigned long long) reference_values_serial(values));
}

static int judge_all(const struct reference_values *values, const struct part *parts, size_t count,
                     struct evidence_verdict *verdict)
{
    for (size_t i = 0; i < count; i++)
        if (judge(values, &parts[i], verdict) < 0)
            return -1;
    return 0;
}

int reference_values_judge_snp(const struct reference_values *values,
                               const struct snp_report *report, struct evidence_verdict *verdict)
{
    const struct part parts[] = {
        {"measurement", report->measurement, SNP_MEASUREMENT_SIZE, APPRAISAL_MEASUREMENT},
        {"host_data", report->host_data, SNP_HOST_DATA_SIZE, APPRAISAL_HARDWARE_INITDATA},
        {"author_key_digest", report->author_key_digest, SNP_KEY_DIGEST_SIZE, APPRAISAL_ATTRIBUTES},
        {"id_key_digest", report->id_key_digest, SNP_KEY_DIGEST_SIZE, APPRAISAL_ATTRIBUTES},
    };

    return judge_all(values, parts, ARRAY_LENGTH(parts), verdict);
}

int reference_values_judge_tdx(const struct reference_values *values, const struct tdx_body *body,
                               struct evidence_verdict *verdict)
{
    const struct part parts[] = {
        {"mr_seam", body->mr_seam, TDX_MEASUREMENT_SIZE, APPRAISAL_MEASUREMENT},
        {"mr_td", body->mr_td, TDX_MEASUREMENT_SIZE, APPRAISAL_MEASUREMENT},
        {"rtmr0", body->rtmr[0], TDX_MEASUREMENT_SIZE, APPRAISAL_MEASUREMENT},
        {"rtmr1", body->rtmr[1], TDX_MEASUREMENT_SIZE, APPRAISAL_MEASUREMENT},
        {"rtmr2", body->rtmr[2], TDX_MEASUREMENT_SIZE, APPRAISAL_MEASUREMENT},
        {"rtmr3", body->rtmr[3], TDX_MEASUREMENT_SIZE, APPRAISAL_MEASUREMENT},
        {"mr_owner", body->mr_owner, TDX_MEASUREMENT_SIZE, APPRAISAL_MEASUREMENT},
        {"mr_owner_config", body->mr_owner_config, TDX_MEASUREMENT_SIZE, APPRAISAL_MEASUREMENT},
        {"mr_service_td", body->mr_service_td, TDX_MEASUREMENT_SIZE, APPRAISAL_MEASUREMENT},
        {"mr_config_id", body->mr_config_id, TDX_MEASUREMENT_SIZE, APPRAISAL_HARDWARE_INITDATA},
    };

    return judge_all(values, parts, ARRAY_LENGTH(parts), verdict);
}

int reference_values_judge_pcrs(const struct reference_values *values,
                                const struct registers *quoted, struct evidence_verdict *verdict)
{
    const size_t size = registers_size(quoted->type);

    for (unsigned i = 0; i < registers_count(quoted->kind); i++)
        if (quoted->set & BIT(i) && reference_values_revoked(values, quoted->values[i], size))
            return evidence_fail_field(verdict, APPRAISAL_MEASUREMENT, "register-value",
                                       "the value of %s %u was revoked by the reference values "
                                       "'%s', serial %llu",
                                       registers_kind_name(quoted->kind), i,
                                       reference_values_id(values),
                                       (unsigned long long) reference_values_serial(values));
    return 0;
}
