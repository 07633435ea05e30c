/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The TLS library that the program runs with, and what is known to be wrong with it: those of the
 * advisories in docs/mbedtls.md that apply to what is used here. */
#include <stdint.h>

enum { LIBRARY_VERSION_SIZE = 32 };

void library_version(char ret[LIBRARY_VERSION_SIZE]); /* "2.28.3" */
/* The one version of TLS of this build, on the wire: 0x0303, 0x0304. */
uint16_t library_tls_version(void);
/* The index-th that applies to the version that is here; NULL: no more. */
const char *library_advisory(unsigned index);
