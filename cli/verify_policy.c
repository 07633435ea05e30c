/* SPDX-License-Identifier: Apache-2.0 */
/* --policy FILE: reference values in place of the strict default. */
#include <stdio.h>

#include "base/date.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "evidence/evidence.h"
#include "evidence/reference_values.h"
#include "reference_file.h"
#include "verify.h"

int verify_policy_load(const struct verify_policy *policy, struct reference_values **ret,
                       struct error *err)
{
    if (!policy->file)
        return !policy->key ? 0
                            : error_set(err, STATUS_INVALID_ARGUMENT,
                                        "--policy-key means nothing without --policy");
    if (strchr(policy->file, '=') && !file_exists(policy->file))
        return error_set(err, STATUS_NOT_FOUND,
                         "--policy: there is no file '%s' (one key is set by --set %s)",
                         policy->file, policy->file);
    if (reference_file_load(policy->file, policy->key, ret, err) < 0)
        return error_wrap(err, "--policy");
    return 0;
}

void verify_policy_claim(const struct reference_values *values, struct js *claims)
{
    struct js *policy = js_new_object();

    js_set_string(policy, "id", reference_values_id(values));
    js_set_integer(policy, "serial", (int64_t) reference_values_serial(values));
    js_set(claims, "policy", policy);
}

int verify_policy_judge(const struct verify_type *type, struct verify_input *input,
                        struct evidence_verdict *ret)
{
    const struct reference_values *values = input->reference;
    char text[DATE_SIZE];

    date_print(reference_values_not_after(values), text);
    if (input->time > reference_values_not_after(values))
        return evidence_fail_field(ret, APPRAISAL_POLICY, "not_after",
                                   "the reference values '%s' have expired on %s",
                                   reference_values_id(values), text);
    if (!type->choose(input))
        return evidence_fail_field(ret, APPRAISAL_POLICY, "type",
                                   "the reference values '%s' have no section for type %s",
                                   reference_values_id(values), type->name);
    return 0;
}

int verify_policy_allows(const struct verify_input *input, const char *setting, const char *own,
                         struct error *err)
{
    if (!input->reference || text_starts(setting, own))
        return 0;
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "--set %s: with --policy the file says it; only %s is of one appraisal",
                     setting, own);
}
