/* SPDX-License-Identifier: Apache-2.0 */
/* In network namespaces of its own. */
#include "suite.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/scoped.h"
#include "io/netlink.h"

static struct error err;

#define OK(call) ck_assert_msg((call) == 0, "%s: %s", #call, err.message)

static int own_namespace(void)
{
    int fd;

    ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
    fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static struct netlink_address address(int family, const char *text, uint8_t prefix)
{
    struct netlink_address result = {.family = family, .prefix = prefix};

    ck_assert_int_eq(inet_pton(family, text, result.address), 1);
    return result;
}

static struct netlink_route route(int family, const char *to, uint8_t prefix, const char *gateway)
{
    struct netlink_route result = {.family = family, .prefix = prefix};

    ck_assert_int_eq(inet_pton(family, to, result.destination), 1);
    if (gateway)
        ck_assert_int_eq(inet_pton(family, gateway, result.gateway), 1);
    return result;
}

static bool has_route(const struct netlink_route *routes, size_t count, struct netlink_route wanted)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(&routes[i], &wanted, sizeof wanted) == 0)
            return true;
    return false;
}

START_TEST(links_are_made_found_changed_moved_and_deleted)
{
    scoped(closep) int here = own_namespace(), there = own_namespace();
    scoped(netlink_closep) struct netlink *netlink = NULL, *other = NULL;
    struct netlink_link links[8], link, peer;
    size_t count;

    OK(netlink_open(here, &netlink, &err));
    OK(netlink_open(-1, &other, &err));
    OK(netlink_add_veth(netlink, "va", "vb", there, &err));
    OK(netlink_find(netlink, "va", &link, &err));
    OK(netlink_find(other, "vb", &peer, &err));
    ck_assert_str_eq(link.name, "va");
    ck_assert_uint_eq(link.mtu, 1500);
    ck_assert_uint_eq(link.flags & IFF_UP, 0);
    ck_assert(memcmp(link.mac, "\0\0\0\0\0\0", 6) != 0);
    OK(netlink_set_mtu(netlink, link.index, 1400, &err));
    OK(netlink_no_autoconf(netlink, link.index, &err));
    OK(netlink_set_up(netlink, link.index, &err));
    OK(netlink_find(netlink, "va", &link, &err));
    ck_assert_uint_eq(link.mtu, 1400);
    ck_assert_uint_ne(link.flags & IFF_UP, 0);

    ck_assert_int_eq(netlink_find(netlink, "nothing", &link, &err), -1);
    ck_assert_int_eq(err.status, STATUS_NOT_FOUND);
    ck_assert_int_eq(netlink_find(netlink, "a-name-that-is-too-long", &link, &err), -1);
    ck_assert_int_eq(netlink_add_veth(netlink, "va", "vc", -1, &err), -1);
    ck_assert_int_eq(err.status, STATUS_ALREADY_EXISTS);

    OK(netlink_links(netlink, links, ARRAY_LENGTH(links), &count, &err));
    ck_assert_uint_ge(count, 2);
    ck_assert_int_eq(netlink_links(netlink, links, 1, &count, &err), -1);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);

    OK(netlink_move(netlink, link.index, there, "tap0", &err));
    ck_assert_int_eq(netlink_find(netlink, "va", &link, &err), -1);
    OK(netlink_find(other, "tap0", &link, &err));
    ck_assert_uint_eq(link.flags & IFF_UP, 0);
    OK(netlink_delete(other, link.index, &err));
    ck_assert_int_eq(netlink_find(other, "vb", &peer, &err), -1);
}
END_TEST

START_TEST(addresses_and_routes_are_set_and_read)
{
    scoped(closep) int here = own_namespace();
    scoped(netlink_closep) struct netlink *netlink = NULL;
    struct netlink_link link;
    struct netlink_address got[8], four = address(AF_INET, "10.88.0.5", 24),
                                   six = address(AF_INET6, "fd00::5", 64);
    struct netlink_route routes[16], gateway = route(AF_INET, "169.254.1.1", 32, NULL),
                                     outside = route(AF_INET, "0.0.0.0", 0, "169.254.1.1"),
                                     net = route(AF_INET, "10.99.0.0", 16, "10.88.0.1"),
                                     outside6 = route(AF_INET6, "::", 0, "fd00::1");
    size_t count;

    OK(netlink_open(-1, &netlink, &err));
    OK(netlink_add_veth(netlink, "eth0", "peer", -1, &err));
    OK(netlink_find(netlink, "peer", &link, &err));
    OK(netlink_set_up(netlink, link.index, &err));
    OK(netlink_find(netlink, "eth0", &link, &err));
    OK(netlink_no_autoconf(netlink, link.index, &err));
    OK(netlink_set_up(netlink, link.index, &err));
    OK(netlink_add_address(netlink, link.index, &four, &err));
    OK(netlink_add_address(netlink, link.index, &six, &err));
    ck_assert_int_eq(netlink_add_address(netlink, link.index, &four, &err), -1);
    ck_assert_int_eq(err.status, STATUS_ALREADY_EXISTS);
    OK(netlink_addresses(netlink, link.index, got, ARRAY_LENGTH(got), &count, &err));
    ck_assert_uint_eq(count, 2);
    ck_assert_mem_eq(&got[0], &four, sizeof four);
    ck_assert_mem_eq(&got[1], &six, sizeof six);

    /* The default route first: its gateway is reachable only through the next one. */
    OK(netlink_add_route(netlink, link.index, &outside, &err));
    OK(netlink_add_route(netlink, link.index, &gateway, &err));
    OK(netlink_add_route(netlink, link.index, &gateway, &err));
    OK(netlink_add_route(netlink, link.index, &net, &err));
    OK(netlink_add_route(netlink, link.index, &outside6, &err));
    OK(netlink_routes(netlink, link.index, routes, ARRAY_LENGTH(routes), &count, &err));
    ck_assert(has_route(routes, count, outside) && has_route(routes, count, gateway));
    ck_assert(has_route(routes, count, net) && has_route(routes, count, outside6));
    ck_assert(has_route(routes, count, route(AF_INET, "10.88.0.0", 24, NULL)));
    ck_assert(has_route(routes, count, route(AF_INET6, "fd00::", 64, NULL)));
    ck_assert_uint_eq(count, 6);
    ck_assert_int_eq(netlink_add_route(netlink, 12345, &net, &err), -1);
}
END_TEST

static int packet_socket(int index)
{
    const struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *) &to, sizeof to), 0);
    return fd;
}

/* Just this frame; others (the kernel's own chatter) are skipped. It is sent again and again: a
 * link that is up loses what comes before the kernel has begun to work for it, which it does later.
 */
static bool arrives(int from, int to, const char *frame, size_t length)
{
    struct pollfd wait = {.fd = to, .events = POLLIN};
    char buffer[2048];

    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(send(from, frame, length, 0), (ssize_t) length);
        while (poll(&wait, 1, 50) == 1)
            if (recv(to, buffer, sizeof buffer, 0) == (ssize_t) length &&
                memcmp(buffer, frame, length) == 0)
                return true;
    }
    return false;
}

START_TEST(a_redirect_carries_every_frame_across)
{
    scoped(closep) int here = own_namespace();
    scoped(netlink_closep) struct netlink *netlink = NULL;
    static const char *const names[] = {"a0", "a1", "b0", "b1"};
    struct netlink_link links[4];
    int left, right;
    char frame[64] = "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x88\xb5 any protocol";

    OK(netlink_open(-1, &netlink, &err));
    OK(netlink_add_veth(netlink, "a0", "a1", -1, &err));
    OK(netlink_add_veth(netlink, "b0", "b1", -1, &err));
    for (size_t i = 0; i < 4; i++) {
        OK(netlink_find(netlink, names[i], &links[i], &err));
        OK(netlink_no_autoconf(netlink, links[i].index, &err));
        OK(netlink_set_up(netlink, links[i].index, &err));
    }
    /* a0 -> a1 =redirect= b1 -> b0, and back; twice, because a restart does it again. */
    for (int i = 0; i < 2; i++) {
        OK(netlink_redirect(netlink, links[1].index, links[3].index, &err));
        OK(netlink_redirect(netlink, links[3].index, links[1].index, &err));
    }
    left = packet_socket(links[0].index);
    right = packet_socket(links[2].index);
    ck_assert(arrives(left, right, frame, sizeof frame));
    frame[20] = 'x';
    ck_assert(arrives(right, left, frame, sizeof frame));
    (void) close(left);
    (void) close(right);
}
END_TEST

int main(void)
{
    /* Without privilege a user namespace gives what is needed. */
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
        perror("netlink: no network namespaces of our own");
        return EXIT_FAILURE;
    }
    return suite_run("netlink", (const TTest *[]){links_are_made_found_changed_moved_and_deleted,
                                                  addresses_and_routes_are_set_and_read,
                                                  a_redirect_carries_every_frame_across, NULL});
}
