/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/firmware_volume.h"

#include <stdbool.h>

#include "base/error.h"
#include "base/scoped.h"
#include "measure/le.h"
#include "measure/lzma.h"

/* UEFI's platform initialisation specification, volume 3. */
enum {
    VOLUME_ALIGNMENT = 4096,
    VOLUME_LENGTH_AT = 32,
    VOLUME_SIGNATURE_AT = 40,
    VOLUME_HEADER_LENGTH_AT = 48,
    VOLUME_EXTENDED_AT = 52,
    VOLUME_HEADER_MIN = 56,
    EXTENDED_SIZE_AT = 16,
    FILE_TYPE_AT = 18,
    FILE_ATTRIBUTES_AT = 19,
    FILE_SIZE_AT = 20,
    FILE_HEADER = 24,
    FILE_HEADER_LARGE = 32,
    FILE_LARGE = 0x01,
    FILE_TYPE_VOLUME_IMAGE = 0x0b,
    SECTION_HEADER = 4,
    SECTION_HEADER_LARGE = 8,
    SECTION_GUIDED = 0x02,
    SECTION_VOLUME_IMAGE = 0x17,
    GUID_SIZE = 16,
    GUIDED_DATA_AT = GUID_SIZE,
    GUIDED_HEADER = GUID_SIZE + 4,
};

static const uint8_t lzma_guid[GUID_SIZE] = {0x98, 0x58, 0x4e, 0xee, 0x14, 0x39, 0x59, 0x42,
                                             0x9d, 0x6e, 0xdc, 0x7b, 0xd7, 0x94, 0x03, 0xcf};

struct span {
    const uint8_t *data;
    size_t size;
};

struct piece { /* a file or a section */
    uint8_t type;
    struct span header, body; /* the header without its common part is the beginning of the body */
};

static uint32_t u24(const uint8_t *from)
{
    return le_u16(from) | (uint32_t) from[2] << 16;
}

/* Cuts [from, to) out of a span; false if it is not there. */
static bool cut(struct span whole, uint64_t from, uint64_t to, struct span *ret)
{
    if (from > to || to > whole.size)
        return false;
    *ret = (struct span){whole.data + from, (size_t) (to - from)};
    return true;
}

/* Takes the next section off. False: there is none, or none that can be read. */
static bool next_section(struct span *rest, struct piece *ret)
{
    uint64_t size, header = SECTION_HEADER;

    if (rest->size < SECTION_HEADER)
        return false;
    size = u24(rest->data);
    ret->type = rest->data[3];
    if (size == 0xffffff) {
        if (rest->size < SECTION_HEADER_LARGE)
            return false;
        size = le_u32(rest->data + SECTION_HEADER);
        header = SECTION_HEADER_LARGE;
    }
    if (size < header || !cut(*rest, header, size, &ret->body) ||
        !cut(*rest, 0, size, &ret->header))
        return false;
    size = (size + 3) & ~UINT64_C(3);
    return size >= rest->size ? (rest->size = 0, true) : cut(*rest, size, rest->size, rest);
}

static bool next_file(struct span *rest, struct piece *ret)
{
    uint64_t size, header = FILE_HEADER;

    if (rest->size < FILE_HEADER)
        return false;
    size = u24(rest->data + FILE_SIZE_AT);
    ret->type = rest->data[FILE_TYPE_AT];
    if (rest->data[FILE_ATTRIBUTES_AT] & FILE_LARGE) {
        if (rest->size < FILE_HEADER_LARGE)
            return false;
        size = le_u64(rest->data + FILE_HEADER);
        header = FILE_HEADER_LARGE;
    }
    if (size < header || !cut(*rest, header, size, &ret->body))
        return false;
    size = (size + 7) & ~UINT64_C(7);
    return size >= rest->size ? (rest->size = 0, true) : cut(*rest, size, rest->size, rest);
}

static int take_volumes(struct span rest, struct firmware_volumes *ret, struct error *err)
{
    struct piece section;

    while (next_section(&rest, &section)) {
        if (section.type != SECTION_VOLUME_IMAGE)
            continue;
        if (ret->count == FIRMWARE_VOLUMES_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT, "the firmware has more than %d volumes",
                             FIRMWARE_VOLUMES_MAX);
        ret->items[ret->count].data = ret->unpacked + (section.body.data - ret->unpacked);
        ret->items[ret->count++].size = section.body.size;
    }
    return 0;
}

/* The packed section of a file, if it has one. */
static bool find_packed(struct span sections, struct span *ret)
{
    struct piece section;

    while (next_section(&sections, &section)) {
        size_t before = (size_t) (section.body.data - section.header.data);

        if (section.type == SECTION_GUIDED && section.body.size >= GUIDED_HEADER &&
            memcmp(section.body.data, lzma_guid, GUID_SIZE) == 0 &&
            le_u16(section.body.data + GUIDED_DATA_AT) >= before &&
            cut(section.header, le_u16(section.body.data + GUIDED_DATA_AT), section.header.size,
                ret))
            return true;
    }
    return false;
}

/* The files of a volume at the beginning of the span, and its length. */
static bool open_volume(struct span at, struct span *ret_files, uint64_t *ret_length)
{
    uint64_t length, first, extended;

    if (at.size < VOLUME_HEADER_MIN || memcmp(at.data + VOLUME_SIGNATURE_AT, "_FVH", 4) != 0)
        return false;
    length = le_u64(at.data + VOLUME_LENGTH_AT);
    first = le_u16(at.data + VOLUME_HEADER_LENGTH_AT);
    extended = le_u16(at.data + VOLUME_EXTENDED_AT);
    if (length > at.size)
        return false;
    if (extended) {
        if (extended + EXTENDED_SIZE_AT + 4 > length)
            return false;
        first = extended + le_u32(at.data + extended + EXTENDED_SIZE_AT);
    }
    *ret_length = length;
    return cut(at, (first + 7) & ~UINT64_C(7), length, ret_files);
}

static bool find_packed_in(struct span volume, struct span *ret)
{
    struct piece file;

    while (next_file(&volume, &file))
        if (file.type == FILE_TYPE_VOLUME_IMAGE && find_packed(file.body, ret))
            return true;
    return false;
}

static bool find_packed_volume(struct span firmware, struct span *ret)
{
    struct span files;
    uint64_t at = 0, length;

    while (at < firmware.size) {
        struct span rest = {firmware.data + at, firmware.size - (size_t) at};

        if (!open_volume(rest, &files, &length) || length < VOLUME_ALIGNMENT) {
            at += VOLUME_ALIGNMENT;
            continue;
        }
        if (find_packed_in(files, ret))
            return true;
        at += length & ~(uint64_t) (VOLUME_ALIGNMENT - 1);
    }
    return false;
}

int firmware_volumes_unpack(const uint8_t *firmware, size_t size, struct firmware_volumes *ret,
                            struct error *err)
{
    scoped(firmware_volumes_fini) struct firmware_volumes volumes = {0};
    struct span packed, unpacked = {0};

    if (!find_packed_volume((struct span){firmware, size}, &packed))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the firmware has no packed volume: an OVMF file is needed that has code "
                         "in it");
    if (lzma_unpack(packed.data, packed.size, FIRMWARE_UNPACKED_MAX, &volumes.unpacked,
                    &unpacked.size, err) < 0)
        return error_wrap(err, "the firmware's packed volume");
    unpacked.data = volumes.unpacked;
    if (take_volumes(unpacked, &volumes, err) < 0)
        return -1;
    if (!volumes.count)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the firmware's packed volume is empty");
    *ret = volumes;
    volumes.unpacked = NULL;
    return 0;
}

void firmware_volumes_fini(struct firmware_volumes *volumes)
{
    free(volumes->unpacked);
}
