/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

/* From getrandom(2), blocking until seeded; aborts if the kernel refuses. */
void random_bytes(void *to, size_t length);
