/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The one version of TLS of this build. */
#include <mbedtls/version.h>

enum { TLS_OF_THIS_BUILD = MBEDTLS_VERSION_MAJOR >= 3 ? 0x0304 : 0x0303 };
