/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

uint64_t clock_monotonic_ms(void); /* CLOCK_BOOTTIME: counts suspend */
uint64_t clock_monotonic_ns(void);
int64_t clock_wall_ns(void); /* since the epoch */
