/* SPDX-License-Identifier: Apache-2.0 */
#include "handles.h"

#include <errno.h>
#include <stdbool.h>

#include "base/scoped.h"

struct handle {
    bool open;
    enum handle_kind kind;
    int fd;
    uint32_t generation;
    uint32_t next; /* of the free ones; index + 1 */
};

struct handles {
    struct handle handle[HANDLES_MAX];
    uint32_t used;
    uint32_t free;
};

struct handles *handles_new(void)
{
    return xnew(struct handles);
}

void handles_free(struct handles *handles)
{
    if (!handles)
        return;
    for (uint32_t i = 0; i < handles->used; i++)
        if (handles->handle[i].open)
            (void) close(handles->handle[i].fd);
    free(handles);
}

static struct handle *take_free(struct handles *handles)
{
    struct handle *handle;

    if (handles->free) {
        handle = &handles->handle[handles->free - 1];
        handles->free = handle->next;
        return handle;
    }
    return handles->used < HANDLES_MAX ? &handles->handle[handles->used++] : NULL;
}

int handles_hold(struct handles *handles, enum handle_kind kind, int fd, uint64_t *ret_id)
{
    struct handle *handle = take_free(handles);

    if (!handle) {
        (void) close(fd);
        return -ENFILE;
    }
    *handle = (struct handle){
        .open = true, .kind = kind, .fd = fd, .generation = handle->generation + 1};
    *ret_id = (uint64_t) handle->generation << 32 | (uint64_t) (handle - handles->handle);
    return 0;
}

static int index_of(const struct handles *handles, enum handle_kind kind, uint64_t id)
{
    uint32_t index = (uint32_t) id;

    if (index >= handles->used || !handles->handle[index].open ||
        handles->handle[index].kind != kind || handles->handle[index].generation != id >> 32)
        return -EBADF;
    return (int) index;
}

int handles_find(const struct handles *handles, enum handle_kind kind, uint64_t id)
{
    int index = index_of(handles, kind, id);

    return index < 0 ? index : handles->handle[index].fd;
}

int handles_close(struct handles *handles, enum handle_kind kind, uint64_t id)
{
    int index = index_of(handles, kind, id);
    struct handle *handle;

    if (index < 0)
        return index;
    handle = &handles->handle[index];
    (void) close(handle->fd);
    handle->open = false;
    handle->next = handles->free;
    handles->free = (uint32_t) index + 1;
    return 0;
}
