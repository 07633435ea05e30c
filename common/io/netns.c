/* SPDX-License-Identifier: Apache-2.0 */
#include "io/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>

#include "base/error.h"
#include "base/scoped.h"

int netns_open(const char *path, int *ret_fd, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return error_errno(err, errno, "open the network namespace '%s'", path);
    *ret_fd = fd;
    return 0;
}

int netns_run(int netns_fd, netns_fn *fn, void *user, struct error *err)
{
    scoped(closep) int home = -1;
    int r;

    if (netns_fd < 0)
        return fn(user, err);
    if (netns_open("/proc/thread-self/ns/net", &home, err) < 0)
        return -1;
    if (setns(netns_fd, CLONE_NEWNET) < 0)
        return error_errno(err, errno, "enter a network namespace");
    r = fn(user, err);
    /* Going on in somebody else's namespace would be worse than ending here. */
    if (setns(home, CLONE_NEWNET) < 0)
        abort();
    return r;
}
