/* SPDX-License-Identifier: Apache-2.0 */
#include "phase.h"

#include "base/error.h"
#include "base/scoped.h"

static const char *const names[PHASE_COUNT] = {
    [PHASE_BOOTED] = "booted", [PHASE_ATTESTED] = "attested", [PHASE_OPEN] = "open",
    [PHASE_SEALED] = "sealed", [PHASE_DRAINING] = "draining",
};

static const unsigned reached_from[PHASE_COUNT] = {
    [PHASE_ATTESTED] = BIT(PHASE_BOOTED),
    [PHASE_OPEN] = BIT(PHASE_ATTESTED),
    [PHASE_SEALED] = BIT(PHASE_ATTESTED),
    [PHASE_DRAINING] = BIT(PHASE_BOOTED) | BIT(PHASE_ATTESTED) | BIT(PHASE_OPEN) |
                       BIT(PHASE_SEALED),
};

const char *phase_name(enum phase phase)
{
    return names[phase];
}

bool phase_may_run(enum phase phase)
{
    return phase == PHASE_OPEN || phase == PHASE_SEALED;
}

int phase_advance(enum phase *phase, enum phase to, struct error *err)
{
    if (!(reached_from[to] & BIT(*phase)))
        return error_set(err, STATUS_FAILED_PRECONDITION, "a guest that is %s cannot become %s",
                         names[*phase], names[to]);
    *phase = to;
    return 0;
}
