/* SPDX-License-Identifier: Apache-2.0 */
#include "share_peer.h"

#include <check.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

uint64_t share_peer_send(struct share_peer *peer, uint32_t opcode, uint64_t node,
                         const struct share_part *parts)
{
    static uint8_t message[1024 * 1024 + 8192];
    struct fuse_in_header header = {.len = sizeof(header),
                                    .opcode = opcode,
                                    .unique = ++peer->unique,
                                    .nodeid = node,
                                    .uid = peer->uid,
                                    .gid = peer->gid};

    for (; parts->bytes; parts++) {
        memcpy(message + header.len, parts->bytes, parts->size);
        header.len += (uint32_t) parts->size;
    }
    memcpy(message, &header, sizeof(header));
    ck_assert_int_eq(send(peer->fd, message, header.len, MSG_NOSIGNAL), header.len);
    return peer->unique;
}

static int read_full(int fd, void *to, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(fd, (uint8_t *) to + done, size - done);

        if (got <= 0)
            return -1;
        done += (size_t) got;
    }
    return 0;
}

int share_peer_receive(struct share_peer *peer, uint64_t *ret_unique)
{
    struct fuse_out_header header;

    if (read_full(peer->fd, &header, sizeof(header)) < 0)
        return 1;
    ck_assert_uint_ge(header.len, sizeof(header));
    ck_assert_uint_le(header.len - sizeof(header), sizeof(peer->answer));
    peer->answer_size = header.len - sizeof(header);
    if (read_full(peer->fd, peer->answer, peer->answer_size) < 0)
        return 1;
    if (ret_unique)
        *ret_unique = header.unique;
    ck_assert_int_le(header.error, 0);
    return header.error;
}

int share_peer_ask(struct share_peer *peer, uint32_t opcode, uint64_t node,
                   const struct share_part *parts)
{
    uint64_t unique = share_peer_send(peer, opcode, node, parts), answered = unique;
    int failed = share_peer_receive(peer, &answered);

    ck_assert_uint_eq(answered, unique);
    return failed;
}

void share_peer_init(struct share_peer *peer)
{
    const struct fuse_init_in in = {
        .major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .flags = UINT32_MAX};
    const struct fuse_init_out *out = (const void *) peer->answer;

    ck_assert_int_eq(ASK(peer, FUSE_INIT, 0, SHARE_STRUCT(in)), 0);
    ck_assert_uint_eq(peer->answer_size, sizeof(*out));
    ck_assert_uint_eq(out->flags & (FUSE_WRITEBACK_CACHE | FUSE_POSIX_LOCKS | FUSE_EXPORT_SUPPORT |
                                    FUSE_DO_READDIRPLUS),
                      0);
}

uint64_t share_peer_find(struct share_peer *peer, uint64_t parent, const char *name)
{
    const struct fuse_entry_out *out = (const void *) peer->answer;

    ck_assert_int_eq(ASK(peer, FUSE_LOOKUP, parent, SHARE_NAME(name)), 0);
    ck_assert_uint_eq(peer->answer_size, sizeof(*out));
    return out->nodeid;
}
