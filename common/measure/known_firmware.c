/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/known_firmware.h"

#include "base/digest.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "base/text.h"

#define SNP_BY  "the program sev-snp-measure 0.0.13 for "
#define MRTD_BY "the program gce-tcb-verifier, commit 74582c0, for "

#define BOOKWORM "Debian's ovmf 2022.11-6+deb12u2, OVMF.fd"
#define TRIXIE   "Debian's ovmf 2025.02-8+deb13u1, OVMF.fd"
#define AMDSEV   "Debian's ovmf-amdsev 2026.08+ds-2, OVMF.amdsev.fd"
#define INTELTDX "Debian's ovmf-inteltdx 2026.08+ds-2, OVMF.inteltdx.ms.fd"

static const struct known_firmware known[] = {
    {"7b456907dd0786d415999e801a1ac4637b8ed4d7cf5378cfc6edbe5e574dd773", SNP_BY BOOKWORM,
     MRTD_BY BOOKWORM},
    {"14954040cc754ade0c625ac3470ea46d4c14318b5b1396de4ef77090203d76db", SNP_BY TRIXIE,
     MRTD_BY TRIXIE},
    {"3e4fd0b3fe3b2dbe481c3d9e99418a034174f26cbe1f55aa212b0f18c12d2d6f", SNP_BY AMDSEV, NULL},
    {"a265075b4147a096109e501e76196df1ec8a18659c26f7401492c597ec88f312", NULL, MRTD_BY INTELTDX},
};

const struct known_firmware *known_firmware_find(const uint8_t *image, size_t size)
{
    uint8_t digest[SHA256_SIZE];
    char text[2 * SHA256_SIZE + 1];

    digest_sha256(image, size, digest);
    hex_encode(digest, sizeof(digest), text);
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
        if (text_equal(known[i].digest, text))
            return &known[i];
    return NULL;
}
