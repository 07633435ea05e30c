/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/tdx_status.h"

#include "base/scoped.h"
#include "base/text.h"

/* A status is a set of needs; two parts together need what either needs. */
enum { HARDENING = BIT(0), CONFIGURATION = BIT(1), UPDATE = BIT(2), REPLACEMENT = BIT(3) };

static const struct {
    const char *name;
    unsigned needs;
} statuses[TDX_STATUSES] = {
    [TDX_UNCHECKED] = {"Unchecked", 0},
    [TDX_UP_TO_DATE] = {"UpToDate", 0},
    [TDX_SW_HARDENING_NEEDED] = {"SWHardeningNeeded", HARDENING},
    [TDX_CONFIGURATION_NEEDED] = {"ConfigurationNeeded", CONFIGURATION},
    [TDX_CONFIGURATION_AND_SW_HARDENING_NEEDED] = {"ConfigurationAndSWHardeningNeeded",
                                                   CONFIGURATION | HARDENING},
    [TDX_OUT_OF_DATE] = {"OutOfDate", UPDATE},
    [TDX_OUT_OF_DATE_CONFIGURATION_NEEDED] = {"OutOfDateConfigurationNeeded",
                                              UPDATE | CONFIGURATION},
    [TDX_REVOKED] = {"Revoked", REPLACEMENT},
};

const char *tdx_status_name(enum tdx_status status)
{
    return (size_t) status < TDX_STATUSES ? statuses[status].name : "unknown";
}

enum tdx_status tdx_status_find(const char *name)
{
    for (size_t i = TDX_UP_TO_DATE; i < TDX_STATUSES; i++)
        if (text_equal(statuses[i].name, name))
            return (enum tdx_status) i;
    return TDX_UNCHECKED;
}

enum tdx_status tdx_status_join(enum tdx_status a, enum tdx_status b)
{
    unsigned needs = statuses[a].needs | statuses[b].needs;

    if (a == TDX_UNCHECKED || b == TDX_UNCHECKED)
        return TDX_UNCHECKED;
    if (needs & REPLACEMENT)
        return TDX_REVOKED;
    if (needs & UPDATE) /* there is no name for an old platform that needs hardening, too */
        needs &= ~(unsigned) HARDENING;
    for (size_t i = TDX_UP_TO_DATE; i < TDX_STATUSES; i++)
        if (statuses[i].needs == needs)
            return (enum tdx_status) i;
    return TDX_REVOKED; /* every other set has a name */
}
