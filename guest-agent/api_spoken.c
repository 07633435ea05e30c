/* SPDX-License-Identifier: Apache-2.0 */
/* A file of its own, so that a test can link an agent of another release. */
#include "api.h"

struct api_range api_spoken(void)
{
    return (struct api_range){.min = 1, .max = 1};
}
