/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/json.h"
#include "evidence/evidence.h"
#include "evidence/finding.h"
#include "evidence/registers.h"
#include "verify.h"

void verify_set_finding(struct evidence_verdict *verdict, const struct finding *finding)
{
    if (finding->code == FINDING_NONE)
        verdict->failed = APPRAISAL_OK;
    else
        (void) evidence_fail_field(verdict, finding_check(finding->code),
                                   finding_name(finding->code), "%s", finding->text);
}

void verify_claim_registers(const struct registers *registers, struct js *claims)
{
    struct js *object = js_new_object();

    for (unsigned i = 0; i < registers_count(registers->kind); i++) {
        char key[4];

        if (!(registers->set & BIT(i)))
            continue;
        snprintf(key, sizeof(key), "%u", i);
        verify_claim_hex(object, key, registers->values[i], registers_size(registers->type));
    }
    js_set(claims, registers->kind == REGISTERS_PCR ? "pcrs" : "rtmrs", object);
}
