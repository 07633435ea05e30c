/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/judge.h"

#include "base/scoped.h"
#include "evidence/sample.h"

static const struct {
    enum evidence_code code;
    void (*judge)(const struct evidence_bundle *bundle, const struct evidence_request *expected,
                  const struct evidence_policy *policy, struct evidence_verdict *ret);
} judges[] = {
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
