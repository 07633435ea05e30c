/* SPDX-License-Identifier: Apache-2.0 */
/* The member "tcb_min" of the section "snp": by product, the components that it has. */
#include "base/error.h"
#include "evidence/reference_section.h"

static int read_component(const struct js *value, uint8_t *ret, struct error *err)
{
    uint64_t number;

    if (reference_read_number(value, UINT8_MAX, &number, err) < 0)
        return -1;
    *ret = (uint8_t) number;
    return 0;
}

static int read_fmc(const struct reference_target *target, const struct js *value,
                    struct error *err)
{
    return read_component(value, &((struct snp_tcb *) target->to)->fmc, err);
}

static int read_bootloader(const struct reference_target *target, const struct js *value,
                           struct error *err)
{
    return read_component(value, &((struct snp_tcb *) target->to)->bootloader, err);
}

static int read_tee(const struct reference_target *target, const struct js *value,
                    struct error *err)
{
    return read_component(value, &((struct snp_tcb *) target->to)->tee, err);
}

static int read_snp(const struct reference_target *target, const struct js *value,
                    struct error *err)
{
    return read_component(value, &((struct snp_tcb *) target->to)->snp, err);
}

static int read_microcode(const struct reference_target *target, const struct js *value,
                          struct error *err)
{
    return read_component(value, &((struct snp_tcb *) target->to)->microcode, err);
}

static const struct reference_member components[] = {
    {"bootloader", read_bootloader, true}, {"tee", read_tee, true}, {"snp", read_snp, true},
    {"microcode", read_microcode, true},   {"fmc", read_fmc, true}, /* last: only a Turin has it */
};

static int read_floor(const struct reference_target *target, const struct js *value,
                      enum snp_product product, struct error *err)
{
    struct snp_policy *policy = target->to;
    const struct reference_target tcb = {target->arena, &policy->tcb_min[product]};
    const struct reference_members members = {components, ARRAY_LENGTH(components) -
                                                              (product == SNP_TURIN ? 0 : 1)};

    return reference_read_members(value, &members, &tcb, err);
}

static int read_milan(const struct reference_target *target, const struct js *value,
                      struct error *err)
{
    return read_floor(target, value, SNP_MILAN, err);
}

static int read_genoa(const struct reference_target *target, const struct js *value,
                      struct error *err)
{
    return read_floor(target, value, SNP_GENOA, err);
}

static int read_turin(const struct reference_target *target, const struct js *value,
                      struct error *err)
{
    return read_floor(target, value, SNP_TURIN, err);
}

int reference_tcb_read(const struct reference_target *target, const struct js *value,
                       struct error *err)
{
    static const struct reference_member products[] = {
        {"Milan", read_milan, false},
        {"Genoa", read_genoa, false},
        {"Turin", read_turin, false},
    };
    static const struct reference_members members = {products, ARRAY_LENGTH(products)};

    return reference_read_members(value, &members, target, err);
}
