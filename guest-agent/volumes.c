/* SPDX-License-Identifier: Apache-2.0 */
#include "volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "beneath.h"
#include "volume_content.h"

/* As for a container's root (rootfs.c): an eighth of the room is for what a file costs the kernel.
 */
enum {
    ROOM_MIN = 1024 * 1024,
    INODE_COST = 1024,
    INODE_CONTENT = 7 * INODE_COST,
    PAGE_COST = 4096, /* more than a file's last page wastes */
};

struct volume {
    struct volume *next;
    char *name;
    char *path;
    int fd;                         /* of the directory */
    uint64_t size;                  /* of the tmpfs; 0: it is none */
    struct volume_content *content; /* copied ones; NULL: an empty one */
};

struct volumes {
    char *directory;
    char *disk; /* NULL: there is none */
    struct volume *first;
    size_t count;
};

struct volumes *volumes_new(const char *directory)
{
    struct volumes *volumes = xnew(struct volumes);

    volumes->directory = xstrdup(directory);
    return volumes;
}

/* The directories stay: the guest ends with its pod. */
static void volume_free(struct volume *volume)
{
    volume_content_free(volume->content);
    closep(&volume->fd);
    free(volume->name);
    free(volume->path);
    free(volume);
}

static inline void volume_freep(struct volume **p)
{
    if (*p)
        volume_free(*p);
}

void volumes_free(struct volumes *volumes)
{
    if (!volumes)
        return;
    while (volumes->first) {
        struct volume *volume = volumes->first;

        volumes->first = volume->next;
        volume_free(volume);
    }
    free(volumes->directory);
    free(volumes->disk);
    free(volumes);
}

static struct volume *find(const struct volumes *volumes, const char *name)
{
    for (struct volume *volume = volumes->first; volume; volume = volume->next) {
        if (text_equal(volume->name, name))
            return volume;
    }
    return NULL;
}

/* NULL: err says why not. */
static struct volume *begin(const struct volumes *volumes, const char *name, struct error *err)
{
    scoped(volume_freep) struct volume *volume = xnew(struct volume);

    volume->fd = -1;
    if (!text_is_identifier(name)) {
        error_set(err, STATUS_INVALID_ARGUMENT, "'%.100s' is no name of a volume", name);
        return NULL;
    }
    if (volumes->count >= VOLUMES_MAX) {
        error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d volumes", VOLUMES_MAX);
        return NULL;
    }
    volume->name = xstrdup(name);
    volume->path = xformat("%s/%s", volumes->directory, name);
    if (mkdir(volume->path, 0700) < 0 && errno != EEXIST) {
        error_errno(err, errno, "make volume '%s'", name);
        return NULL;
    }
    return take_ptr(volume);
}

static int open_it(struct volume *volume, const struct volumes_put *put, struct error *err)
{
    volume->fd = open(volume->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (volume->fd < 0 || fchown(volume->fd, put->uid, put->gid) < 0 ||
        fchmod(volume->fd, put->mode & 07777) < 0)
        return error_errno(err, errno, "prepare volume '%s'", put->name);
    return 0;
}

static void add(struct volumes *volumes, struct volume *volume)
{
    volume->next = volumes->first;
    volumes->first = volume;
    volumes->count++;
}

static int other_kind(const char *name, struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "volume '%s' is of another kind", name);
}

/* ---- empty ones ---- */

static int mount_room(struct volume *volume, uint64_t size, unsigned long flags, struct error *err)
{
    uint64_t files = size / (INODE_COST + INODE_CONTENT) + 16;
    char data[96];

    if (text_format(data, sizeof(data), err, "%ssize=%" PRIu64 ",nr_inodes=%" PRIu64,
                    flags & MS_REMOUNT ? "" : "mode=0700,", size, files) < 0)
        return -1;
    if (mount("volume", volume->path, "tmpfs", MS_NODEV | flags, data) < 0)
        return error_errno(err, errno, "mount volume '%s'", volume->name);
    volume->size = size;
    return 0;
}

void volumes_use_disk(struct volumes *volumes, const char *directory)
{
    free(volumes->disk);
    volumes->disk = xstrdup(directory);
}

static int bind_disk(const struct volumes *volumes, const struct volume *volume, struct error *err)
{
    scoped(freep) char *path = xformat("%s/%s", volumes->disk, volume->name);

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_errno(err, errno, "make volume '%s'", volume->name);
    if (mount(path, volume->path, NULL, MS_BIND, NULL) < 0)
        return error_errno(err, errno, "mount volume '%s'", volume->name);
    return 0;
}

int volumes_put_empty(struct volumes *volumes, const struct volumes_put *put, uint64_t room,
                      struct error *err)
{
    scoped(volume_freep) struct volume *volume = NULL;
    const struct volume *there = find(volumes, put->name);
    uint64_t size = put->size && put->size < room ? put->size : room;
    bool on_disk = volumes->disk && !put->size;

    if (there)
        return there->content ? other_kind(put->name, err) : 0;
    if (!on_disk && room < ROOM_MIN)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED,
                         "a volume needs %d MiB, the guest has none left", ROOM_MIN >> 20);
    volume = begin(volumes, put->name, err);
    if (!volume ||
        (on_disk ? bind_disk(volumes, volume, err) : mount_room(volume, size, 0, err)) < 0)
        return -1;
    if (open_it(volume, put, err) < 0) {
        (void) umount2(volume->path, MNT_DETACH | UMOUNT_NOFOLLOW);
        return -1;
    }
    add(volumes, take_ptr(volume));
    return 0;
}

int volumes_limit(struct volumes *volumes, const char *name, uint64_t size, struct error *err)
{
    struct volume *volume = find(volumes, name);

    if (!volume)
        return error_set(err, STATUS_NOT_FOUND, "volume '%.100s' was not handed over", name);
    if (volume->size <= size)
        return 0;
    return mount_room(volume, size, MS_REMOUNT, err);
}

/* ---- copied ones ---- */

/* It lies in the agent's own file system: no group and no size of a tmpfs bounds it. */
static int check_room(const struct volumes_put *put, uint64_t room, struct error *err)
{
    uint64_t needed = 0;

    for (size_t i = 0; i < put->count; i++)
        needed += put->entries[i].length + PAGE_COST + INODE_COST;
    if (needed <= room)
        return 0;
    return error_set(err, STATUS_RESOURCE_EXHAUSTED,
                     "volume '%.64s': the guest's memory has no room for it", put->name);
}

int volumes_put_copied(struct volumes *volumes, const struct volumes_put *put, uint64_t room,
                       struct error *err)
{
    scoped(volume_freep) struct volume *made = NULL;
    struct volume *volume = find(volumes, put->name);

    if (volume && !volume->content)
        return other_kind(put->name, err);
    if (check_room(put, room, err) < 0)
        return -1;
    if (!volume) {
        made = begin(volumes, put->name, err);
        if (!made || open_it(made, put, err) < 0)
            return -1;
        made->content = volume_content_new(made->path, made->fd);
        volume = made;
    }
    if (volume_content_put(volume->content, put, err) < 0)
        return error_wrap(err, "volume '%s'", put->name);
    if (made)
        add(volumes, take_ptr(made));
    return 0;
}

bool volumes_look(const struct volumes *volumes, const char *name, struct volumes_about *ret)
{
    const struct volume *volume = find(volumes, name);

    if (!volume)
        return false;
    *ret = (struct volumes_about){.is_copied = volume->content != NULL,
                                  .is_in_memory = volume->content || volume->size > 0};
    return true;
}

int volumes_open(struct volumes *volumes, const char *name, const char *path, int *ret,
                 enum volumes_access *ret_access, struct error *err)
{
    const struct volume *volume = find(volumes, name);
    int r;

    if (!volume || (volume->content && !volume_content_is_there(volume->content)))
        return error_set(err, STATUS_NOT_FOUND, "volume '%.100s' was not handed over", name);
    if (strlen(path) > VOLUMES_PATH_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a path in volume '%s' is too long", name);
    r = volume->content ? beneath_open(volume->fd, path, ret, err)
                        : beneath_make(volume->fd, path, ret, err);
    if (r < 0)
        return error_wrap(err, "volume '%s'", name);
    *ret_access = volume->content ? VOLUMES_READ_ONLY : VOLUMES_WRITABLE;
    return 0;
}
