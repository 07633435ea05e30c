/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Private to this directory: what one operation in gRPC's completion queue is to us, and messages.
 */
#include <stdbool.h>
#include <stdint.h>

struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;
struct grpc_byte_buffer;
struct grpc_completion_queue;
struct loop;
struct rpc_queue;
struct source;

/* Both ends are ours and close: the window need not be probed for (by pings, with timers that wake
 * an idle process), and a frame may hold the largest piece of a container's output. */
enum { RPC_WINDOW = 1 << 20, RPC_FRAME = 128 << 10 };

struct rpc_tag {
    void (*complete)(struct rpc_tag *tag, bool ok); /* on the loop */
    struct rpc_tag *next;
    bool ok;
};

struct grpc_completion_queue *rpc_queue_raw(struct rpc_queue *queue);
struct loop *rpc_queue_loop(struct rpc_queue *queue);
/* Counts the objects that still have operations of theirs in the queue, or may start some. */
void rpc_queue_hold(struct rpc_queue *queue);
void rpc_queue_drop(struct rpc_queue *queue);

/* Notices that the peer of a stream socket has closed it, although gRPC owns the descriptor and
 * does not say: an epoll set of our own is readable from then on. The set does not keep fd open. */
struct rpc_hangup {
    int epoll_fd;
    struct source *source;
    void (*fn)(void *user);
    void *user;
};
void rpc_hangup_start(struct rpc_hangup *hangup, struct loop *loop, int fd);
void rpc_hangup_stop(struct rpc_hangup *hangup);

struct grpc_byte_buffer *rpc_message_pack(const struct ProtobufCMessage *message);
/* NULL if it is not such a message. The caller frees it with protobuf_c_message_free_unpacked(). */
struct ProtobufCMessage *rpc_message_unpack(const struct ProtobufCMessageDescriptor *type,
                                            struct grpc_byte_buffer *buffer);
