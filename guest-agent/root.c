/* SPDX-License-Identifier: Apache-2.0 */
#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"

int root_mount_system(struct error *err)
{
    static const struct {
        const char *type, *target, *data;
        unsigned long flags;
    } mounts[] = {
        {"proc", "/proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
        {"sysfs", "/sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
        {"devtmpfs", "/dev", "mode=0755", MS_NOSUID | MS_NOEXEC},
        {"devpts", "/dev/pts", "newinstance,ptmxmode=0666,mode=0620,gid=5", MS_NOSUID | MS_NOEXEC},
        /* Layers and containers live here: what fits is layer_room's judgement, not the mount's. */
        {"tmpfs", "/run", "mode=0755,size=95%,nr_inodes=0", MS_NOSUID | MS_NODEV},
        {"cgroup2", "/sys/fs/cgroup", "nsdelegate", MS_NOSUID | MS_NODEV | MS_NOEXEC},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(mounts); i++) {
        if (mkdir(mounts[i].target, 0755) < 0 && errno != EEXIST)
            return error_errno(err, errno, "make '%s'", mounts[i].target);
        /* devtmpfs may be there: the kernel can mount it by itself. */
        if (mount(mounts[i].type, mounts[i].target, mounts[i].type, mounts[i].flags,
                  mounts[i].data) < 0 &&
            errno != EBUSY)
            return error_errno(err, errno, "mount '%s'", mounts[i].target);
    }
    return 0;
}

int root_mount_evidence(struct error *err)
{
    static const struct {
        const char *needs, *type, *target;
    } mounts[] = {
        {"/dev/tpmrm0", "securityfs", "/sys/kernel/security"},
        {"/sys/kernel/config", "configfs", "/sys/kernel/config"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(mounts); i++) {
        if (!file_exists(mounts[i].needs) || !file_exists(mounts[i].target))
            continue;
        if (mount(mounts[i].type, mounts[i].target, mounts[i].type,
                  MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
            return error_errno(err, errno, "mount '%s'", mounts[i].target);
    }
    return 0;
}

static int load_module(const char *path, struct error *err)
{
    scoped(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return error_errno(err, errno, "open '%s'", path);
    /* ENODEV: for hardware that is not here. */
    if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST && errno != ENODEV)
        return error_errno(err, errno, "load '%s'", path);
    return 0;
}

int root_load_modules(const char *list, struct error *err)
{
    scoped(freep) char *text = NULL;
    size_t length;
    char *state = NULL;

    if (file_read(list, 64 * 1024, &text, &length, err) < 0)
        return -1;
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
        if (*line != '#' && load_module(line, err) < 0)
            return -1;
    return 0;
}

/* A bind mount of the root over itself is a mount like any other, costs no copy and no memory, and
 * hides the one below. Read-only from here: what is not in the measured image is under /run. */
int root_leave_initrd(struct error *err)
{
    static const char *const kept[] = {"/proc", "/sys", "/dev", "/run"};
    const char *step = "/newroot";
    char target[64];

    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("/", step, NULL, MS_BIND, NULL) < 0)
        return error_errno(err, errno, "bind the root to '%s'", step);
    for (size_t i = 0; i < ARRAY_LENGTH(kept); i++) {
        if (text_format(target, sizeof(target), err, "%s%s", step, kept[i]) < 0)
            return -1;
        if (mount(kept[i], target, NULL, MS_MOVE, NULL) < 0)
            return error_errno(err, errno, "move '%s'", kept[i]);
    }
    if (mount(NULL, step, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV, NULL) < 0 ||
        chdir(step) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
        chdir("/") < 0)
        return error_errno(err, errno, "take the new root");
    return 0;
}
