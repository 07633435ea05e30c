/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A peer that says what it likes: single messages to a server, and their answers. */
#include <linux/fuse.h>
#include <stddef.h>
#include <stdint.h>

struct share_peer {
    int fd;
    uint64_t unique;
    uint32_t uid;
    uint32_t gid;
    uint8_t answer[1024 * 1024 + 4096]; /* what followed the header */
    size_t answer_size;
};

struct share_part {
    const void *bytes;
    size_t size;
};
#define SHARE_STRUCT(name) ((struct share_part){&(name), sizeof(name)})
#define SHARE_NAME(text)   ((struct share_part){(text), strlen(text) + 1})
#define SHARE_NOTHING      ((struct share_part){NULL, 0})

/* Returns the unique id. Fails the test if the server does not take it. */
uint64_t share_peer_send(struct share_peer *peer, uint32_t opcode, uint64_t node,
                         const struct share_part *parts);
/* The error of the next answer, 0 or negative; 1 if the server closed. */
int share_peer_receive(struct share_peer *peer, uint64_t *ret_unique);
/* Both; parts end with SHARE_NOTHING. */
int share_peer_ask(struct share_peer *peer, uint32_t opcode, uint64_t node,
                   const struct share_part *parts);
#define ASK(peer, opcode, node, ...)                                                               \
    share_peer_ask(peer, opcode, node, (const struct share_part[]){__VA_ARGS__, SHARE_NOTHING})

void share_peer_init(struct share_peer *peer);
/* The node of a name, which has to be there. */
uint64_t share_peer_find(struct share_peer *peer, uint64_t parent, const char *name);
