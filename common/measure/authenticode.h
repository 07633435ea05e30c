/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The digest by which firmware measures a PE image: of all of it but for the checksum, the entry of
 * the certificate table and the certificates, sections in the order of the file. */
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct error;

int authenticode_digest(const uint8_t *image, size_t size, enum digest_type type, uint8_t *ret,
                        struct error *err) __attribute__((warn_unused_result));
