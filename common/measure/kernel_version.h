/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The version that a bzImage says it is. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kernel_version {
    unsigned major, minor;
};

/* false: it is no bzImage, or says nothing. */
bool kernel_version_read(const uint8_t *kernel, size_t size, struct kernel_version *ret);
static inline bool kernel_version_reaches(const struct kernel_version *version, unsigned major,
                                          unsigned minor)
{
    return version->major > major || (version->major == major && version->minor >= minor);
}
