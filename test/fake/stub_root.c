/* SPDX-License-Identifier: Apache-2.0 */
#include "stub_root.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/fd.h"
#include "stub_cgroup.h"

static int bind_read_only(const char *from, const char *to, struct error *err)
{
    if (mount(from, to, NULL, MS_BIND, NULL) < 0 ||
        mount(NULL, to, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV, NULL) < 0)
        return error_errno(err, errno, "bind '%s' to '%s'", from, to);
    return 0;
}

/* Paths are relative to the tree, which is the working directory. */
static int mount_system(struct error *err)
{
    static const struct {
        const char *type, *target, *data;
        unsigned long flags;
    } mounts[] = {
        {"proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
        {"sysfs", "sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
        {"tmpfs", "dev", "mode=0755,size=64k", MS_NOSUID | MS_NOEXEC},
        {"tmpfs", "run", "mode=0755", MS_NOSUID | MS_NODEV},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(mounts); i++)
        if (mount(mounts[i].type, mounts[i].target, mounts[i].type, mounts[i].flags,
                  mounts[i].data) < 0)
            return error_errno(err, errno, "mount '%s'", mounts[i].target);
    return 0;
}

static int make_devices(struct error *err)
{
    static const struct {
        const char *path;
        unsigned major, minor;
    } nodes[] = {
        {"dev/null", 1, 3},
        {"dev/zero", 1, 5},
        {"dev/full", 1, 7},
        {"dev/random", 1, 8},
        {"dev/urandom", 1, 9},
        {"dev/tty", 5, 0},
        {"dev/net/tun", 10, 200},
        {"dev/fuse", 10, 229},
        /* In place of those by which a machine attests: no container may see them. */
        {"dev/tpmrm0", 1, 3},
        {"dev/tpm0", 1, 3},
        {"dev/sev-guest", 1, 3},
        {"dev/tdx_guest", 1, 3},
    };
    static const char *const links[][2] = {
        {"pts/ptmx", "dev/ptmx"},
        {"/proc/self/fd", "dev/fd"},
    };

    if (mkdir("dev/net", 0755) < 0)
        return error_errno(err, errno, "make 'dev/net'");
    (void) umask(0);
    for (size_t i = 0; i < ARRAY_LENGTH(nodes); i++)
        if (mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) < 0)
            return error_errno(err, errno, "make '%s'", nodes[i].path);
    for (size_t i = 0; i < ARRAY_LENGTH(links); i++)
        if (symlink(links[i][0], links[i][1]) < 0)
            return error_errno(err, errno, "make '%s'", links[i][1]);
    (void) umask(022);
    if (mkdir("dev/pts", 0755) < 0 || mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                                            "newinstance,ptmxmode=0666,mode=0620,gid=5") < 0)
        return error_errno(err, errno, "mount 'dev/pts'");
    return 0;
}

static int write_disk(const char *path, const void *data, size_t length, struct error *err)
{
    scoped(closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);

    if (fd < 0)
        return error_errno(err, errno, "make '%s'", path);
    return length ? fd_write_full(fd, data, length, err) : 0;
}

int stub_root_enter(const struct stub_root *root, struct error *err)
{
    char agent[512];

    if (text_format(agent, sizeof(agent), err, "%s%s", root->tree, STUB_AGENT) < 0)
        return -1;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return error_errno(err, errno, "make mounts private");
    if (bind_read_only(root->tree, root->tree, err) < 0 ||
        (root->agent && bind_read_only(root->agent, agent, err) < 0))
        return -1;
    if (chdir(root->tree) < 0)
        return error_errno(err, errno, "enter '%s'", root->tree);
    if (mount_system(err) < 0 || make_devices(err) < 0 ||
        stub_cgroup_mount("sys/fs/cgroup", err) < 0 ||
        write_disk(STUB_INITDATA + 1, root->initdata, root->initdata_length, err) < 0 ||
        write_disk(STUB_NET + 1, root->net, root->net_length, err) < 0)
        return -1;
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return error_errno(err, errno, "take '%s' as the root", root->tree);
    return 0;
}
