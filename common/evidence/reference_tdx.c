/* SPDX-License-Identifier: Apache-2.0 */
/* The section "tdx": what a policy for quotes of TDX can ask for. */
#include "base/bytes.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "evidence/reference_section.h"

static int read_values(const struct reference_target *target, const struct js *value,
                       enum reference_zero zero, struct tdx_values *ret, struct error *err)
{
    struct reference_list list = {.size = TDX_MEASUREMENT_SIZE, .zero = zero};

    if (reference_read_list(value, target->arena, &list, err) < 0)
        return -1;
    *ret = (struct tdx_values){(const uint8_t(*)[TDX_MEASUREMENT_SIZE]) list.values, list.count};
    return 0;
}

static int read_mr_td(const struct reference_target *target, const struct js *value,
                      struct error *err)
{
    struct tdx_policy *policy = target->to;

    return read_values(target, value, REFERENCE_NO_ZERO, &policy->mr_td, err);
}

static int read_mr_seam(const struct reference_target *target, const struct js *value,
                        struct error *err)
{
    struct tdx_policy *policy = target->to;

    return read_values(target, value, REFERENCE_NO_ZERO, &policy->mr_seam, err);
}

/* ---- RTMRs: a list, "any", or not named: then it must be untouched ----------------------------
 */

struct rtmrs {
    const struct reference_target *target;
    struct tdx_policy *policy;
};

static int read_rtmr(void *user, const char *key, struct js *value, struct error *err)
{
    const struct rtmrs *rtmrs = user;
    struct tdx_values *values;

    if (key[0] < '0' || key[0] >= '0' + TDX_RTMRS || key[1])
        return error_set(err, STATUS_INVALID_ARGUMENT, "there is no RTMR '%s'", key);
    values = &rtmrs->policy->rtmr[key[0] - '0'];
    *values = (struct tdx_values){0};
    if (text_equal(js_string(value), "any"))
        return 0;
    if (read_values(rtmrs->target, value, REFERENCE_ZERO, values, err) < 0)
        return error_wrap(err, "%s", key);
    return 0;
}

static int read_rtmrs(const struct reference_target *target, const struct js *value,
                      struct error *err)
{
    static const uint8_t zero[1][TDX_MEASUREMENT_SIZE];
    struct rtmrs rtmrs = {target, target->to};

    if (js_type(value) != JS_OBJECT)
        return reference_error(err, "an object");
    for (size_t i = 0; i < TDX_RTMRS; i++)
        rtmrs.policy->rtmr[i] = (struct tdx_values){zero, 1};
    return js_each(value, read_rtmr, &rtmrs, err);
}

/* ---- bits ------------------------------------------------------------------------------------ */

static int read_bits_of(const struct js *value, uint64_t *ret, struct error *err)
{
    uint8_t bytes[8];
    struct reader reader;

    if (reference_read_hex(value, bytes, sizeof(bytes), err) < 0)
        return -1;
    reader_init(&reader, bytes, sizeof(bytes));
    *ret = reader_u64(&reader);
    return 0;
}

static int read_mask(const struct reference_target *target, const struct js *value,
                     struct error *err)
{
    return read_bits_of(value, &((struct tdx_bits *) target->to)->mask, err);
}

static int read_value(const struct reference_target *target, const struct js *value,
                      struct error *err)
{
    return read_bits_of(value, &((struct tdx_bits *) target->to)->value, err);
}

static int read_bits(const struct reference_target *target, const struct js *value,
                     const struct tdx_bits **ret, struct error *err)
{
    static const struct reference_member both[] = {{"mask", read_mask, true},
                                                   {"value", read_value, true}};
    static const struct reference_members members = {both, ARRAY_LENGTH(both)};
    struct tdx_bits *bits = reference_keep(target->arena, sizeof(*bits));

    if (reference_read_members(value, &members, &(struct reference_target){target->arena, bits},
                               err) < 0)
        return -1;
    if (bits->value & ~bits->mask)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a bit of value is not in mask");
    *ret = bits;
    return 0;
}

static int read_attributes(const struct reference_target *target, const struct js *value,
                           struct error *err)
{
    struct tdx_policy *policy = target->to;

    if (read_bits(target, value, &policy->attributes, err) < 0)
        return -1;
    if (policy->attributes->value & TDX_ATTRIBUTES_TUD)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "value: debug (bits 0 to 7) cannot be allowed: the host could read the "
                         "guest");
    return 0;
}

static int read_xfam(const struct reference_target *target, const struct js *value,
                     struct error *err)
{
    struct tdx_policy *policy = target->to;

    return read_bits(target, value, &policy->xfam, err);
}

/* ---- the platform ---------------------------------------------------------------------------- */

static int read_fmspc(const struct reference_target *target, const struct js *value,
                      struct error *err)
{
    struct reference_list list = {.size = SGX_FMSPC_SIZE};
    struct tdx_policy *policy = target->to;

    if (reference_read_list(value, target->arena, &list, err) < 0)
        return -1;
    policy->fmspc = (const uint8_t(*)[SGX_FMSPC_SIZE]) list.values;
    policy->fmspc_count = list.count;
    return 0;
}

static int read_chips(const struct reference_target *target, const struct js *value,
                      struct error *err)
{
    struct reference_list list = {.size = SGX_CHIP_SIZE};
    struct tdx_policy *policy = target->to;

    if (reference_read_list(value, target->arena, &list, err) < 0)
        return -1;
    policy->chips = (const uint8_t(*)[SGX_CHIP_SIZE]) list.values;
    policy->chip_count = list.count;
    return 0;
}

static int read_status(const struct reference_target *target, const struct js *value,
                       struct error *err)
{
    struct tdx_policy *policy = target->to;

    if (js_type(value) != JS_ARRAY || !js_length(value))
        return reference_error(err, "a list of TCB statuses");
    for (size_t i = 0; i < js_length(value); i++) {
        const char *name = js_string(js_at(value, i));
        enum tdx_status status = name ? tdx_status_find(name) : TDX_UNCHECKED;

        if (status == TDX_UNCHECKED || status == TDX_REVOKED)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "[%zu]: no status that can be accepted, like SWHardeningNeeded", i);
        policy->also_accepted |= BIT(status);
    }
    if (!(policy->also_accepted & BIT(TDX_UP_TO_DATE)))
        return error_set(err, STATUS_INVALID_ARGUMENT, "UpToDate has to be one of them");
    return 0;
}

static int read_collateral(const struct reference_target *target, const struct js *value,
                           struct error *err)
{
    static const char *const words[2] = {
        [TDX_COLLATERAL_IF_GIVEN] = "if-given", [TDX_COLLATERAL_REQUIRED] = "required"};
    struct tdx_policy *policy = target->to;
    unsigned need;

    if (reference_read_word(value, words, &need, err) < 0)
        return -1;
    policy->collateral = need;
    return 0;
}

static int read_evaluation(const struct reference_target *target, const struct js *value,
                           struct error *err)
{
    struct tdx_policy *policy = target->to;
    uint64_t number;

    if (reference_read_number(value, UINT32_MAX, &number, err) < 0)
        return -1;
    policy->evaluation_floor = (uint32_t) number;
    return 0;
}

static int read_exact(const struct reference_target *target, const struct js *value, size_t size,
                      const uint8_t **ret, struct error *err)
{
    uint8_t *bytes = reference_keep(target->arena, size);

    *ret = bytes;
    return reference_read_hex(value, bytes, size, err);
}

static int read_svn(const struct reference_target *target, const struct js *value,
                    struct error *err)
{
    struct tdx_policy *policy = target->to;

    return read_exact(target, value, TDX_SVN_SIZE, &policy->svn_floor, err);
}

static int read_owner(const struct reference_target *target, const struct js *value,
                      struct error *err)
{
    struct tdx_policy *policy = target->to;

    return read_exact(target, value, TDX_MEASUREMENT_SIZE, &policy->mr_owner, err);
}

static int read_owner_config(const struct reference_target *target, const struct js *value,
                             struct error *err)
{
    struct tdx_policy *policy = target->to;

    return read_exact(target, value, TDX_MEASUREMENT_SIZE, &policy->mr_owner_config, err);
}

static int read_service_td(const struct reference_target *target, const struct js *value,
                           struct error *err)
{
    struct tdx_policy *policy = target->to;

    return read_exact(target, value, TDX_MEASUREMENT_SIZE, &policy->mr_service_td, err);
}

static const struct reference_member members[] = {
    {"mr_td", read_mr_td, true},
    {"rtmr", read_rtmrs, true},
    {"mr_seam", read_mr_seam, false},
    {"attributes", read_attributes, false},
    {"xfam", read_xfam, false},
    {"fmspc", read_fmspc, false},
    {"chips", read_chips, false},
    {"tcb_status", read_status, false},
    {"collateral", read_collateral, false},
    {"evaluation_min", read_evaluation, false},
    {"svn_min", read_svn, false},
    {"mr_owner", read_owner, false},
    {"mr_owner_config", read_owner_config, false},
    {"mr_service_td", read_service_td, false},
};

int reference_tdx_read(const struct js *section, struct reference_arena *arena,
                       struct tdx_policy *ret, struct error *err)
{
    static const struct reference_members all = {members, ARRAY_LENGTH(members)};
    const struct reference_target target = {arena, ret};

    ret->collateral = TDX_COLLATERAL_REQUIRED;
    return reference_read_members(section, &all, &target, err);
}
