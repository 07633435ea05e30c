/* SPDX-License-Identifier: Apache-2.0 */
#include "credentials.h"

#include <errno.h>
#include <sys/fsuid.h>
#include <unistd.h>

/* The calls report the former id only; asking with an invalid one tells what holds now. */
static int is_now(uid_t uid, gid_t gid)
{
    return setfsuid((uid_t) -1) == (int) uid && setfsgid((gid_t) -1) == (int) gid;
}

int credentials_assume(uid_t uid, gid_t gid)
{
    if (uid == (uid_t) -1 || gid == (gid_t) -1)
        return -EINVAL;
    (void) setfsgid(gid);
    (void) setfsuid(uid);
    if (is_now(uid, gid))
        return 0;
    credentials_restore();
    return -EPERM;
}

void credentials_restore(void)
{
    (void) setfsuid(geteuid());
    (void) setfsgid(getegid());
}
