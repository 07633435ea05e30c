/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "layer_store.h"

/* Options of mount(2) must fit into one page. */
enum { OPTIONS_MAX = 4096, PATH_SIZE = 512 };

static int open_directory(const char *root, const char *path)
{
    struct open_how how = {
        .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    scoped(closep) int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -1 : (int) syscall(SYS_openat2, fd, path, &how, sizeof(how));
}

static bool is_implied(const struct layer_store *store, const char *digest, const char *path)
{
    size_t count;
    const char *const *implied = layer_store_implied(store, digest, &count);

    for (size_t i = 0; i < count; i++)
        if (text_equal(implied[i], path))
            return true;
    return false;
}

/* What the lower layers say of a directory that layer `at` has without describing it. */
static bool describe(const struct layer_store *store, const struct rootfs_options *options,
                     size_t at, const char *path, struct stat *ret)
{
    const char *lower;
    struct error ignored;

    while (at--) {
        const struct rootfs_layer *layer = &options->layers[at];

        if (layer_store_path(store, layer->digest, layer->diff_id, &lower, &ignored) < 0)
            return false;
        scoped(closep) int fd = open_directory(lower, path);
        if (fd >= 0 && !is_implied(store, layer->digest, path))
            return fstat(fd, ret) == 0;
    }
    return false;
}

/* Whether a layer above `at` has the directory: then it is that one which shows. */
static bool is_covered(const struct layer_store *store, const struct rootfs_options *options,
                       size_t at, const char *path)
{
    const char *upper;
    struct error ignored;

    for (size_t i = at + 1; i < options->count; i++) {
        const struct rootfs_layer *layer = &options->layers[i];

        if (layer_store_path(store, layer->digest, layer->diff_id, &upper, &ignored) < 0)
            return true;
        scoped(closep) int fd = open_directory(upper, path);
        if (fd >= 0)
            return true;
    }
    return false;
}

/* A merged directory looks like its uppermost part. Where that part was made only to hold something
 * (a tar need not list parents), it gets the looks of the layer that described it. */
static int restore_implied(const struct layer_store *store, const struct rootfs_options *options,
                           const char *root, struct error *err)
{
    for (size_t i = 1; i < options->count; i++) {
        size_t count;
        const char *const *implied = layer_store_implied(store, options->layers[i].digest, &count);

        for (size_t j = 0; j < count; j++) {
            struct stat st;

            if (is_covered(store, options, i, implied[j]) ||
                !describe(store, options, i, implied[j], &st))
                continue;
            scoped(closep) int fd = open_directory(root, implied[j]);
            if (fd >= 0 &&
                (fchown(fd, st.st_uid, st.st_gid) < 0 || fchmod(fd, st.st_mode & 07777) < 0))
                return error_errno(err, errno, "restore '%s'", implied[j]);
        }
    }
    return 0;
}

/* Topmost first, as overlayfs wants it. */
static int lower_option(const struct layer_store *store, const struct rootfs_options *options,
                        char *ret, struct error *err)
{
    size_t used = 0;

    ret[0] = '\0';
    for (size_t i = options->count; i--;) {
        const struct rootfs_layer *layer = &options->layers[i];
        const char *path;

        if (layer_store_path(store, layer->digest, layer->diff_id, &path, err) < 0 ||
            text_format(ret + used, OPTIONS_MAX - used, err, "%s%s", used ? ":" : "", path) < 0)
            return -1;
        used += strlen(ret + used);
    }
    return 0;
}

static int make_directory(const char *path, mode_t mode, struct error *err)
{
    if (mkdir(path, mode) < 0 && errno != EEXIST)
        return error_errno(err, errno, "make '%s'", path);
    return 0;
}

/* What a file costs the kernel beside its content, and how much content it is taken to have: an
 * eighth of the room is for the former. */
enum { INODE_COST = 1024, INODE_CONTENT = 7 * INODE_COST };

/* A tmpfs larger than the memory is a machine without any, and a panic if nothing is left to kill.
 */
static int size_scratch(uint64_t room, char ret[96], struct error *err)
{
    uint64_t files = room / (INODE_COST + INODE_CONTENT);

    if (room < ROOTFS_ROOM_MIN)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED,
                         "a container's root needs %d MiB, has 0 MiB", ROOTFS_ROOM_MIN >> 20);
    return text_format(ret, 96, err, "mode=0700,size=%" PRIu64 ",nr_inodes=%" PRIu64,
                       files * INODE_CONTENT, files);
}

static int mount_disk(const char *disk, const char *scratch, struct error *err)
{
    if (mkdir(disk, 0700) < 0)
        return error_errno(err, errno, "make '%s'", disk);
    if (mount(disk, scratch, NULL, MS_BIND, NULL) < 0)
        return error_errno(err, errno, "mount '%s'", scratch);
    return 0;
}

static int mount_memory(uint64_t room, const char *scratch, struct error *err)
{
    char data[96];

    if (size_scratch(room, data, err) < 0)
        return -1;
    if (mount("scratch", scratch, "tmpfs", MS_NODEV, data) < 0)
        return error_errno(err, errno, "mount '%s'", scratch);
    return 0;
}

/* A mount of its own: whatever the container leaves behind goes with one umount. */
static int make_scratch(const struct rootfs_options *options, const char *scratch,
                        struct error *err)
{
    char path[PATH_SIZE];

    if (make_directory(scratch, 0700, err) < 0 ||
        (options->disk ? mount_disk(options->disk, scratch, err)
                       : mount_memory(options->room, scratch, err)) < 0)
        return -1;
    for (size_t i = 0; i < 2; i++)
        if (text_format(path, sizeof(path), err, "%s/%s/%s", options->directory, "scratch",
                        i ? "work" : "upper") < 0 ||
            make_directory(path, 0755, err) < 0)
            return -1;
    return 0;
}

/* The root directory itself shows as the upper one. */
static int dress_root(const struct layer_store *store, const struct rootfs_options *options,
                      const char *root, struct error *err)
{
    const struct rootfs_layer *top = &options->layers[options->count - 1];
    const char *path;
    struct stat st;

    if (layer_store_path(store, top->digest, top->diff_id, &path, err) < 0)
        return -1;
    if (stat(path, &st) < 0 || chown(root, st.st_uid, st.st_gid) < 0 ||
        chmod(root, st.st_mode & 07777) < 0)
        return error_errno(err, errno, "prepare the root");
    return 0;
}

static int mount_all(const struct layer_store *store, const struct rootfs_options *options,
                     struct error *err)
{
    char lower[OPTIONS_MAX], data[OPTIONS_MAX], scratch[PATH_SIZE], root[PATH_SIZE];

    if (text_format(scratch, sizeof(scratch), err, "%s/scratch", options->directory) < 0 ||
        text_format(root, sizeof(root), err, "%s/rootfs", options->directory) < 0 ||
        lower_option(store, options, lower, err) < 0 ||
        text_format(data, sizeof(data), err, "lowerdir=%s,upperdir=%s/upper,workdir=%s/work", lower,
                    scratch, scratch) < 0 ||
        make_scratch(options, scratch, err) < 0 || make_directory(root, 0755, err) < 0)
        return -1;
    if (mount("overlay", root, "overlay", MS_NODEV, data) < 0)
        return error_errno(err, errno, "mount '%s'", root);
    if (dress_root(store, options, root, err) < 0)
        return -1;
    return restore_implied(store, options, root, err);
}

int rootfs_mount(const struct layer_store *store, const struct rootfs_options *options,
                 struct error *err)
{
    struct error ignored;

    if (!options->count || options->count > ROOTFS_LAYERS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "an image has 1 to %d layers, not %zu",
                         ROOTFS_LAYERS_MAX, options->count);
    if (mount_all(store, options, err) == 0)
        return 0;
    error_wrap(err, "make the root of '%s'", options->directory);
    if (rootfs_unmount(options->directory, &ignored) < 0)
        return error_wrap(err, "%s; and", ignored.message);
    return -1;
}

int rootfs_unmount(const char *directory, struct error *err)
{
    static const char *const names[] = {"rootfs", "scratch"};
    char path[PATH_SIZE];

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (text_format(path, sizeof(path), err, "%s/%s", directory, names[i]) < 0)
            return -1;
        /* Detached: a straggler of the container must not keep its removal. */
        if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
            return error_errno(err, errno, "unmount '%s'", path);
        if (rmdir(path) < 0 && errno != ENOENT)
            return error_errno(err, errno, "remove '%s'", path);
    }
    return 0;
}
