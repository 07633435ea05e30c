/* SPDX-License-Identifier: Apache-2.0 */
#include "lessen.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

enum { NOBODY = 65534 };

int lessen_capabilities(struct error *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capset, &header, none) < 0 ||
        prctl(PR_SET_DUMPABLE, 0) < 0)
        return error_errno(err, errno, "give up the capabilities");
    return 0;
}

int lessen_user(struct error *err)
{
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0)
        return error_errno(err, errno, "become nobody");
    return lessen_capabilities(err);
}

/* In a mount namespace of its own: what is mounted there later does not come along either. A device
 * could be written to on a read-only mount. */
int lessen_to(const char *directory, struct error *err)
{
    struct mount_attr nothing = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV},
                      this_one = {.attr_clr = MOUNT_ATTR_RDONLY};

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(directory, directory, NULL, MS_BIND, NULL) < 0 ||
        mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &nothing, sizeof(nothing)) < 0 ||
        mount_setattr(AT_FDCWD, directory, 0, &this_one, sizeof(this_one)) < 0)
        return error_errno(err, errno, "keep to '%s'", directory);
    return lessen_capabilities(err);
}
