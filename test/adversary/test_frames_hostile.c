/* SPDX-License-Identifier: Apache-2.0 */
/* A peer of the pod's network who breaks its rules, over the real channel: the guest towards the
 * tenant's node, and the other way round. Devices are sockets that keep the borders of packets. */
#include <linux/virtio_net.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/random.h"
#include "base/scoped.h"
#include "io/frames_relay.h"
#include "io/loop.h"
#include "pair.h"
#include "suite.h"

enum side { OURS_IS_TENANT, OURS_IS_GUEST };

static struct pair pair;
static struct outcome tenant, frames;
static struct frames_relay *relay;
static int hostile, device[FRAMES_QUEUES], inner[FRAMES_QUEUES];
static bool ended;
static struct error why;
static struct error err;

#define OK(call) ck_assert_msg((call) == 0, "%s: %s", #call, err.message)

static void on_ended(void *user, const struct error *fault)
{
    (void) user;
    ended = true;
    why = fault ? *fault : (struct error){0};
}

static void make_devices(struct frames_relay_options *options)
{
    for (int i = 0; i < FRAMES_QUEUES; i++) {
        int ends[2];

        ck_assert_int_eq(
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        options->taps[i] = inner[i] = ends[0];
        device[i] = ends[1];
    }
}

static void begin(enum side side)
{
    struct frames_relay_options options = {.offloads = FRAMES_CSUM | FRAMES_TSO4};
    struct outcome *guest;

    pair_init(&pair);
    pair_listen(&pair);
    ended = false;
    (void) pair_open(&pair, &tenant);
    guest = pair_join_class(&pair, &tenant, CHANNEL_FRAMES, &frames);
    make_devices(&options);
    OK(channel_take_fd(side == OURS_IS_TENANT ? frames.channel : guest->channel, &options.stream,
                       &err));
    OK(channel_take_fd(side == OURS_IS_TENANT ? guest->channel : frames.channel, &hostile, &err));
    OK(frames_relay_new(pair.loop, &options, on_ended, NULL, &relay, &err));
}

static void finish(void)
{
    frames_relay_free(take_ptr(relay));
    (void) close(hostile);
    for (int i = 0; i < FRAMES_QUEUES; i++) {
        (void) close(device[i]);
        (void) close(inner[i]);
    }
    outcome_fini(&frames);
    outcome_fini(&tenant);
    pair_fini(&pair);
}

static void say(const void *data, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t n = send(hostile, (const uint8_t *) data + done, length - done, MSG_NOSIGNAL);

        if (n > 0)
            done += (size_t) n;
        else if (ended)
            return;
        else
            pair_turns(&pair, 1);
    }
}

static bool device_has(enum frames_queue queue)
{
    struct pollfd fd = {device[queue], POLLIN, 0};

    return poll(&fd, 1, 0) == 1;
}

static void until_ended_for(const char *word)
{
    pair_until(&pair, &ended);
    ck_assert_msg(strstr(why.message, word), "%s", why.message);
    for (int i = 0; i < FRAMES_QUEUES; i++)
        ck_assert(!device_has((enum frames_queue) i));
}

static const enum side sides[] = {OURS_IS_TENANT, OURS_IS_GUEST};

START_TEST(a_length_or_a_queue_that_is_none_ends_the_connection)
{
    static const uint8_t heads[][FRAMES_HEAD_SIZE] = {
        {2, 0, 0, 60},                      /* queue 2 */
        {255, 0, 0, 60},                    /* queue 255 */
        {0, 1, 0, 65},                      /* 65,601 bytes */
        {1, 0xff, 255, 255},                /* 16 MiB */
        {0, 0, 0, 0},        {0, 0, 0, 25}, /* less than an Ethernet header */
        {1, 0, 0, 31},                      /* less than an IP header */
    };

    for (size_t s = 0; s < ARRAY_LENGTH(sides); s++) {
        for (size_t i = 0; i < ARRAY_LENGTH(heads); i++) {
            begin(sides[s]);
            say(heads[i], FRAMES_HEAD_SIZE);
            until_ended_for("frames:");
            finish();
        }
    }
}
END_TEST

START_TEST(headers_that_ask_for_more_than_was_agreed_reach_no_device)
{
    const struct virtio_net_hdr bad[] = {
        {.gso_type = VIRTIO_NET_HDR_GSO_UDP, .gso_size = 8},
        {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
         .gso_type = VIRTIO_NET_HDR_GSO_TCPV6,
         .gso_size = 8,
         .csum_start = 20,
         .csum_offset = 2},
        {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 47, .csum_offset = 2},
        {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 0xffff, .csum_offset = 0xffff},
        {.flags = 0xf0},
        {.hdr_len = 0xffff},
    };
    uint8_t packet[FRAMES_HEAD_SIZE + 60] = {0}, seen[100];

    for (size_t s = 0; s < ARRAY_LENGTH(sides); s++) {
        begin(sides[s]);
        frames_put_head(packet, FRAMES_NETWORK, 60);
        for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
            memcpy(packet + FRAMES_HEAD_SIZE, &bad[i], sizeof(bad[i]));
            say(packet, sizeof(packet));
        }
        memset(packet + FRAMES_HEAD_SIZE, 0, 60);
        packet[sizeof(packet) - 1] = 7; /* and a good one, which still comes */
        say(packet, sizeof(packet));
        for (int i = 0; i < PAIR_TURNS_MAX && !device_has(FRAMES_NETWORK); i++)
            pair_turns(&pair, 1);
        ck_assert_int_eq(recv(device[FRAMES_NETWORK], seen, sizeof(seen), 0), 60);
        ck_assert_int_eq(seen[59], 7);
        ck_assert(!device_has(FRAMES_NETWORK) && !ended);
        ck_assert_uint_eq(frames_relay_counts(relay).refused, ARRAY_LENGTH(bad));
        finish();
    }
}
END_TEST

/* Segmentation is for the pod's network; nobody agreed on it for the loopback wire. */
START_TEST(the_loopback_wire_has_no_offloads)
{
    const struct virtio_net_hdr header = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 20, .csum_offset = 2};
    uint8_t packet[FRAMES_HEAD_SIZE + 60] = {0};

    begin(OURS_IS_TENANT);
    frames_put_head(packet, FRAMES_LOOPBACK, 60);
    memcpy(packet + FRAMES_HEAD_SIZE, &header, sizeof(header));
    say(packet, sizeof(packet));
    for (int i = 0; i < PAIR_TURNS_MAX && frames_relay_counts(relay).refused == 0; i++)
        pair_turns(&pair, 1);
    ck_assert_uint_eq(frames_relay_counts(relay).refused, 1);
    ck_assert(!device_has(FRAMES_LOOPBACK));
    finish();
}
END_TEST

START_TEST(a_packet_that_never_ends_takes_no_more_than_its_buffer)
{
    uint8_t head[FRAMES_HEAD_SIZE];

    begin(OURS_IS_TENANT);
    frames_put_head(head, FRAMES_NETWORK, FRAMES_LENGTH_MAX);
    say(head, sizeof(head));
    pair_turns(&pair, 5);
    ck_assert(!ended && !device_has(FRAMES_NETWORK));
    OK(shutdown(hostile, SHUT_RDWR)); /* half a packet is none */
    pair_until(&pair, &ended);
    ck_assert(!device_has(FRAMES_NETWORK));
    finish();
}
END_TEST

START_TEST(noise_ends_the_connection_or_is_dropped)
{
    static uint8_t noise[1 << 16];

    for (int round = 0; round < 20; round++) {
        begin(OURS_IS_TENANT);
        random_bytes(noise, sizeof(noise));
        say(noise, sizeof(noise));
        (void) shutdown(hostile, SHUT_RDWR);
        pair_until(&pair, &ended);
        finish();
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_length_or_a_queue_that_is_none_ends_the_connection,
        headers_that_ask_for_more_than_was_agreed_reach_no_device,
        the_loopback_wire_has_no_offloads,
        a_packet_that_never_ends_takes_no_more_than_its_buffer,
        noise_ends_the_connection_or_is_dropped,
        NULL,
    };

    return suite_run_with(&(struct suite){.name = "frames_hostile", .timeout_s = 120}, tests);
}
