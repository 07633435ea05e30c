/* SPDX-License-Identifier: Apache-2.0 */
#include "io/frames.h"

#include <linux/virtio_net.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/scoped.h"

enum { LENGTH_BITS = 24, ETHERNET_HEAD = 14, IP_HEAD = 20 };

/* Behind the TAP's header: what a packet of this queue has at least. */
static const size_t least[FRAMES_QUEUES] = {
    [FRAMES_NETWORK] = ETHERNET_HEAD,
    [FRAMES_LOOPBACK] = IP_HEAD,
};

unsigned frames_common(unsigned ours, unsigned theirs)
{
    unsigned both = ours & theirs & FRAMES_OFFLOADS;

    return both & FRAMES_CSUM ? both : 0;
}

void frames_put_head(uint8_t to[FRAMES_HEAD_SIZE], enum frames_queue queue, size_t length)
{
    to[0] = (uint8_t) queue;
    to[1] = (uint8_t) (length >> 16);
    to[2] = (uint8_t) (length >> 8);
    to[3] = (uint8_t) length;
}

int frames_next(const uint8_t *data, size_t size, struct frame *ret, struct error *err)
{
    struct reader reader;
    uint32_t head, length;
    unsigned queue;

    if (size < FRAMES_HEAD_SIZE)
        return 0;
    reader_init(&reader, data, size);
    head = reader_u32(&reader);
    queue = head >> LENGTH_BITS;
    length = head & ((1u << LENGTH_BITS) - 1);
    if (queue >= FRAMES_QUEUES)
        return error_set(err, STATUS_INVALID_ARGUMENT, "frames: there is no queue %u", queue);
    if (length > FRAMES_LENGTH_MAX || length < FRAMES_VNET_SIZE + least[queue])
        return error_set(err, STATUS_INVALID_ARGUMENT, "frames: a packet of %u bytes in queue %u",
                         length, queue);
    if (reader_left(&reader) < length)
        return 0;
    *ret = (struct frame){
        .queue = (enum frames_queue) queue, .data = data + FRAMES_HEAD_SIZE, .length = length};
    return 1;
}

static int check_segments(const struct virtio_net_hdr *header, unsigned offloads, struct error *err)
{
    static const struct {
        uint8_t type;
        unsigned offload;
    } types[] = {
        {VIRTIO_NET_HDR_GSO_TCPV4, FRAMES_TSO4},
        {VIRTIO_NET_HDR_GSO_TCPV6, FRAMES_TSO6},
    };
    unsigned type = header->gso_type & ~(unsigned) VIRTIO_NET_HDR_GSO_ECN;

    if (header->gso_type & VIRTIO_NET_HDR_GSO_ECN && !(offloads & FRAMES_TSO_ECN))
        return error_set(err, STATUS_INVALID_ARGUMENT, "frames: ECN was not agreed");
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        if (types[i].type == type && offloads & types[i].offload && header->gso_size > 0 &&
            header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
            return 0;
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "frames: segmentation of type %u by %u bytes was not agreed", type,
                     header->gso_size);
}

int frames_check(const struct frame *frame, unsigned offloads, struct error *err)
{
    const unsigned flags = VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID;
    size_t length = frame->length - FRAMES_VNET_SIZE;
    struct virtio_net_hdr header;

    memcpy(&header, frame->data, sizeof(header));
    if (header.flags & ~flags || header.hdr_len > length)
        return error_set(err, STATUS_INVALID_ARGUMENT, "frames: a header of no meaning");
    if (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM &&
        (!(offloads & FRAMES_CSUM) ||
         (size_t) header.csum_start + header.csum_offset + sizeof(uint16_t) > length))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "frames: a checksum at %u+%u of %zu bytes, or none was agreed",
                         header.csum_start, header.csum_offset, length);
    return header.gso_type == VIRTIO_NET_HDR_GSO_NONE ? 0 : check_segments(&header, offloads, err);
}
