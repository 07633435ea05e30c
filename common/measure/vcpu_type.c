/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/vcpu_type.h"

#include <stddef.h>
#include <string.h>

#include "base/scoped.h"
#include "base/text.h"

static const struct {
    const char *name;
    uint8_t family, model, stepping;
} types[] = {
    {"EPYC", 23, 1, 2},       {"EPYC-IBPB", 23, 1, 2},   {"EPYC-Rome", 23, 49, 0},
    {"EPYC-Milan", 25, 1, 1}, {"EPYC-Genoa", 25, 17, 0}, {"EPYC-Turin", 26, 0, 0},
};

/* AMD's manual 25481: what does not fit into 4 bits of family or model goes into the extended
 * fields; the family is the sum of both. */
static uint32_t signature(uint32_t family, uint32_t model, uint32_t stepping)
{
    uint32_t base = family > 15 ? 15 : family;

    return (family - base) << 20 | (model >> 4) << 16 | base << 8 | (model & 15) << 4 | stepping;
}

/* A version of a model differs in features, never in its signature. */
static bool is_version(const char *text)
{
    return *text == '\0' ||
           (text_starts(text, "-v") && text[2] >= '1' && text[2] <= '9' && text[3] == '\0');
}

bool vcpu_type_signature(const char *name, uint32_t *ret)
{
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        if (!text_starts(name, types[i].name) || !is_version(name + strlen(types[i].name)))
            continue;
        *ret = signature(types[i].family, types[i].model, types[i].stepping);
        return true;
    }
    return false;
}

const char *vcpu_type_name(unsigned n)
{
    return n < ARRAY_LENGTH(types) ? types[n].name : NULL;
}
