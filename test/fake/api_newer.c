/* SPDX-License-Identifier: Apache-2.0 */
/* The agent of a release to come, which still speaks today's number. */
#include "api.h"

struct api_range api_spoken(void)
{
    return (struct api_range){.min = 1, .max = 2};
}
