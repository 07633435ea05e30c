/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One name in one directory: not through a symbolic link, not above, whatever the name says. */
#include <stdint.h>
#include <sys/types.h>

/* A descriptor, or a negative errno. */
int beneath_open(int directory, const char *name, uint64_t flags, mode_t mode);
