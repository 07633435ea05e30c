/* SPDX-License-Identifier: Apache-2.0 */
#include "credentials.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

static _Thread_local bool assumed;

/* The calls report the former id only; asking with an invalid one tells what holds now. */
static int is_now(uid_t uid, gid_t gid)
{
    return setfsuid((uid_t) -1) == (int) uid && setfsgid((gid_t) -1) == (int) gid;
}

/* What holds otherwise. Most of what is made is made for root: nothing changes then. */
static bool is_own(uid_t uid, gid_t gid)
{
    return uid == geteuid() && gid == getegid();
}

int credentials_assume(uid_t uid, gid_t gid)
{
    if (uid == (uid_t) -1 || gid == (gid_t) -1)
        return -EINVAL;
    if (is_own(uid, gid))
        return 0;
    assumed = true;
    (void) setfsgid(gid);
    (void) setfsuid(uid);
    if (is_now(uid, gid))
        return 0;
    credentials_restore();
    return -EPERM;
}

void credentials_restore(void)
{
    if (!assumed)
        return;
    (void) setfsuid(geteuid());
    (void) setfsgid(getegid());
    assumed = false;
}

void credentials_mask(mode_t mask)
{
    static mode_t now = (mode_t) -1; /* nobody else changes it */

    if (mask == now)
        return;
    (void) umask(mask);
    now = mask;
}
