/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Firmware files for which the launch digests that are calculated here were held against those of
 * other people's programs. None was held against hardware. */
#include <stddef.h>
#include <stdint.h>

struct known_firmware {
    const char *digest; /* SHA-256 of the file */
    const char *snp;    /* with what its SNP launch digests were compared; NULL: with nothing */
    const char *mrtd;   /* likewise its MRTD */
};

/* NULL: nobody has looked at that file. */
const struct known_firmware *known_firmware_find(const uint8_t *image, size_t size);
