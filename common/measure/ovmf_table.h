/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The table of GUIDs at the end of an OVMF image, by which the firmware tells the VMM where its
 * reset vector, its SEV and its TDX metadata are. It grows downwards from 32 bytes before the end
 * of the image (behind it is the reset vector itself). The image is the word of whoever hands it
 * over: whatever does not fit is refused, because a VMM that reads it otherwise would measure
 * something else than is told here. */
#include <stddef.h>
#include <stdint.h>

struct error;

enum { OVMF_SIZE_MAX = 16 * 1024 * 1024 };

enum ovmf_entry {
    OVMF_RESET_BLOCK,  /* where the other processors of an SEV guest start */
    OVMF_HASH_TABLE,   /* where the hashes of kernel, initrd and command line go */
    OVMF_SEV_METADATA, /* its distance from the end of the image */
    OVMF_TDX_METADATA, /* likewise */
    OVMF_ENTRIES,
};

struct ovmf_table { /* borrows the image */
    const uint8_t *image;
    size_t size;
    struct {
        const uint8_t *data; /* NULL: the firmware has no such entry */
        size_t size;
    } entries[OVMF_ENTRIES];
};

int ovmf_table_open(struct ovmf_table *ret, const void *image, size_t size, struct error *err)
    __attribute__((warn_unused_result));
/* The place in the image that an entry tells by its distance from the end; at least `need` bytes
 * are there. */
int ovmf_table_place(const struct ovmf_table *table, enum ovmf_entry entry, size_t need,
                     size_t *ret_at, struct error *err) __attribute__((warn_unused_result));
