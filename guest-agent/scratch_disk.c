/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/fd.h"
#include "root.h"
#include "scratch_crypt.h"

#define MODULE_LIST "/etc/cleave/modules.scratch"
#define MKFS        "/usr/bin/mke2fs"

enum { HEAD_SIZE = 64 * 1024 };

static int run(char *const argv[], struct error *err)
{
    char *const environment[] = {(char *) "PATH=/usr/bin", NULL};
    pid_t pid;
    int status;
    int failed = posix_spawn(&pid, argv[0], NULL, NULL, argv, environment);

    if (failed)
        return error_errno(err, failed, "run '%s'", argv[0]);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return error_errno(err, errno, "wait for '%s'", argv[0]);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return error_set(err, STATUS_INTERNAL, "'%s' failed (status %d): is the host's disk sound?",
                         argv[0], status);
    return 0;
}

/* mke2fs looks at the beginning and writes parts of blocks there, and what was never written cannot
 * be read. */
static int clear_head(const char *device, struct error *err)
{
    scoped(closep) int fd = open(device, O_WRONLY | O_CLOEXEC);
    scoped(freep) uint8_t *zeros = xalloc(HEAD_SIZE);

    if (fd < 0)
        return error_errno(err, errno, "open '%s'", device);
    return fd_write_full(fd, zeros, HEAD_SIZE, err);
}

/* Without a journal and copies of the superblock: nobody comes back to it after a crash. The tables
 * of inodes are written as they are used, so that this takes no longer for a larger disk. */
static int make_file_system(char *device, struct error *err)
{
    char *const argv[] = {(char *) MKFS,
                          (char *) "-q",
                          (char *) "-F",
                          (char *) "-t",
                          (char *) "ext4",
                          (char *) "-b",
                          (char *) "4096",
                          (char *) "-m",
                          (char *) "0",
                          (char *) "-O",
                          (char *) "^has_journal,^resize_inode,sparse_super2",
                          (char *) "-E",
                          (char *) "nodiscard,lazy_itable_init=1,num_backup_sb=0",
                          device,
                          NULL};

    return clear_head(device, err) < 0 ? -1 : run(argv, err);
}

static int mount_it(const char *device, const char *directory, struct error *err)
{
    static const char *const parts[] = {"layers", "roots", "volumes", "gone"};
    char path[96];

    if (mkdir(directory, 0711) < 0 && errno != EEXIST)
        return error_errno(err, errno, "make '%s'", directory);
    if (mount(device, directory, "ext4", MS_NODEV, "nobarrier,noinit_itable,errors=remount-ro") < 0)
        return error_errno(err, errno, "mount '%s'", directory);
    if (chmod(directory, 0711) < 0)
        return error_errno(err, errno, "open '%s'", directory);
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        if (text_format(path, sizeof(path), err, "%s/%s", directory, parts[i]) < 0)
            return -1;
        if (mkdir(path, 0711) < 0)
            return error_errno(err, errno, "make '%s'", path);
    }
    return 0;
}

int scratch_disk_make(const char *device, const char *directory, struct error *err)
{
    char mapped[MAPPER_PATH_SIZE];

    if (root_load_modules(MODULE_LIST, err) < 0 || scratch_crypt_make(device, mapped, err) < 0 ||
        make_file_system(mapped, err) < 0)
        return -1;
    return mount_it(mapped, directory, err);
}
