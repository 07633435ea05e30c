/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/setup_header.h"

#include <string.h>

#include "base/error.h"
#include "measure/le.h"

#define MIB (UINT64_C(1) << 20)

/* Linux's boot protocol: offsets in the kernel's file. */
enum {
    SETUP_MAGIC = 0x202, /* "HdrS" */
    SETUP_VERSION = 0x206,
    SETUP_LOADER_TYPE = 0x210,
    SETUP_LOAD_FLAGS = 0x211,
    SETUP_INITRD_ADDRESS = 0x218,
    SETUP_INITRD_SIZE = 0x21c,
    SETUP_HEAP_END = 0x224,
    SETUP_CMDLINE_ADDRESS = 0x228,
    SETUP_INITRD_MAX = 0x22c,
    SETUP_EXTENDED_FLAGS = 0x236,
    SETUP_END = 0x268,
    SETUP_VERSION_MIN = 0x20c,
    LOAD_FLAG_HIGH = 0x01,
    LOAD_FLAG_HEAP = 0x80,
    EXTENDED_FLAG_ABOVE_4G = 0x02,
};

/* QEMU's own: what it puts where, and what it keeps free for ACPI tables at the end of memory. */
enum {
    QEMU_LOADER_TYPE = 0xb0,
    QEMU_REAL_ADDRESS = 0x10000,
    QEMU_CMDLINE_ADDRESS = 0x20000,
    QEMU_ACPI_SIZE = 0x28000,
    PAGE = 4096,
};

uint64_t setup_low_memory(uint64_t memory)
{
    return memory >= 0xb00 * MIB ? 0x800 * MIB : memory;
}

static int check_kernel(const uint8_t *kernel, size_t size, struct error *err)
{
    if (size < SETUP_END || memcmp(kernel + SETUP_MAGIC, "HdrS", 4) != 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the kernel is no bzImage");
    if (le_u16(kernel + SETUP_VERSION) < SETUP_VERSION_MIN ||
        !(kernel[SETUP_LOAD_FLAGS] & LOAD_FLAG_HIGH))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the kernel's boot protocol is older than 2.12");
    return 0;
}

static uint64_t highest_byte(const uint8_t *kernel, uint64_t memory)
{
    uint64_t highest = le_u16(kernel + SETUP_EXTENDED_FLAGS) & EXTENDED_FLAG_ABOVE_4G
                           ? UINT32_MAX
                           : le_u32(kernel + SETUP_INITRD_MAX);
    uint64_t end = setup_low_memory(memory) - QEMU_ACPI_SIZE;

    return highest >= end ? end - 1 : highest;
}

int setup_header_patch(uint8_t *kernel, size_t size, const struct setup_shape *shape,
                       struct error *err)
{
    uint64_t highest;

    if (check_kernel(kernel, size, err) < 0)
        return -1;
    /* The word would end up in the header, too. */
    if (strstr(shape->cmdline, "vga="))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the command line has the word vga=, which a machine has no use for");
    if (shape->memory < 16 * MIB)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a machine has 16 MiB at least");
    highest = highest_byte(kernel, shape->memory);
    if (shape->initrd_size >= highest)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the initrd is larger than the machine's memory");
    kernel[SETUP_LOADER_TYPE] = QEMU_LOADER_TYPE;
    kernel[SETUP_LOAD_FLAGS] |= LOAD_FLAG_HEAP;
    le_put_u16(kernel + SETUP_HEAP_END, QEMU_CMDLINE_ADDRESS - QEMU_REAL_ADDRESS - 0x200);
    le_put_u32(kernel + SETUP_CMDLINE_ADDRESS, QEMU_CMDLINE_ADDRESS);
    le_put_u32(kernel + SETUP_INITRD_ADDRESS,
               (uint32_t) (highest - shape->initrd_size) & ~(uint32_t) (PAGE - 1));
    le_put_u32(kernel + SETUP_INITRD_SIZE, (uint32_t) shape->initrd_size);
    return 0;
}
