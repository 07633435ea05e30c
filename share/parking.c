/* SPDX-License-Identifier: Apache-2.0 */
#include "parking.h"

#include <errno.h>
#include <fcntl.h>

#include "base/scoped.h"

struct parking {
    unsigned length;
    int type;
    unsigned char bytes[]; /* as long as the file system makes them: 8 is usual */
};

union handle {
    struct file_handle handle;
    unsigned char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

static int handle_of(int fd, union handle *ret)
{
    int mount;

    *ret = (union handle){.handle.handle_bytes = MAX_HANDLE_SZ};
    return name_to_handle_at(fd, "", &ret->handle, &mount, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static int open_handle(union handle *handle, int mount)
{
    /* One that is O_PATH does not do. */
    scoped(closep) int directory = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd;

    if (directory < 0)
        return -errno;
    fd = open_by_handle_at(directory, &handle->handle, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int parking_new(int fd, int mount, struct parking **ret)
{
    union handle handle;
    struct parking *parking;
    int failed = handle_of(fd, &handle);
    int again = failed < 0 ? failed : open_handle(&handle, mount);

    if (again < 0)
        return again;
    (void) close(again);
    parking = xalloc(sizeof(*parking) + handle.handle.handle_bytes);
    parking->length = handle.handle.handle_bytes;
    parking->type = handle.handle.handle_type;
    memcpy(parking->bytes, handle.handle.f_handle, parking->length);
    *ret = parking;
    return 0;
}

void parking_free(struct parking *parking)
{
    free(parking);
}

int parking_open(const struct parking *parking, int mount)
{
    union handle handle = {.handle.handle_bytes = parking->length,
                           .handle.handle_type = parking->type};

    memcpy(handle.handle.f_handle, parking->bytes, parking->length);
    return open_handle(&handle, mount);
}

bool parking_is_of(const struct parking *parking, int fd)
{
    union handle handle;

    return handle_of(fd, &handle) == 0 && handle.handle.handle_bytes == parking->length &&
           handle.handle.handle_type == parking->type &&
           memcmp(handle.handle.f_handle, parking->bytes, parking->length) == 0;
}
