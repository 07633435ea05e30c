/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/judge.h"

#include "base/scoped.h"
#include "evidence/judges.h"
#include "evidence/sample.h"

static const struct {
    enum evidence_code code;
    void (*judge)(const struct evidence_bundle *bundle, const struct evidence_request *expected,
                  const struct evidence_policy *policy, struct evidence_verdict *ret);
} judges[] = {
    {EVIDENCE_SNP, judge_snp},
    {EVIDENCE_TDX, judge_tdx},
    {EVIDENCE_TPM, judge_tpm},
    {EVIDENCE_SAMPLE, sample_judge},
};

void evidence_judge(const struct evidence_type *type, const struct evidence_bundle *bundle,
                    const struct evidence_request *expected, const struct evidence_policy *policy,
                    struct evidence_verdict *ret)
{
    if (!evidence_allowed(type, policy))
        return evidence_fail(ret, APPRAISAL_POLICY, "evidence type %s is insecure and not allowed",
                             type->name);
    for (size_t i = 0; i < ARRAY_LENGTH(judges); i++)
        if (judges[i].code == type->code)
            return judges[i].judge(bundle, expected, policy, ret);
    evidence_fail(ret, APPRAISAL_POLICY, "nothing here judges evidence of type %s", type->name);
}

int judge_needs_values(const void *section, const char *name, struct evidence_verdict *ret)
{
    if (section)
        return 0;
    return evidence_fail_field(ret, APPRAISAL_POLICY, "reference_values",
                               "there are no reference values of type %s; reference_values in "
                               "tenant.conf names the file that has to have them",
                               name);
}
