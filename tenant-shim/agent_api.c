/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_api.h"

#include <string.h>

#include "base/error.h"

int agent_api_check(uint32_t chosen, const char *version, struct error *err)
{
    if (chosen == 0)
        chosen = 1;
    if (chosen >= AGENT_API_MIN && chosen <= AGENT_API_MAX)
        return 0;
    return error_set(err, STATUS_FAILED_PRECONDITION,
                     "the guest's agent (%.32s) speaks API %u, this shim (" CLEAVE_VERSION
                     ") %d to %d: use a guest image of release " CLEAVE_VERSION,
                     version && *version ? version : "of an unknown release", chosen, AGENT_API_MIN,
                     AGENT_API_MAX);
}
