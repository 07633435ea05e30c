/* SPDX-License-Identifier: Apache-2.0 */
/* Devices are pairs of sockets here that keep the borders of packets; real ones: test_wire.c. */
#include "suite.h"

#include <linux/virtio_net.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/scoped.h"
#include "io/fd.h"
#include "io/frames.h"
#include "io/frames_relay.h"
#include "io/loop.h"

static struct error err;

#define OK(call) ck_assert_msg((call) == 0, "%s: %s", #call, err.message)

/* ---- the codec ------------------------------------------------------------------------------- */

static uint8_t bytes[FRAMES_PACKET_MAX + 16];

static int next(uint8_t queue, size_t length, size_t there, struct frame *ret)
{
    frames_put_head(bytes, queue, length);
    return frames_next(bytes, there, ret, &err);
}

START_TEST(a_head_and_its_packet_come_back)
{
    struct frame frame;

    ck_assert_int_eq(next(FRAMES_NETWORK, 100, 104, &frame), 1);
    ck_assert_int_eq(frame.queue, FRAMES_NETWORK);
    ck_assert_uint_eq(frame.length, 100);
    ck_assert_ptr_eq(frame.data, bytes + 4);
    ck_assert_int_eq(next(FRAMES_LOOPBACK, FRAMES_LENGTH_MAX, FRAMES_PACKET_MAX, &frame), 1);
    ck_assert_int_eq(frame.queue, FRAMES_LOOPBACK);
    ck_assert_uint_eq(frame.length, FRAMES_LENGTH_MAX);
}
END_TEST

START_TEST(a_part_of_a_packet_waits_for_the_rest)
{
    struct frame frame;

    for (size_t there = 0; there < 104; there++)
        ck_assert_int_eq(next(FRAMES_NETWORK, 100, there, &frame), 0);
}
END_TEST

START_TEST(a_head_that_no_packet_has_is_refused_before_its_packet_is_there)
{
    static const struct {
        uint8_t queue;
        uint32_t length;
    } heads[] = {{2, 100}, {255, 100}, {0, FRAMES_LENGTH_MAX + 1}, {1, 0xffffff}, {0, 0},
                 {0, 25},  {1, 31},    {1, FRAMES_LENGTH_MAX + 1}};
    struct frame frame;

    for (size_t i = 0; i < ARRAY_LENGTH(heads); i++) {
        ck_assert_int_eq(next(heads[i].queue, heads[i].length, 4, &frame), -1);
        ck_assert_int_eq(err.status, STATUS_INVALID_ARGUMENT);
    }
}
END_TEST

static int check(const struct virtio_net_hdr *header, unsigned offloads)
{
    struct frame frame = {.data = bytes, .length = FRAMES_VNET_SIZE + 100};

    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes, header, sizeof(*header));
    return frames_check(&frame, offloads, &err);
}

START_TEST(a_header_asks_for_what_was_agreed_only)
{
    const struct virtio_net_hdr plain = {0}, valid = {.flags = VIRTIO_NET_HDR_F_DATA_VALID},
                                sum = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                       .csum_start = 34,
                                       .csum_offset = 16},
                                four = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                        .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                        .gso_size = 50,
                                        .csum_start = 34,
                                        .csum_offset = 16},
                                six = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                       .gso_type = VIRTIO_NET_HDR_GSO_TCPV6,
                                       .gso_size = 50,
                                       .csum_start = 54,
                                       .csum_offset = 16};
    struct virtio_net_hdr ecn = four;

    ecn.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
    OK(check(&plain, 0));
    OK(check(&valid, 0));
    ck_assert_int_eq(check(&sum, 0), -1);
    OK(check(&sum, FRAMES_CSUM));
    ck_assert_int_eq(check(&four, FRAMES_CSUM | FRAMES_TSO6), -1);
    OK(check(&four, FRAMES_CSUM | FRAMES_TSO4));
    ck_assert_int_eq(check(&six, FRAMES_CSUM | FRAMES_TSO4), -1);
    OK(check(&six, FRAMES_CSUM | FRAMES_TSO6));
    ck_assert_int_eq(check(&ecn, FRAMES_CSUM | FRAMES_TSO4), -1);
    OK(check(&ecn, FRAMES_OFFLOADS));
}
END_TEST

START_TEST(a_header_that_leads_out_of_its_packet_is_refused)
{
    const struct virtio_net_hdr good = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16};
    struct virtio_net_hdr headers[] = {good, good, good, good, good, good, good};

    headers[0].csum_start = 83; /* 83 + 16 + 2 is 101 */
    headers[1].csum_start = UINT16_MAX;
    headers[2].csum_offset = UINT16_MAX;
    headers[3].hdr_len = 101;
    headers[4].flags = 0x80;
    headers[5].gso_type = VIRTIO_NET_HDR_GSO_UDP;
    headers[6].gso_type = VIRTIO_NET_HDR_GSO_TCPV4; /* by 0 bytes */
    OK(check(&good, FRAMES_OFFLOADS));
    for (size_t i = 0; i < ARRAY_LENGTH(headers); i++)
        ck_assert_msg(check(&headers[i], FRAMES_OFFLOADS) == -1, "header %zu", i);
}
END_TEST

START_TEST(offloads_are_what_both_can)
{
    ck_assert_uint_eq(frames_common(FRAMES_OFFLOADS, FRAMES_CSUM | FRAMES_TSO4),
                      FRAMES_CSUM | FRAMES_TSO4);
    ck_assert_uint_eq(frames_common(0xff, 0xff), FRAMES_OFFLOADS);
    ck_assert_uint_eq(frames_common(FRAMES_OFFLOADS, FRAMES_TSO4), 0);
}
END_TEST

/* ---- the relay ------------------------------------------------------------------------------- */

static struct loop *loop;
static struct frames_relay *relay;
static int stream, device[FRAMES_QUEUES], inner[FRAMES_QUEUES];
static int ends;
static bool end_had_error;

static void on_ended(void *user, const struct error *why)
{
    ends++;
    end_had_error = why != NULL;
    if (why)
        err = *why;
}

static void setup(void)
{
    struct frames_relay_options options;
    int pair[2];

    ends = 0;
    OK(loop_new(&loop, &err));
    OK(fd_pair(pair, &err));
    options = (struct frames_relay_options){.stream = pair[0]};
    stream = pair[1];
    for (int i = 0; i < FRAMES_QUEUES; i++) {
        ck_assert_int_eq(
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
        options.taps[i] = inner[i] = pair[0];
        device[i] = pair[1];
    }
    OK(frames_relay_new(loop, &options, on_ended, NULL, &relay, &err));
}

static void teardown(void)
{
    frames_relay_free(relay);
    loop_free(loop);
    (void) close(stream);
    for (int i = 0; i < FRAMES_QUEUES; i++) {
        (void) close(device[i]);
        (void) close(inner[i]);
    }
}

static void await(int fd)
{
    struct pollfd poll_fd = {fd, POLLIN, 0};

    ck_assert_int_eq(poll(&poll_fd, 1, 10000), 1);
}

static void read_all(int fd, void *to, size_t length)
{
    for (size_t done = 0; done < length;) {
        await(fd);
        ssize_t n = recv(fd, (uint8_t *) to + done, length - done, 0);
        ck_assert_int_gt(n, 0);
        done += (size_t) n;
    }
}

static void until_end(void)
{
    for (int i = 0; i < 100 && !ends; i++)
        OK(loop_turn(loop, 100, &err));
    ck_assert_int_eq(ends, 1);
}

START_TEST(packets_go_to_the_stream_with_their_queue)
{
    uint8_t packet[60] = {0}, seen[64];

    packet[59] = 7;
    for (int i = 0; i < FRAMES_QUEUES; i++) {
        ck_assert_int_eq(send(device[i], packet, sizeof(packet), 0), sizeof(packet));
        read_all(stream, seen, sizeof(seen));
        ck_assert_int_eq(seen[0], i);
        ck_assert_int_eq(seen[3], 60);
        ck_assert_mem_eq(seen + 4, packet, sizeof(packet));
    }
}
END_TEST

START_TEST(packets_come_from_the_stream_byte_by_byte_or_many_at_once)
{
    uint8_t wire[3 * 64] = {0}, seen[128];

    for (size_t i = 0; i < 3; i++) {
        frames_put_head(wire + i * 64, i == 1 ? FRAMES_LOOPBACK : FRAMES_NETWORK, 60);
        wire[i * 64 + 63] = (uint8_t) i;
    }
    for (size_t i = 0; i < sizeof(wire); i++)
        ck_assert_int_eq(send(stream, wire + i, 1, 0), 1);
    ck_assert_int_eq(send(stream, wire, sizeof(wire), 0), sizeof(wire));
    for (size_t i = 0; i < 6; i++) {
        int from = device[i % 3 == 1 ? FRAMES_LOOPBACK : FRAMES_NETWORK];

        if (i % 3 == 1)
            continue;
        await(from);
        ck_assert_int_eq(recv(from, seen, sizeof(seen), 0), 60);
        ck_assert_int_eq(seen[59], i % 3);
    }
    for (size_t i = 0; i < 2; i++) {
        await(device[FRAMES_LOOPBACK]);
        ck_assert_int_eq(recv(device[FRAMES_LOOPBACK], seen, sizeof(seen), 0), 60);
    }
}
END_TEST

START_TEST(a_header_that_was_not_agreed_is_dropped_and_the_rest_goes_on)
{
    uint8_t wire[2 * 64] = {0}, seen[128];

    frames_put_head(wire, FRAMES_NETWORK, 60);
    wire[4] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    frames_put_head(wire + 64, FRAMES_NETWORK, 60);
    wire[127] = 9;
    ck_assert_int_eq(send(stream, wire, sizeof(wire), 0), sizeof(wire));
    await(device[FRAMES_NETWORK]);
    ck_assert_int_eq(recv(device[FRAMES_NETWORK], seen, sizeof(seen), 0), 60);
    ck_assert_int_eq(seen[59], 9);
    ck_assert_uint_eq(frames_relay_counts(relay).refused, 1);
}
END_TEST

START_TEST(a_stream_that_is_none_ends)
{
    static const uint8_t wire[] = {9, 0, 0, 60};

    ck_assert_int_eq(send(stream, wire, sizeof(wire), 0), sizeof(wire));
    until_end();
    ck_assert(end_had_error);
    ck_assert_ptr_nonnull(strstr(err.message, "no queue 9"));
}
END_TEST

START_TEST(the_end_of_the_stream_is_told_once)
{
    ck_assert_int_eq(shutdown(stream, SHUT_RDWR), 0);
    until_end();
    ck_assert(!end_had_error);
    OK(loop_turn(loop, 50, &err));
    ck_assert_int_eq(ends, 1);
}
END_TEST

/* Nobody reads the stream: it takes what sockets hold and 256 KiB, then the device keeps the rest.
 */
START_TEST(a_device_is_not_read_beyond_what_may_be_pending)
{
    static uint8_t packet[60000];
    struct pollfd poll_fd = {device[FRAMES_NETWORK], POLLOUT, 0};
    size_t sent = 0;

    while (poll(&poll_fd, 1, 500) == 1) {
        ck_assert_int_eq(send(device[FRAMES_NETWORK], packet, sizeof(packet), 0), sizeof(packet));
        sent++;
        ck_assert_uint_lt(sent, 100);
    }
    ck_assert_uint_le(frames_relay_counts(relay).out * sizeof(packet),
                      FRAMES_PENDING_MAX + FRAMES_LENGTH_MAX + 512 * 1024);
    for (size_t i = 0; i < sent; i++) {
        static uint8_t seen[4 + sizeof(packet)];

        read_all(stream, seen, sizeof(seen));
        ck_assert_int_eq(seen[0], FRAMES_NETWORK);
    }
}
END_TEST

START_TEST(a_silent_relay_moves_nothing_and_a_flowing_one_goes_on)
{
    uint8_t wire[64] = {0}, seen[64];

    frames_relay_set_mode(relay, FRAMES_SILENT);
    frames_put_head(wire, FRAMES_NETWORK, 60);
    for (int i = 0; i < FRAMES_QUEUES; i++) {
        wire[0] = (uint8_t) i;
        wire[63] = 1;
        ck_assert_int_eq(send(stream, wire, sizeof(wire), 0), sizeof(wire));
        wire[63] = 2;
        ck_assert_int_eq(send(device[i], wire + 4, 60, 0), 60);
    }
    for (int i = 0; i < 1000 && frames_relay_counts(relay).refused < FRAMES_QUEUES; i++)
        (void) poll(NULL, 0, 10);
    ck_assert_uint_eq(frames_relay_counts(relay).refused, FRAMES_QUEUES);
    ck_assert_uint_eq(frames_relay_counts(relay).in + frames_relay_counts(relay).out, 0);
    frames_relay_set_mode(relay, FRAMES_FLOW);
    for (int i = 0; i < FRAMES_QUEUES; i++) { /* what waited in the devices; what came is gone */
        read_all(stream, seen, sizeof(seen));
        ck_assert_int_eq(seen[63], 2);
        ck_assert_int_eq(recv(device[i], seen, sizeof(seen), MSG_DONTWAIT), -1);
    }
}
END_TEST

int main(void)
{
    const TTest *const codec[] = {
        a_head_and_its_packet_come_back,
        a_part_of_a_packet_waits_for_the_rest,
        a_head_that_no_packet_has_is_refused_before_its_packet_is_there,
        a_header_asks_for_what_was_agreed_only,
        a_header_that_leads_out_of_its_packet_is_refused,
        offloads_are_what_both_can,
        NULL,
    };
    const TTest *const relays[] = {
        packets_go_to_the_stream_with_their_queue,
        packets_come_from_the_stream_byte_by_byte_or_many_at_once,
        a_header_that_was_not_agreed_is_dropped_and_the_rest_goes_on,
        a_stream_that_is_none_ends,
        the_end_of_the_stream_is_told_once,
        a_device_is_not_read_beyond_what_may_be_pending,
        a_silent_relay_moves_nothing_and_a_flowing_one_goes_on,
        NULL,
    };
    const struct suite with_relay = {
        .name = "frames_relay", .setup = setup, .teardown = teardown, .timeout_s = 60};

    if (suite_run("frames", codec) != EXIT_SUCCESS)
        return EXIT_FAILURE;
    return suite_run_with(&with_relay, relays);
}
