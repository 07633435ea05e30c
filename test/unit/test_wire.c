/* SPDX-License-Identifier: Apache-2.0 */
/* The whole way of a packet, by real devices in network namespaces of its own: a client behind the
 * node's wire, the pod's namespace on the node, two relays, the guest's namespace. */
#include "suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/guest_disk.h"
#include "base/scoped.h"
#include "io/fd.h"
#include "io/frames_relay.h"
#include "io/loop.h"
#include "io/loopwire.h"
#include "io/netlink.h"
#include "io/netns.h"
#include "io/tap.h"
#include "io/uplink.h"

static struct error err;

#define OK(call) ck_assert_msg((call) == 0, "%s: %s", #call, err.message)

static int node, pod, guest; /* namespaces */
static int pod_taps[FRAMES_QUEUES], guest_taps[FRAMES_QUEUES];
static struct loop *loop;
static struct frames_relay *pod_relay, *guest_relay;
static struct guest_net net;

static int new_namespace(void)
{
    struct netlink_link lo;
    struct netlink *netlink;
    int fd;

    ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
    OK(netns_open("/proc/thread-self/ns/net", &fd, &err));
    OK(netlink_open(fd, &netlink, &err));
    OK(netlink_find(netlink, "lo", &lo, &err));
    OK(netlink_set_up(netlink, lo.index, &err));
    netlink_close(netlink);
    return fd;
}

static void give(int netns, const char *name, const char *four, const char *six)
{
    scoped(netlink_closep) struct netlink *netlink = NULL;
    struct netlink_address v4 = {.family = AF_INET, .prefix = 24},
                           v6 = {.family = AF_INET6, .prefix = 64};
    struct netlink_link link;

    ck_assert_int_eq(inet_pton(AF_INET, four, v4.address), 1);
    ck_assert_int_eq(inet_pton(AF_INET6, six, v6.address), 1);
    OK(netlink_open(netns, &netlink, &err));
    OK(netlink_find(netlink, name, &link, &err));
    OK(netlink_no_autoconf(netlink, link.index, &err));
    OK(netlink_set_up(netlink, link.index, &err));
    OK(netlink_add_address(netlink, link.index, &v4, &err));
    OK(netlink_add_address(netlink, link.index, &v6, &err));
}

static void make_cni(void)
{
    scoped(netlink_closep) struct netlink *netlink = NULL;

    OK(netlink_open(node, &netlink, &err));
    OK(netlink_add_veth(netlink, "wire", "eth0", pod, &err));
    give(node, "wire", "10.66.0.1", "fd66::1");
    give(pod, "eth0", "10.66.0.2", "fd66::2");
}

static void make_guest(void)
{
    scoped(netlink_closep) struct netlink *netlink = NULL;
    struct netlink_link link;

    OK(tap_open(guest, TAP_ETHERNET, "eth0", &guest_taps[FRAMES_NETWORK], &err));
    OK(netlink_open(guest, &netlink, &err));
    OK(netlink_find(netlink, "eth0", &link, &err));
    OK(netlink_set_mac(netlink, link.index, net.mac, &err));
    OK(netlink_set_mtu(netlink, link.index, net.mtu, &err));
    give(guest, "eth0", "10.66.0.2", "fd66::2");
    OK(loopwire_open(guest, LOOPWIRE_GUEST, &guest_taps[FRAMES_LOOPBACK], &err));
}

static void on_ended(void *user, const struct error *why)
{
    ck_abort_msg("a relay ended: %s", why ? why->message : "in order");
}

static void connect_relays(void)
{
    unsigned offloads = frames_common(tap_offloads(pod_taps[0]), tap_offloads(guest_taps[0]));
    struct frames_relay_options options = {.offloads = offloads};
    int pair[2];

    ck_assert_uint_eq(offloads, FRAMES_OFFLOADS);
    OK(tap_set_offloads(pod_taps[0], offloads, &err));
    OK(tap_set_offloads(guest_taps[0], offloads, &err));
    OK(fd_pair(pair, &err));
    options.stream = pair[0];
    memcpy(options.taps, pod_taps, sizeof(pod_taps));
    OK(frames_relay_new(loop, &options, on_ended, NULL, &pod_relay, &err));
    options.stream = pair[1];
    memcpy(options.taps, guest_taps, sizeof(guest_taps));
    OK(frames_relay_new(loop, &options, on_ended, NULL, &guest_relay, &err));
}

static void setup(void)
{
    node = new_namespace();
    pod = new_namespace();
    guest = new_namespace();
    OK(loop_new(&loop, &err));
    make_cni();
    OK(uplink_read(pod, &net, &err));
    OK(tap_open(pod, TAP_ETHERNET, UPLINK_TAP, &pod_taps[FRAMES_NETWORK], &err));
    OK(uplink_join(pod, &err));
    OK(loopwire_open(pod, LOOPWIRE_NODE, &pod_taps[FRAMES_LOOPBACK], &err));
    make_guest();
    connect_relays();
}

static void teardown(void)
{
    frames_relay_free(pod_relay);
    frames_relay_free(guest_relay);
    loop_free(loop);
    for (int i = 0; i < FRAMES_QUEUES; i++) {
        (void) close(pod_taps[i]);
        (void) close(guest_taps[i]);
    }
    (void) close(node);
    (void) close(pod);
    (void) close(guest);
}

struct place {
    struct sockaddr_storage address;
    socklen_t length;
};

static struct place place(const char *text, uint16_t port)
{
    struct place place = {.length = sizeof(struct sockaddr_in)};
    struct sockaddr_in *four = (struct sockaddr_in *) &place.address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *) &place.address;

    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        return place;
    }
    memset(&place, 0, sizeof(place));
    ck_assert_int_eq(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    place.length = sizeof(*six);
    return place;
}

static int make_socket(void *user, struct error *fault)
{
    int *type_and_fd = user;

    type_and_fd[2] = socket(type_and_fd[0], type_and_fd[1] | SOCK_CLOEXEC, 0);
    return type_and_fd[2] < 0 ? error_errno(fault, errno, "socket") : 0;
}

static int socket_in(int netns, const struct place *at, int type)
{
    int made[3] = {at->address.ss_family, type, -1};

    OK(netns_run(netns, make_socket, made, &err));
    return made[2];
}

static int listener(const char *address, uint16_t port, int type)
{
    struct place at = place(address, port);
    int fd = socket_in(guest, &at, type);
    int one = 1;

    (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    ck_assert_msg(bind(fd, (struct sockaddr *) &at.address, at.length) == 0, "bind %s: %m",
                  address);
    if (type == SOCK_STREAM)
        ck_assert_int_eq(listen(fd, 4), 0);
    return fd;
}

/* The errno of a connect, which must be decided within seconds. */
static int connect_from(int netns, const char *address, uint16_t port, int *ret_fd)
{
    struct place at = place(address, port);
    struct timeval limit = {.tv_sec = 5};
    int fd = socket_in(netns, &at, SOCK_STREAM);

    (void) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    (void) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    *ret_fd = fd;
    return connect(fd, (struct sockaddr *) &at.address, at.length) == 0 ? 0 : errno;
}

static void expect_answer(int netns, const char *at, const char *to, const char *client)
{
    int server = listener(at, 8080, SOCK_STREAM), fd;
    struct sockaddr_storage peer;
    socklen_t length = sizeof(peer);
    char text[INET6_ADDRSTRLEN] = "", byte = 'x';
    int r = connect_from(netns, to, 8080, &fd);

    ck_assert_msg(r == 0, "connect to %s: %s", to, strerror(r));
    int taken = accept(server, (struct sockaddr *) &peer, &length);
    ck_assert_int_ge(taken, 0);
    if (peer.ss_family == AF_INET)
        (void) inet_ntop(AF_INET, &((struct sockaddr_in *) &peer)->sin_addr, text, sizeof(text));
    else
        (void) inet_ntop(AF_INET6, &((struct sockaddr_in6 *) &peer)->sin6_addr, text, sizeof(text));
    ck_assert_str_eq(text, client);
    ck_assert_int_eq(send(taken, &byte, 1, 0), 1);
    ck_assert_int_eq(recv(fd, &byte, 1, 0), 1);
    (void) close(taken);
    (void) close(fd);
    (void) close(server);
}

START_TEST(the_guest_answers_at_the_pods_address)
{
    int fd;

    ck_assert_uint_eq(net.address_count, 2);
    expect_answer(node, "10.66.0.2", "10.66.0.2", "10.66.0.1");
    expect_answer(node, "fd66::2", "fd66::2", "fd66::1");
    expect_answer(node, "::", "fd66::2", "fd66::1");
    ck_assert_int_eq(connect_from(node, "10.66.0.2", 81, &fd), ECONNREFUSED);
    ck_assert_int_eq(connect_from(node, "fd66::2", 81, &fd), ECONNREFUSED);
}
END_TEST

START_TEST(the_loopback_of_the_pod_on_the_node_is_the_guests)
{
    int fd;

    expect_answer(pod, "127.0.0.1", "127.0.0.1", LOOPWIRE_PEER4);
    expect_answer(pod, "0.0.0.0", "127.0.0.1", LOOPWIRE_PEER4);
    expect_answer(pod, "::1", "::1", LOOPWIRE_PEER6);
    expect_answer(guest, "127.0.0.1", "127.0.0.1", "127.0.0.1"); /* its own is its own */
    expect_answer(guest, "::1", "::1", "::1");
    ck_assert_int_eq(connect_from(pod, "127.0.0.1", 81, &fd), ECONNREFUSED);
    ck_assert_int_eq(connect_from(pod, "::1", 81, &fd), ECONNREFUSED);
}
END_TEST

/* Segments larger than the MTU go through as they are. */
START_TEST(much_goes_through_in_both_directions)
{
    enum { CHUNK = 1 << 16, CHUNKS = 256 };
    static uint8_t data[CHUNK], seen[CHUNK];
    int server = listener("10.66.0.2", 8080, SOCK_STREAM), fd;

    ck_assert_int_eq(connect_from(node, "10.66.0.2", 8080, &fd), 0);
    int taken = accept(server, NULL, NULL);
    for (int way = 0; way < 2; way++) {
        int from = way ? taken : fd, to = way ? fd : taken;

        for (int i = 0; i < CHUNKS; i++) {
            memset(data, i, sizeof(data));
            ck_assert_int_eq(send(from, data, sizeof(data), 0), sizeof(data));
            ck_assert_int_eq(recv(to, seen, sizeof(seen), MSG_WAITALL), sizeof(seen));
            ck_assert_mem_eq(data, seen, sizeof(data));
        }
    }
    ck_assert_uint_lt(frames_relay_counts(pod_relay).out, 2 * CHUNK * CHUNKS / 1500);
    ck_assert_uint_eq(frames_relay_counts(pod_relay).refused, 0);
    ck_assert_uint_eq(frames_relay_counts(guest_relay).refused, 0);
}
END_TEST

START_TEST(datagrams_go_through_up_to_60000_bytes)
{
    static uint8_t data[60000], seen[60001];
    static const size_t sizes[] = {1, 1472, 1473, 60000};
    struct place to = place("10.66.0.2", 5353);
    int server = listener("10.66.0.2", 5353, SOCK_DGRAM), fd = socket_in(node, &to, SOCK_DGRAM);
    struct timeval limit = {.tv_sec = 5};

    (void) setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        memset(data, (int) i + 1, sizes[i]);
        ck_assert_int_eq(sendto(fd, data, sizes[i], 0, (struct sockaddr *) &to.address, to.length),
                         sizes[i]);
        ck_assert_int_eq(recv(server, seen, sizeof(seen), 0), sizes[i]);
        ck_assert_mem_eq(data, seen, sizes[i]);
    }
}
END_TEST

int main(void)
{
    const struct suite suite = {
        .name = "wire", .setup = setup, .teardown = teardown, .timeout_s = 60};
    const TTest *const tests[] = {
        the_guest_answers_at_the_pods_address,
        the_loopback_of_the_pod_on_the_node_is_the_guests,
        much_goes_through_in_both_directions,
        datagrams_go_through_up_to_60000_bytes,
        NULL,
    };

    return suite_run_with(&suite, tests);
}
