/* SPDX-License-Identifier: Apache-2.0 */
#include "layer_room.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"

enum { MIB = 1024 * 1024, CHECK_EVERY = 4 * MIB };

/* MemAvailable counts what a tmpfs holds as gone, so it is the truth for us too. */
static uint64_t memory_available(void)
{
    scoped(freep) char *text = NULL;
    size_t length;
    struct error err;
    unsigned long long kib;

    if (file_read("/proc/meminfo", 64 * 1024, &text, &length, &err) < 0)
        return 0;
    const char *line = strstr(text, "MemAvailable:");
    if (!line || sscanf(line, "MemAvailable: %llu kB", &kib) != 1)
        return 0;
    return kib * 1024;
}

static uint64_t disk_available(const char *directory)
{
    struct statvfs fs;

    return statvfs(directory, &fs) < 0 ? 0 : (uint64_t) fs.f_bavail * fs.f_frsize;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

uint64_t layer_room_left(const struct layer_room *room)
{
    uint64_t there = room->disk ? disk_available(room->disk) : memory_available();
    uint64_t left = less(there, room->reserve);

    if (room->limit) {
        uint64_t allowed = less(room->limit, __atomic_load_n(&room->used, __ATOMIC_RELAXED));

        if (allowed < left)
            left = allowed;
    }
    return left;
}

uint64_t layer_room_memory(const struct layer_room *room)
{
    return less(memory_available(), room->reserve);
}

int layer_room_check(const struct layer_room *room, uint64_t bytes, struct error *err)
{
    uint64_t left = layer_room_left(room);

    if (bytes <= left)
        return 0;
    uint64_t needed = bytes / MIB + (bytes % MIB != 0);
    return error_set(err, STATUS_RESOURCE_EXHAUSTED, "needs %" PRIu64 " MiB, has %" PRIu64 " MiB",
                     needed, left / MIB);
}

int layer_room_take(struct layer_room *room, uint64_t bytes, struct error *err)
{
    uint64_t used = __atomic_load_n(&room->used, __ATOMIC_RELAXED);
    bool over_limit = room->limit && (used > room->limit || bytes > room->limit - used);
    uint64_t checked = __atomic_load_n(&room->checked, __ATOMIC_RELAXED);

    if (over_limit || used + bytes >= checked + CHECK_EVERY || used < checked) {
        if (layer_room_check(room, bytes, err) < 0)
            return -1;
        __atomic_store_n(&room->checked, used, __ATOMIC_RELAXED);
    }
    __atomic_add_fetch(&room->used, bytes, __ATOMIC_RELAXED);
    return 0;
}

int layer_room_grow(struct layer_room *room, uint64_t taken, uint64_t bytes, struct error *err)
{
    if (layer_room_take(room, bytes, err) == 0)
        return 0;
    return error_set(err, STATUS_RESOURCE_EXHAUSTED,
                     "the layer needs more than %" PRIu64 " MiB, has %" PRIu64 " MiB",
                     (taken + bytes) / MIB, (taken + layer_room_left(room)) / MIB);
}

void layer_room_give(struct layer_room *room, uint64_t bytes)
{
    __atomic_sub_fetch(&room->used, bytes, __ATOMIC_RELAXED);
}
