/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which numbers of agent.proto this shim speaks (see there how they are raised). */
#include <stdint.h>
#include "base/scoped.h"

struct error;

enum { AGENT_API_MIN = 1, AGENT_API_MAX = 1 };

/* What the agent chose: 0 is that of release 0.1.0, which said nothing and spoke 1. version is the
 * agent's, for the sentence. */
int agent_api_check(uint32_t chosen, const char *version, struct error *err) must_check;
