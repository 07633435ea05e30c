/* SPDX-License-Identifier: Apache-2.0 */
/* What a share is meant to say otherwise than a local directory. Each is a row of docs/volumes.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/scoped.h"
#include "share_matrix.h"
#include "share_record.h"

static void temporary_files(void)
{
    DO(open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

static void devices(void)
{
    DO(mknod("null", S_IFCHR | 0666, 0x103));
    DO(mknod("disk", S_IFBLK | 0666, 0x700));
}

static void other_attributes(void)
{
    DO(share_put("a", "x"));
    DO(setxattr("a", "trusted.one", "1", 1, 0));
    DO(setxattr("a", "security.one", "1", 1, 0));
}

static void whiteouts(void)
{
    DO(share_put("a", "x"));
    DO(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_WHITEOUT));
}

static void moved_ranges(void)
{
    int fd;

    DO(fd = open("a", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    DO(ftruncate(fd, 1024 * 1024));
    DO(fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, 65536));
    DO(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 65536));
    DO(close(fd));
}

static void file_flags(void)
{
    int fd, flags = 0;

    DO(fd = open("a", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    DO(ioctl(fd, FS_IOC_GETFLAGS, &flags));
    DO(close(fd));
}

static void kind_of_file_system(void)
{
    struct statfs info;

    DO(statfs(".", &info));
    VALUE(info.f_type);
}

static void time_of_birth(void)
{
    struct statx stat;

    DO(share_put("a", "x"));
    DO(statx(AT_FDCWD, "a", 0, STATX_BTIME, &stat));
    VALUE(stat.stx_mask & STATX_BTIME);
}

#define ANSWERS(...) (const long[]){__VA_ARGS__}, sizeof((const long[]){__VA_ARGS__}) / sizeof(long)

const struct share_difference share_differences[] = {
    {{"temporary_files", temporary_files}, "`O_TMPFILE`", ANSWERS(-EOPNOTSUPP)},
    {{"devices", devices}, "devices", ANSWERS(-EPERM, -EPERM)},
    {{"other_attributes", other_attributes},
     "`trusted.*`, `security.*`",
     ANSWERS(0, -EOPNOTSUPP, -EOPNOTSUPP)},
    {{"whiteouts", whiteouts}, "`RENAME_WHITEOUT`", ANSWERS(0, -EINVAL)},
    {{"moved_ranges", moved_ranges},
     "`FALLOC_FL_COLLAPSE_RANGE`, `FALLOC_FL_INSERT_RANGE`",
     ANSWERS(0, 0, -EOPNOTSUPP, -EOPNOTSUPP, 0)},
    {{"file_flags", file_flags}, "`chattr`, `lsattr`, reflinks", ANSWERS(0, -ENOTTY, 0)},
    {{"kind_of_file_system", kind_of_file_system},
     "the kind of file system",
     ANSWERS(0, FUSE_SUPER_MAGIC)},
    {{"time_of_birth", time_of_birth}, "the time of birth", ANSWERS(0, 0, 0)},
};

const size_t share_differences_length = ARRAY_LENGTH(share_differences);
