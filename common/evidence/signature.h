/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* ECDSA over bytes as hardware writes them: no ASN.1, no allocation that a peer sizes. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum signature_curve { SIGNATURE_P256, SIGNATURE_P384 };

enum { SIGNATURE_COORDINATE_MAX = 48 };

/* Numbers are big-endian, each as long as the curve's: 32 or 48 bytes. The hash is SHA-256 with
 * P-256 and SHA-384 with P-384. */
struct signature {
    enum signature_curve curve;
    const uint8_t *point; /* x || y */
    const uint8_t *rs;    /* r || s */
    const uint8_t *hash;
};

size_t signature_coordinate_size(enum signature_curve curve);
/* False, too, for a point that is not on the curve and for r or s out of range. */
bool signature_is_valid(const struct signature *signature);
