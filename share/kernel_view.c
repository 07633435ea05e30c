/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_view.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdint.h>
#include <sys/vfs.h>

#include "base/scoped.h"

int kernel_view_check(int fd)
{
    static const uint32_t views[] = {
        PROC_SUPER_MAGIC,   SYSFS_MAGIC,    CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC,
        SECURITYFS_MAGIC,   TRACEFS_MAGIC,  BPF_FS_MAGIC,       NSFS_MAGIC,          EFIVARFS_MAGIC,
        DEVPTS_SUPER_MAGIC, BINFMTFS_MAGIC, SELINUX_MAGIC,
    };
    struct statfs info;

    if (fstatfs(fd, &info) < 0)
        return -errno;
    for (size_t i = 0; i < ARRAY_LENGTH(views); i++)
        if ((uint32_t) info.f_type == views[i])
            return -EACCES;
    return 0;
}
