/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/kernel_version.h"

#include <string.h>

#include "measure/le.h"

/* Linux's boot protocol: the text lies that far behind the first sector. */
enum { MAGIC_AT = 0x202, VERSION_AT = 0x20e, SECTOR = 0x200, DIGITS_MAX = 3 };

/* Up to three digits and what ends them; what follows, NULL: there are none. */
static const uint8_t *read_number(const uint8_t *at, const uint8_t *end, unsigned *ret)
{
    const uint8_t *start = at;

    for (*ret = 0; at < end && at - start < DIGITS_MAX && *at >= '0' && *at <= '9'; at++)
        *ret = *ret * 10 + (unsigned) (*at - '0');
    return at > start ? at : NULL;
}

bool kernel_version_read(const uint8_t *kernel, size_t size, struct kernel_version *ret)
{
    const uint8_t *at, *end = kernel + size;
    struct kernel_version version;
    size_t offset;

    if (size < VERSION_AT + 2 || memcmp(kernel + MAGIC_AT, "HdrS", 4) != 0)
        return false;
    offset = le_u16(kernel + VERSION_AT);
    if (offset == 0 || SECTOR + offset >= size)
        return false;
    at = read_number(kernel + SECTOR + offset, end, &version.major);
    if (!at || at == end || *at != '.')
        return false;
    at = read_number(at + 1, end, &version.minor);
    if (!at || at == end || (*at >= '0' && *at <= '9'))
        return false;
    *ret = version;
    return true;
}
