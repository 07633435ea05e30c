/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/library.h"

#include <stddef.h>

#include <mbedtls/version.h>

#include "base/scoped.h"

_Static_assert((MBEDTLS_VERSION_NUMBER >= 0x021C0000 && MBEDTLS_VERSION_NUMBER < 0x03000000) ||
                   (MBEDTLS_VERSION_NUMBER >= 0x03060600 && MBEDTLS_VERSION_NUMBER < 0x04000000),
               "mbedTLS 2.28, or 3.6 from 3.6.6 on");

static const struct {
    const char *id;
    uint32_t from, fixed;
} advisories[] = {
    {"CVE-2025-27809", 0, 0x021C0A00},
    {"CVE-2025-27810", 0, 0x021C0A00},
    {"CVE-2026-25832", 0x03050000, 0x03060700},
    {"CVE-2026-54435", 0, 0x03060700},
};

void library_version(char ret[LIBRARY_VERSION_SIZE])
{
    mbedtls_version_get_string(ret);
}

uint16_t library_tls_version(void)
{
    return MBEDTLS_VERSION_MAJOR >= 3 ? 0x0304 : 0x0303;
}

const char *library_advisory(unsigned index)
{
    uint32_t version = mbedtls_version_get_number();

    for (size_t i = 0; i < ARRAY_LENGTH(advisories); i++)
        if (version >= advisories[i].from && version < advisories[i].fixed && index-- == 0)
            return advisories[i].id;
    return NULL;
}
