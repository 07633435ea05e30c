/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The two small disks with which a host tells a guest who it is and where. Both are hostile input:
 * read once into memory, judged there. A device that carries neither magic is ignored. A third, the
 * scratch disk, is known by its serial number and not read at all. */
#include <stddef.h>
#include <stdint.h>

#include "boot.h"

struct error;

struct disks {
    uint8_t *initdata; /* owned: the bytes between the header and the padding */
    size_t initdata_length;
    uint8_t *network; /* owned: the whole block */
    size_t network_length;
    char *scratch; /* owned: the device; NULL: the host gives none */
};

void disks_fini(struct disks *disks);
/* Adds what one device holds. Anything but "neither magic" or a good, first disk is an error. */
enum boot_code disks_add(struct disks *disks, const char *device, struct error *err);
/* Takes a device for the scratch disk if its serial number says so. */
enum boot_code disks_add_scratch(struct disks *disks, const char *device, const char *serial,
                                 struct error *err);
/* Looks at each virtio block device under /sys/block. */
enum boot_code disks_scan(struct disks *ret, struct error *err);
/* Both are there. */
enum boot_code disks_check(const struct disks *disks, struct error *err);
