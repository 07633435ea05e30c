/* SPDX-License-Identifier: Apache-2.0 */
#include "disks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/guest_disk.h"
#include "base/scoped.h"
#include "base/text.h"

enum { DISKS_MAX = 64, SERIAL_MAX = 64 };

void disks_fini(struct disks *disks)
{
    free(disks->initdata);
    free(disks->network);
    free(disks->scratch);
    *disks = (struct disks){0};
}

/* The beginning of a device, in one go: what is judged later is what was read here. */
static int read_once(const char *device, uint8_t *to, size_t size, size_t *ret_length,
                     struct error *err)
{
    scoped(closep) int fd = open(device, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    size_t length = 0;

    if (fd < 0)
        return error_errno(err, errno, "open '%s'", device);
    while (length < size) {
        ssize_t n = read(fd, to + length, size - length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, errno, "read '%s'", device);
        if (n == 0)
            break;
        length += (size_t) n;
    }
    *ret_length = length;
    return 0;
}

static enum boot_code add_initdata(struct disks *disks, const uint8_t *data, size_t size,
                                   struct error *err)
{
    const uint8_t *bytes;
    size_t length;

    if (disks->initdata) {
        error_set(err, STATUS_ALREADY_EXISTS, "two disks with initdata");
        return BOOT_INITDATA_DOUBLED;
    }
    if (guest_initdata_parse(data, size, &bytes, &length, err) < 0)
        return BOOT_INITDATA_MALFORMED;
    disks->initdata = xmemdup(bytes, length);
    disks->initdata_length = length;
    return BOOT_OK;
}

static enum boot_code add_network(struct disks *disks, const uint8_t *data, size_t size,
                                  struct error *err)
{
    struct guest_net net;

    if (disks->network) {
        error_set(err, STATUS_ALREADY_EXISTS, "two disks with a network block");
        return BOOT_NETWORK_DOUBLED;
    }
    if (size > GUEST_DISK_BLOCK) /* a device may be larger than the block */
        size = GUEST_DISK_BLOCK;
    if (guest_net_parse(data, size, &net, err) < 0)
        return BOOT_NETWORK_MALFORMED;
    disks->network = xmemdup(data, size);
    disks->network_length = size;
    return BOOT_OK;
}

enum boot_code disks_add(struct disks *disks, const char *device, struct error *err)
{
    uint8_t data[GUEST_INITDATA_DISK_MAX];
    size_t size = 0;

    /* A device that cannot be read carries nothing; whether something is missing shows at the end.
     */
    if (read_once(device, data, sizeof(data), &size, err) < 0)
        return BOOT_OK;
    switch (guest_disk_type(data, size)) {
    case GUEST_DISK_INITDATA:
        return add_initdata(disks, data, size, err);
    case GUEST_DISK_NET:
        return add_network(disks, data, size, err);
    default:
        return BOOT_OK;
    }
}

enum boot_code disks_add_scratch(struct disks *disks, const char *device, const char *serial,
                                 struct error *err)
{
    if (!text_equal(serial, GUEST_DISK_SCRATCH))
        return BOOT_OK;
    if (disks->scratch) {
        error_set(err, STATUS_ALREADY_EXISTS, "two scratch disks");
        return BOOT_SCRATCH_DOUBLED;
    }
    disks->scratch = xstrdup(device);
    return BOOT_OK;
}

static enum boot_code look_at(struct disks *disks, const char *name, struct error *err)
{
    scoped(freep) char *serial = NULL;
    char device[sizeof("/dev/") + NAME_MAX], path[sizeof("/sys/block//serial") + NAME_MAX];
    const char *before = disks->scratch;
    struct error none;
    size_t length;
    enum boot_code code;

    (void) snprintf(device, sizeof(device), "/dev/%s", name);
    (void) snprintf(path, sizeof(path), "/sys/block/%s/serial", name);
    if (file_read(path, SERIAL_MAX, &serial, &length, &none) == 0)
        serial[strcspn(serial, "\n")] = '\0';
    code = serial ? disks_add_scratch(disks, device, serial, err) : BOOT_OK;
    if (code != BOOT_OK || disks->scratch != before)
        return code;
    return disks_add(disks, device, err);
}

enum boot_code disks_scan(struct disks *ret, struct error *err)
{
    DIR *directory = opendir("/sys/block");
    enum boot_code code = BOOT_OK;
    struct dirent *entry;
    int seen = 0;

    if (!directory) {
        error_errno(err, errno, "list block devices");
        return BOOT_INITDATA_ABSENT;
    }
    while (code == BOOT_OK && (entry = readdir(directory))) {
        if (!text_starts(entry->d_name, "vd"))
            continue;
        /* Not to look at one would be not to see a second of a kind. */
        if (++seen > DISKS_MAX) {
            error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d disks", DISKS_MAX);
            code = BOOT_DISKS;
        } else {
            code = look_at(ret, entry->d_name, err);
        }
    }
    closedir(directory);
    return code;
}

enum boot_code disks_check(const struct disks *disks, struct error *err)
{
    if (!disks->initdata) {
        error_set(err, STATUS_NOT_FOUND, "no disk with initdata");
        return BOOT_INITDATA_ABSENT;
    }
    if (!disks->network) {
        error_set(err, STATUS_NOT_FOUND, "no disk with a network block");
        return BOOT_NETWORK_ABSENT;
    }
    return BOOT_OK;
}
