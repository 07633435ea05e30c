/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

static int64_t now_ns(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) < 0)
        abort();
    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

uint64_t clock_monotonic_ms(void)
{
    return clock_monotonic_ns() / 1000000;
}

uint64_t clock_monotonic_ns(void)
{
    return (uint64_t) now_ns(CLOCK_BOOTTIME);
}

int64_t clock_wall_ns(void)
{
    return now_ns(CLOCK_REALTIME);
}
