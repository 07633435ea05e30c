/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "base/scoped.h"
#include "io/frames.h"
#include "io/netlink.h"
#include "io/netns.h"

#define DEVICE "/dev/net/tun"

_Static_assert(FRAMES_CSUM == TUN_F_CSUM && FRAMES_TSO4 == TUN_F_TSO4 &&
                   FRAMES_TSO6 == TUN_F_TSO6 && FRAMES_TSO_ECN == TUN_F_TSO_ECN,
               "offloads are TUN_F_*");

struct opening {
    enum tap_kind kind;
    const char *name;
    int fd;
};

/* The device appears in the namespace in which the file was opened. */
static int open_here(void *user, struct error *err)
{
    struct opening *opening = user;
    scoped(closep) int fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    const int kinds[] = {[TAP_ETHERNET] = IFF_TAP, [TAP_PACKETS] = IFF_TUN};
    int size = FRAMES_VNET_SIZE;
    struct ifreq request = {0};

    if (fd < 0)
        return error_errno(err, errno, "open '" DEVICE "'");
    (void) strncpy(request.ifr_name, opening->name, sizeof(request.ifr_name) - 1);
    request.ifr_flags = (short) (kinds[opening->kind] | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL);
    if (ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &size) < 0)
        return error_errno(err, errno, "make the device '%s'", opening->name);
    opening->fd = take_fd(fd);
    return 0;
}

static int set_queue(int netns_fd, const char *name, struct error *err)
{
    scoped(netlink_closep) struct netlink *netlink = NULL;
    struct netlink_link link;

    if (netlink_open(netns_fd, &netlink, err) < 0 || netlink_find(netlink, name, &link, err) < 0)
        return -1;
    return netlink_set_queue(netlink, link.index, TAP_QUEUE_LENGTH, err);
}

int tap_open(int netns_fd, enum tap_kind kind, const char *name, int *ret_fd, struct error *err)
{
    struct opening opening = {.kind = kind, .name = name};
    scoped(closep) int fd = -1;

    if (netns_run(netns_fd, open_here, &opening, err) < 0)
        return -1;
    fd = opening.fd;
    if (set_queue(netns_fd, name, err) < 0)
        return -1;
    *ret_fd = take_fd(fd);
    return 0;
}

/* A kernel that lacks one refuses the whole set. */
unsigned tap_offloads(int fd)
{
    static const unsigned sets[] = {FRAMES_OFFLOADS, FRAMES_CSUM | FRAMES_TSO4 | FRAMES_TSO6,
                                    FRAMES_CSUM | FRAMES_TSO4, FRAMES_CSUM};

    for (size_t i = 0; i < ARRAY_LENGTH(sets); i++)
        if (ioctl(fd, TUNSETOFFLOAD, (unsigned long) sets[i]) == 0)
            return sets[i];
    return 0;
}

int tap_set_offloads(int fd, unsigned offloads, struct error *err)
{
    if (ioctl(fd, TUNSETOFFLOAD, (unsigned long) offloads) < 0)
        return error_errno(err, errno, "set offloads 0x%x", offloads);
    return 0;
}
