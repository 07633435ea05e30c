/* SPDX-License-Identifier: Apache-2.0 */
#include "confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scoped.h"

/* A server that the guest has taken over has the user of the node's daemons: it is not to signal
 * them, nor to reach what they listen on. */
int confine_children(struct error *err)
{
    if (unshare(CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC) < 0)
        return error_errno(err, errno, "make namespaces for the server");
    return 0;
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
