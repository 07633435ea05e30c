/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"

enum { VERSION_MAX = 32 };

/* It is printed. */
static bool is_version(const char *text)
{
    size_t length = strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz.+~-");

    return length > 0 && length <= VERSION_MAX && !text[length];
}

int api_choose(const struct api_range *tenant, const char *tenant_version, uint32_t *ret,
               struct error *err)
{
    struct api_range ours = api_spoken(), theirs = *tenant;
    uint32_t highest;

    if (theirs.min == 0 && theirs.max == 0)
        theirs = (struct api_range){1, 1};
    if (theirs.min == 0 || theirs.min > theirs.max)
        return error_set(err, STATUS_INVALID_ARGUMENT, "API %u to %u is no range", theirs.min,
                         theirs.max);
    highest = ours.max < theirs.max ? ours.max : theirs.max;
    if (highest < ours.min || highest < theirs.min)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "the guest's agent (" CLEAVE_VERSION ") speaks API %u to %u, the tenant "
                         "%u to %u: use a guest image of the tenant's release%s%s",
                         ours.min, ours.max, theirs.min, theirs.max,
                         is_version(tenant_version) ? ", " : "",
                         is_version(tenant_version) ? tenant_version : "");
    *ret = highest;
    return 0;
}
