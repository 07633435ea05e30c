/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A kernel that firmware would start, and a firmware with two packed volumes; as small as can be.
 */
#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#include "measure/le.h"

enum {
    MADE_KERNEL_PE = 0x280,
    MADE_KERNEL_OPTIONAL = MADE_KERNEL_PE + 24,
    MADE_KERNEL_CHECKSUM = MADE_KERNEL_OPTIONAL + 64,
    MADE_KERNEL_DIRECTORY = MADE_KERNEL_OPTIONAL + 112 + 4 * 8,
    MADE_KERNEL_HEADERS = 0x400,
    MADE_KERNEL_SECTION = 0x100,
    MADE_KERNEL_TAIL = 24, /* that no section covers */
    MADE_KERNEL_CERTIFICATES = 40,
    MADE_KERNEL_SIZE = MADE_KERNEL_HEADERS + 2 * MADE_KERNEL_SECTION + MADE_KERNEL_TAIL +
                       MADE_KERNEL_CERTIFICATES,
    MADE_FIRMWARE_SIZE = 16384,
};

/* The sections are listed last first. */
static inline void make_kernel(uint8_t kernel[MADE_KERNEL_SIZE])
{
    uint8_t *sections = kernel + MADE_KERNEL_OPTIONAL + 240;

    for (size_t i = 0; i < MADE_KERNEL_SIZE; i++)
        kernel[i] = (uint8_t) (i * 7 + i / 256);
    memset(kernel, 0, MADE_KERNEL_HEADERS);
    memcpy(kernel, "MZ", 2);
    le_put_u32(kernel + 0x3c, MADE_KERNEL_PE);
    memcpy(kernel + 0x202, "HdrS", 4);
    le_put_u16(kernel + 0x206, 0x20f);
    kernel[0x211] = 1;
    le_put_u32(kernel + 0x22c, 0x7fffffff);
    kernel[0x236] = 2;
    memcpy(kernel + MADE_KERNEL_PE, "PE\0\0", 4);
    le_put_u16(kernel + MADE_KERNEL_PE + 6, 2);
    le_put_u16(kernel + MADE_KERNEL_PE + 20, 240);
    le_put_u16(kernel + MADE_KERNEL_OPTIONAL, 0x20b);
    le_put_u32(kernel + MADE_KERNEL_OPTIONAL + 60, MADE_KERNEL_HEADERS);
    le_put_u32(kernel + MADE_KERNEL_OPTIONAL + 108, 16);
    le_put_u32(kernel + MADE_KERNEL_DIRECTORY, MADE_KERNEL_SIZE - MADE_KERNEL_CERTIFICATES);
    le_put_u32(kernel + MADE_KERNEL_DIRECTORY + 4, MADE_KERNEL_CERTIFICATES);
    for (unsigned i = 0; i < 2; i++) {
        le_put_u32(sections + 40 * i + 16, MADE_KERNEL_SECTION);
        le_put_u32(sections + 40 * i + 20,
                   MADE_KERNEL_HEADERS + (i == 0 ? MADE_KERNEL_SECTION : 0));
    }
}

static inline size_t put_section(uint8_t *to, uint8_t type, const void *body, size_t size)
{
    le_put_u32(to, (uint32_t) (size + 4));
    to[3] = type;
    memcpy(to + 4, body, size);
    return (size + 4 + 3) & ~(size_t) 3;
}

static inline size_t pack_volumes(const char *first, const char *second, uint8_t *to, size_t room)
{
    uint8_t plain[1024] = {0};
    lzma_options_lzma options;
    lzma_stream stream = LZMA_STREAM_INIT;
    size_t size = put_section(plain, 0x19, "pad", 3);

    size += put_section(plain + size, 0x17, first, strlen(first));
    size += put_section(plain + size, 0x19, "padding", 7);
    size += put_section(plain + size, 0x17, second, strlen(second));
    if (lzma_lzma_preset(&options, 1) || lzma_alone_encoder(&stream, &options) != LZMA_OK)
        abort();
    stream.next_in = plain;
    stream.avail_in = size;
    stream.next_out = to;
    stream.avail_out = room;
    if (lzma_code(&stream, LZMA_FINISH) != LZMA_STREAM_END)
        abort();
    room -= stream.avail_out;
    lzma_end(&stream);
    le_put_u64(to + 5, size); /* as EDK II does; the encoder says that it does not know */
    return room;
}

/* Variables, then a volume with one file with one packed section. */
static inline void make_firmware(const char *first, const char *second,
                                 uint8_t firmware[MADE_FIRMWARE_SIZE])
{
    static const uint8_t lzma_guid[16] = {0x98, 0x58, 0x4e, 0xee, 0x14, 0x39, 0x59, 0x42,
                                          0x9d, 0x6e, 0xdc, 0x7b, 0xd7, 0x94, 0x03, 0xcf};
    uint8_t *volume = firmware + 4096, *file = volume + 72, *section = file + 24;
    size_t packed;

    memset(firmware, 0xff, MADE_FIRMWARE_SIZE);
    memset(volume, 0, 72);
    le_put_u64(volume + 32, 8192);
    memcpy(volume + 40, "_FVH", 4);
    le_put_u16(volume + 48, 72);
    packed = pack_volumes(first, second, section + 24, 4096);
    memset(file, 0, 24);
    le_put_u32(file + 20, (uint32_t) (24 + 24 + packed));
    file[18] = 0x0b;
    le_put_u32(section, (uint32_t) (24 + packed));
    section[3] = 0x02;
    memcpy(section + 4, lzma_guid, 16);
    le_put_u16(section + 20, 24);
    le_put_u16(section + 22, 1);
}
