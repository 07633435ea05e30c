/* SPDX-License-Identifier: Apache-2.0 */
#include "beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TRIES = 3 };

/* message.c has seen that it is one component; this would hold without that. */
int beneath_open(int directory, const char *name, uint64_t flags, mode_t mode)
{
    const struct open_how how = {
        .flags = flags | O_CLOEXEC | O_NOFOLLOW,
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long fd = -1;

    /* EAGAIN: something was renamed meanwhile, so that the kernel is not sure. */
    for (int i = 0; i < TRIES && fd < 0; i++) {
        fd = syscall(SYS_openat2, directory, name, &how, sizeof(how));
        if (fd < 0 && errno != EAGAIN)
            break;
    }
    return fd < 0 ? -errno : (int) fd;
}
