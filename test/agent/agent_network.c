/* SPDX-License-Identifier: Apache-2.0 */
/* The tenant's end of a pod's network by hand: what the guest's kernel says for the workload, and
 * that it says nothing while the guest is frozen. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include "base/guest_disk.h"
#include "base/log.h"
#include "base/scoped.h"
#include "bed.h"
#include "io/frames.h"
#include "io/loopwire.h"
#include "lease_peer.h"
#include "secure/channel.h"

#define POD_ADDRESS  "10.98.0.2"
#define PEER_ADDRESS "10.98.0.3"

enum {
    QUESTION_MAX = FRAMES_HEAD_SIZE + FRAMES_VNET_SIZE + 64,
    PATIENCE_MS = 10000,
    AGAIN_MS = 500
};

static const uint8_t pod_mac[6] = {2, 0, 0, 0, 0, 2}, peer_mac[6] = {2, 0, 0, 0, 0, 3};

struct wire {
    struct channel *channel;
    int fd;
    uint8_t data[FRAMES_PACKET_MAX];
    size_t have;
};

/* ---- questions that a kernel answers --------------------------------------------------------- */

static uint16_t checksum(const void *data, size_t length)
{
    const uint8_t *bytes = data;
    uint32_t sum = 0;

    for (size_t i = 0; i < length; i += 2)
        sum += (uint32_t) bytes[i] << 8 | bytes[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t) ~sum);
}

/* Who has the pod's address? */
static size_t write_arp(uint8_t *to)
{
    struct ether_header head = {.ether_type = htons(ETHERTYPE_ARP)};
    struct ether_arp arp = {.ea_hdr = {.ar_hrd = htons(ARPHRD_ETHER),
                                       .ar_pro = htons(ETHERTYPE_IP),
                                       .ar_hln = 6,
                                       .ar_pln = 4,
                                       .ar_op = htons(ARPOP_REQUEST)}};

    memset(head.ether_dhost, 0xff, 6);
    memcpy(head.ether_shost, peer_mac, 6);
    memcpy(arp.arp_sha, peer_mac, 6);
    (void) inet_pton(AF_INET, PEER_ADDRESS, arp.arp_spa);
    (void) inet_pton(AF_INET, POD_ADDRESS, arp.arp_tpa);
    memcpy(to, &head, sizeof(head));
    memcpy(to + sizeof(head), &arp, sizeof(arp));
    return sizeof(head) + sizeof(arp);
}

static bool is_arp_answer(const struct frame *frame)
{
    const struct ether_arp *arp;

    if (frame->queue != FRAMES_NETWORK ||
        frame->length < FRAMES_VNET_SIZE + sizeof(struct ether_header) + sizeof(*arp))
        return false;
    arp = (const void *) (frame->data + FRAMES_VNET_SIZE + sizeof(struct ether_header));
    return arp->ea_hdr.ar_op == htons(ARPOP_REPLY) && memcmp(arp->arp_sha, pod_mac, 6) == 0;
}

/* A ping of the pod's 127.0.0.1, as the node's loopback would send it. */
static size_t write_ping(uint8_t *to)
{
    struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_ICMP};
    struct icmphdr icmp = {.type = ICMP_ECHO};

    ip.tot_len = htons(sizeof(ip) + sizeof(icmp));
    (void) inet_pton(AF_INET, LOOPWIRE_PEER4, &ip.saddr);
    (void) inet_pton(AF_INET, "127.0.0.1", &ip.daddr);
    ip.check = checksum(&ip, sizeof(ip));
    icmp.checksum = checksum(&icmp, sizeof(icmp));
    memcpy(to, &ip, sizeof(ip));
    memcpy(to + sizeof(ip), &icmp, sizeof(icmp));
    return sizeof(ip) + sizeof(icmp);
}

static bool is_ping_answer(const struct frame *frame)
{
    const struct icmphdr *icmp;

    if (frame->queue != FRAMES_LOOPBACK ||
        frame->length < FRAMES_VNET_SIZE + sizeof(struct iphdr) + sizeof(*icmp))
        return false;
    icmp = (const void *) (frame->data + FRAMES_VNET_SIZE + sizeof(struct iphdr));
    return icmp->type == ICMP_ECHOREPLY;
}

static const struct question {
    const char *name;
    size_t (*write)(uint8_t *to);
    bool (*is_answer)(const struct frame *frame);
} questions[FRAMES_QUEUES] = {
    [FRAMES_NETWORK] = {"eth0", write_arp, is_arp_answer},
    [FRAMES_LOOPBACK] = {"the loopback wire", write_ping, is_ping_answer},
};

static void ask(const struct wire *wire, enum frames_queue queue)
{
    uint8_t packet[QUESTION_MAX] = {0};
    size_t length = FRAMES_VNET_SIZE +
                    questions[queue].write(packet + FRAMES_HEAD_SIZE + FRAMES_VNET_SIZE);

    frames_put_head(packet, queue, length);
    length += FRAMES_HEAD_SIZE;
    EXPECT(send(wire->fd, packet, length, MSG_NOSIGNAL) == (ssize_t) length, "send: %m");
}

/* Takes what has come; was the answer in it? */
static bool hear(struct wire *wire, enum frames_queue queue)
{
    ssize_t n = recv(wire->fd, wire->data + wire->have, sizeof(wire->data) - wire->have,
                     MSG_DONTWAIT);
    bool heard = false;
    struct frame frame;
    struct error err;
    int r;

    EXPECT(n > 0 || (n < 0 && errno == EAGAIN), "the frames connection has ended");
    if (n < 0)
        return false;
    wire->have += (size_t) n;
    while ((r = frames_next(wire->data, wire->have, &frame, &err)) == 1) {
        size_t used = FRAMES_HEAD_SIZE + frame.length;

        heard |= questions[queue].is_answer(&frame);
        wire->have -= used;
        memmove(wire->data, wire->data + used, wire->have);
    }
    EXPECT(r == 0, "%s", err.message);
    return heard;
}

/* It is asked again: a device that is just up may lose its first answer. */
static bool is_answered(struct bed *bed, struct wire *wire, enum frames_queue queue,
                        unsigned patience_ms)
{
    for (unsigned ms = 0; ms < patience_ms; ms += 10) {
        if (ms % AGAIN_MS == 0)
            ask(wire, queue);
        bed_turn(bed, 10);
        if (hear(wire, queue))
            return true;
    }
    return false;
}

static void all_answer(struct bed *bed, struct wire *wire)
{
    for (int queue = 0; queue < FRAMES_QUEUES; queue++)
        EXPECT(is_answered(bed, wire, (enum frames_queue) queue, PATIENCE_MS),
               "nobody answers at %s", questions[queue].name);
}

static void none_answers(struct bed *bed, struct wire *wire)
{
    for (int queue = 0; queue < FRAMES_QUEUES; queue++)
        EXPECT(!is_answered(bed, wire, (enum frames_queue) queue, 300),
               "a frozen guest answers at %s", questions[queue].name);
}

/* ---- the pod --------------------------------------------------------------------------------- */

static void configure(struct bed *bed)
{
    Agent__ConfigureRequest request = AGENT__CONFIGURE_REQUEST__INIT;
    struct guest_net net = {.mtu = 1500, .address_count = 1};
    uint8_t block[GUEST_DISK_BLOCK];
    struct error err;

    memcpy(net.mac, pod_mac, 6);
    net.addresses[0].family = AF_INET;
    net.addresses[0].prefix = 24;
    (void) inet_pton(AF_INET, POD_ADDRESS, net.addresses[0].address);
    EXPECT(guest_net_write(&net, block, &err) == 0, "%s", err.message);
    request.key = bed_key(bed);
    request.api_min = request.api_max = 1;
    request.hostname = (char *) (uintptr_t) "pod";
    request.network = (ProtobufCBinaryData){sizeof(block), block};
    protobuf_c_message_free_unpacked(
        bed_must(bed, "Configure", &request, &agent__configure_response__descriptor), NULL);
}

static void joined(void *user, struct channel *channel, const struct error *err)
{
    bool *done = user;

    (void) channel;
    EXPECT(!err, "join: %s", err->message);
    *done = true;
}

static void wire_open(struct bed *bed, struct wire *wire)
{
    bool done = false;
    struct error err;

    *wire = (struct wire){.fd = -1};
    EXPECT(channel_join(bed->control_channel, CHANNEL_FRAMES, joined, &done, &wire->channel,
                        &err) == 0,
           "%s", err.message);
    bed_until(bed, &done, "the frames connection");
    EXPECT(channel_take_fd(wire->channel, &wire->fd, &err) == 0, "%s", err.message);
}

static void wire_close(struct wire *wire)
{
    closep(&wire->fd);
    channel_free(wire->channel);
}

static void frozen_is_silent(struct bed *bed)
{
    struct wire first, second;

    wire_open(bed, &first);
    all_answer(bed, &first);
    bed_step("the pod's kernel answers");
    lease_must_renew(bed, 100, 0, 60000, false);
    lease_must_renew(bed, 101, 10000, 60000, true); /* as if it had stood still for 10 s */
    none_answers(bed, &first);
    bed_step("frozen: it is silent");
    lease_must_renew(bed, 102, 10000, 60000, true);
    lease_appraise(bed, 2);
    none_answers(bed, &first);
    lease_must_renew(bed, 103, 10000, 60000, false);
    all_answer(bed, &first);
    bed_step("appraised and renewed: the same connection goes on");
    lease_must_renew(bed, 104, 20000, 60000, true);
    wire_open(bed, &second);
    none_answers(bed, &second);
    bed_step("frozen: a new connection is as silent");
    lease_appraise(bed, 3);
    lease_must_renew(bed, 105, 20000, 60000, false);
    all_answer(bed, &second);
    bed_step("and it goes on as well");
    wire_close(&first);
    wire_close(&second);
}

int main(void)
{
    const struct bed_options options = {.pod_network = true};
    struct bed bed;

    log_open("agent-network");
    bed_open_with(&bed, &options);
    bed_connect(&bed);
    configure(&bed);
    frozen_is_silent(&bed);
    bed_close(&bed);
    bed_steps_end();
    return EXIT_SUCCESS;
}
