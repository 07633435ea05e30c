/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/tdx_policy.h"

#include <string.h>

static const struct tdx_bits strict = {
    .mask = ~(TDX_ATTRIBUTE_PKS | TDX_ATTRIBUTE_KEY_LOCKER),
    .value = TDX_ATTRIBUTE_SEPT_VE_DISABLE,
};

static bool is_zero(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i])
            return false;
    return true;
}

static int check_firmware(const struct tdx_body *body, const struct tdx_policy *policy,
                          struct evidence_verdict *verdict)
{
    for (size_t i = 0; policy->svn_floor && i < TDX_SVN_SIZE; i++)
        if (body->tee_tcb_svn[i] < policy->svn_floor[i])
            return evidence_fail_field(verdict, APPRAISAL_TCB, "tee_tcb_svn",
                                       "tee_tcb_svn[%zu] is %u, less than %u", i,
                                       body->tee_tcb_svn[i], policy->svn_floor[i]);
    if (!is_zero(body->mr_signer_seam, TDX_MEASUREMENT_SIZE))
        return evidence_fail_field(verdict, APPRAISAL_ATTRIBUTES, "mr_signer_seam",
                                   "mr_signer_seam is not zero: the TDX module is not Intel's");
    if (!is_zero(body->seam_attributes, 8))
        return evidence_fail_field(verdict, APPRAISAL_ATTRIBUTES, "seam_attributes",
                                   "seam_attributes is not zero: a TDX module under debug");
    return 0;
}

static int check_bits(uint64_t found, const struct tdx_bits *bits, const char *field,
                      struct evidence_verdict *verdict)
{
    if ((found & bits->mask) == bits->value)
        return 0;
    return evidence_fail_field(verdict, APPRAISAL_ATTRIBUTES, field,
                               "%s is 0x%016llx; under the mask 0x%016llx it must be 0x%016llx",
                               field, (unsigned long long) found, (unsigned long long) bits->mask,
                               (unsigned long long) bits->value);
}

static int check_attributes(const struct tdx_body *body, const struct tdx_policy *policy,
                            struct evidence_verdict *verdict)
{
    if (body->td_attributes & TDX_ATTRIBUTES_TUD)
        return evidence_fail_field(verdict, APPRAISAL_ATTRIBUTES, "debug",
                                   "td_attributes: the TD is under debug, its host can read it");
    if (check_bits(body->td_attributes, policy->attributes ? policy->attributes : &strict,
                   "td_attributes", verdict) < 0)
        return -1;
    return policy->xfam ? check_bits(body->xfam, policy->xfam, "xfam", verdict) : 0;
}

static int check_set(const uint8_t *found, const struct tdx_values *set, const char *field,
                     struct evidence_verdict *verdict)
{
    for (size_t i = 0; i < set->count; i++)
        if (memcmp(found, set->values[i], TDX_MEASUREMENT_SIZE) == 0)
            return 0;
    return evidence_fail_field(verdict, APPRAISAL_MEASUREMENT, field,
                               "%s is not one of the %zu reference values", field, set->count);
}

/* Where policy wants a field that this kind of body does not have, it is not as wanted. */
static int check_exact(const uint8_t *found, const uint8_t *wanted, const char *field,
                       struct evidence_verdict *verdict)
{
    if (!wanted || (found && memcmp(found, wanted, TDX_MEASUREMENT_SIZE) == 0))
        return 0;
    return evidence_fail_field(verdict, APPRAISAL_MEASUREMENT, field, "%s is %s", field,
                               found ? "not the expected one" : "not part of a TDX 1.0 body");
}

/* A service TD that is bound has a say in what becomes of this one. */
static int check_service_td(const struct tdx_body *body, const struct tdx_policy *policy,
                            struct evidence_verdict *verdict)
{
    if (policy->mr_service_td)
        return check_exact(body->mr_service_td, policy->mr_service_td, "mr_service_td", verdict);
    if (policy->skip & TDX_SKIP_MR_SERVICE_TD || !body->mr_service_td ||
        is_zero(body->mr_service_td, TDX_MEASUREMENT_SIZE))
        return 0;
    return evidence_fail_field(verdict, APPRAISAL_MEASUREMENT, "mr_service_td",
                               "mr_service_td is not zero: a service TD is bound");
}

static int check_measurements(const struct tdx_body *body, const struct tdx_policy *policy,
                              struct evidence_verdict *verdict)
{
    static const char *const names[TDX_RTMRS] = {"rtmr0", "rtmr1", "rtmr2", "rtmr3"};

    if (policy->mr_seam.count && check_set(body->mr_seam, &policy->mr_seam, "mr_seam", verdict) < 0)
        return -1;
    if (!(policy->skip & TDX_SKIP_MR_TD) &&
        check_set(body->mr_td, &policy->mr_td, "mr_td", verdict) < 0)
        return -1;
    for (size_t i = 0; i < TDX_RTMRS; i++)
        if (policy->rtmr[i].count &&
            check_set(body->rtmr[i], &policy->rtmr[i], names[i], verdict) < 0)
            return -1;
    if (check_exact(body->mr_owner, policy->mr_owner, "mr_owner", verdict) < 0 ||
        check_exact(body->mr_owner_config, policy->mr_owner_config, "mr_owner_config", verdict) < 0)
        return -1;
    return check_service_td(body, policy, verdict);
}

static int check_content(const struct tdx_body *body, const struct tdx_policy *policy,
                         struct evidence_verdict *verdict)
{
    static const uint8_t zero[TDX_MEASUREMENT_SIZE];
    const uint8_t *config = policy->mr_config_id ? policy->mr_config_id : zero;

    if (!(policy->skip & TDX_SKIP_MR_CONFIG_ID) &&
        memcmp(body->mr_config_id, config, TDX_MEASUREMENT_SIZE) != 0)
        return evidence_fail_field(verdict, APPRAISAL_HARDWARE_INITDATA, "mr_config_id",
                                   "mr_config_id is not %s",
                                   policy->mr_config_id ? "the expected one" : "zero");
    if (policy->report_data &&
        memcmp(body->report_data, policy->report_data, TDX_REPORT_DATA_SIZE) == 0)
        return 0;
    memcpy(verdict->signed_digest, body->report_data, TDX_REPORT_DATA_SIZE);
    verdict->signed_digest_size = TDX_REPORT_DATA_SIZE;
    return evidence_fail_field(verdict, APPRAISAL_REPORT_DATA, "report_data",
                               "report_data is not the expected one");
}

static bool listed(const uint8_t *found, const void *list, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(found, (const uint8_t *) list + i * size, size) == 0)
            return true;
    return false;
}

static bool chip_listed(const struct tdx_policy *policy, const struct sgx_pck *pck)
{
    return (pck->has_ppid && listed(pck->ppid, policy->chips, policy->chip_count, SGX_CHIP_SIZE)) ||
           (pck->has_instance &&
            listed(pck->instance, policy->chips, policy->chip_count, SGX_CHIP_SIZE));
}

int tdx_policy_hardware(const struct sgx_pck *pck, const struct tdx_policy *policy,
                        struct evidence_verdict *verdict)
{
    if (policy->fmspc_count &&
        !listed(pck->fmspc, policy->fmspc, policy->fmspc_count, SGX_FMSPC_SIZE))
        return evidence_fail_field(verdict, APPRAISAL_HARDWARE, "fmspc",
                                   "fmspc of certificate PCK is not on the allow-list");
    if (policy->chip_count && !chip_listed(policy, pck))
        return evidence_fail_field(verdict, APPRAISAL_HARDWARE, "ppid",
                                   "neither ppid nor platform instance of certificate PCK is on "
                                   "the allow-list");
    return 0;
}

int tdx_policy_check(const struct tdx_body *body, const struct tdx_policy *policy,
                     struct evidence_verdict *verdict)
{
    if (check_firmware(body, policy, verdict) < 0 || check_attributes(body, policy, verdict) < 0 ||
        check_measurements(body, policy, verdict) < 0)
        return -1;
    return check_content(body, policy, verdict);
}
