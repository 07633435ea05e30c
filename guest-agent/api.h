/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which numbers of agent.proto this agent speaks, and which one it speaks with a tenant. */
#include <stdint.h>

struct error;

struct api_range {
    uint32_t min, max; /* 0: said by nobody, which was release 0.1.0, which spoke 1 */
};

/* The one place to change when agent.proto changes (see there how). */
struct api_range api_spoken(void);
/* The highest number that both speak. FAILED_PRECONDITION names both ranges and what to do;
 * tenant_version is for that sentence, and may be "". */
int api_choose(const struct api_range *tenant, const char *tenant_version, uint32_t *ret,
               struct error *err) __attribute__((warn_unused_result));
