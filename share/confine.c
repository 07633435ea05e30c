/* SPDX-License-Identifier: Apache-2.0 */
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "export.h"

/* Exists on every node; only in our own namespace is anything mounted on it. */
static const char place[] = "/run";

/* Attached at last: a detached clone would never see a mount that the node makes later. */
static int clone_tree(const struct export *export, int *ret, struct error *err)
{
    struct mount_attr attributes = {
        .attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID,
        .propagation = export->propagation == EXPORT_SLAVE ? MS_SLAVE : MS_PRIVATE,
    };
    scoped(closep) int tree = open_tree(AT_FDCWD, export->path,
                                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

    if (tree < 0)
        return error_errno(err, errno, "take '%s' for the share '%s'", export->path, export->name);
    if (export->access == EXPORT_READ_ONLY)
        attributes.attr_set |= MOUNT_ATTR_RDONLY;
    if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof(attributes)) < 0)
        return error_errno(err, errno, "set the flags of the share '%s'", export->name);
    *ret = take_fd(tree);
    return 0;
}

static int make_target(int tree, const char *path, struct error *err)
{
    struct stat stat;
    int file;

    if (fstat(tree, &stat) < 0)
        return error_errno(err, errno, "look at '%s'", path);
    if (S_ISDIR(stat.st_mode))
        return mkdir(path, 0755) < 0 ? error_errno(err, errno, "make '%s'", path) : 0;
    if (!S_ISREG(stat.st_mode))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "'%s': only directories and regular files can be shared", path);
    file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file < 0)
        return error_errno(err, errno, "make '%s'", path);
    (void) close(file);
    return 0;
}

static int attach(int tree, const char *name, struct error *err)
{
    char path[128];

    if (text_format(path, sizeof(path), err, "%s/%s", place, name) < 0 ||
        make_target(tree, path, err) < 0)
        return -1;
    if (move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return error_errno(err, errno, "attach the share '%s'", name);
    return 0;
}

static int become_root(struct error *err)
{
    if (mount(NULL, place, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV | MS_NOSUID, NULL) < 0)
        return error_errno(err, errno, "make the root read-only");
    if (chdir(place) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        chdir("/") < 0)
        return error_errno(err, errno, "leave the node's root");
    return 0;
}

static int build(const struct export *exports, const int *trees, size_t count, struct error *err)
{
    if (mount("shares", place, "tmpfs", MS_NODEV | MS_NOSUID | MS_NOEXEC, "mode=755,size=64k") < 0)
        return error_errno(err, errno, "mount the root of the shares");
    for (size_t i = 0; i < count; i++)
        if (attach(trees[i], exports[i].name, err) < 0)
            return -1;
    return become_root(err);
}

/* All are taken before anything is mounted: one may lie below the place. */
int confine_mounts(const struct export *exports, size_t count, struct error *err)
{
    int trees[CONFINE_EXPORTS_MAX] = {0};
    size_t taken = 0;
    int failed = 0;

    if (count > CONFINE_EXPORTS_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d shares",
                         CONFINE_EXPORTS_MAX);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return error_errno(err, errno, "make a mount namespace");
    while (taken < count && failed == 0) {
        failed = clone_tree(&exports[taken], &trees[taken], err);
        taken += failed == 0;
    }
    if (failed == 0)
        failed = build(exports, trees, count, err);
    while (taken > 0)
        (void) close(trees[--taken]);
    return failed;
}

static int write_capabilities(uint32_t kept, struct error *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct data[2] = {{.effective = kept, .permitted = kept}};

    if (syscall(SYS_capset, &header, data) < 0)
        return error_errno(err, errno, "drop capabilities");
    return 0;
}

/* Without CAP_MKNOD no device can be made, without CAP_SYS_ADMIN nothing be mounted. The fix-up
 * would take CAP_DAC_OVERRIDE while a file is made for a user: credentials.h says why it stays. */
int confine_privileges(struct error *err)
{
    const uint32_t kept = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) |
                          BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_SETUID) | BIT(CAP_SETGID);

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_errno(err, errno, "give up new privileges");
    if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |
                                     SECBIT_NOROOT | SECBIT_NOROOT_LOCKED) < 0)
        return error_errno(err, errno, "set the secure bits");
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++)
        if (!(i < 32 && kept & BIT(i)) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0 && errno != EINVAL)
            return error_errno(err, errno, "drop a capability from the bounding set");
    return write_capabilities(kept, err);
}
