/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The firmware volumes that are packed inside of an OVMF file (PEI's and DXE's), which the firmware
 * unpacks into memory and measures. Outer volume, file, GUIDed section, LZMA, volume images. */
#include <stddef.h>
#include <stdint.h>

struct error;

enum { FIRMWARE_VOLUMES_MAX = 4, FIRMWARE_UNPACKED_MAX = 64 * 1024 * 1024 };

struct firmware_volumes {
    size_t count; /* at least 1 */
    struct {
        uint8_t *data; /* inside of `unpacked` */
        size_t size;
    } items[FIRMWARE_VOLUMES_MAX];
    uint8_t *unpacked;
};

/* The caller ends *ret. */
int firmware_volumes_unpack(const uint8_t *firmware, size_t size, struct firmware_volumes *ret,
                            struct error *err) __attribute__((warn_unused_result));
void firmware_volumes_fini(struct firmware_volumes *volumes);
