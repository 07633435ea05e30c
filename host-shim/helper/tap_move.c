/* SPDX-License-Identifier: Apache-2.0 */
#include "tap_move.h"

#include <stdio.h>

#include "base/error.h"
#include "base/scoped.h"
#include "io/netlink.h"
#include "io/netns.h"
#include "io/uplink.h"

int tap_move(int netns_fd, pid_t owner, const char *tap, struct error *err)
{
    scoped(netlink_closep) struct netlink *netlink = NULL;
    scoped(closep) int fd = -1;
    struct netlink_link link;
    char path[64];

    (void) snprintf(path, sizeof(path), "/proc/%d/ns/net", (int) owner);
    if (netns_open(path, &fd, err) < 0 || netlink_open(fd, &netlink, err) < 0 ||
        netlink_find(netlink, tap, &link, err) < 0 ||
        netlink_move(netlink, link.index, netns_fd, UPLINK_TAP, err) < 0)
        return error_wrap(err, "the machine's network device");
    return 0;
}
