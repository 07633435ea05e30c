/* SPDX-License-Identifier: Apache-2.0 */
/* protobuf-c messages in gRPC's buffers, and the hang-up watch of a connection. */
#include <errno.h>
#include <sys/epoll.h>

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <protobuf-c/protobuf-c.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"
#include "base/scoped.h"
#include "grpc/tag.h"
#include "io/loop.h"

static void wipe_and_free(void *bytes, size_t length)
{
    bytes_wipe(bytes, length);
    free(bytes);
}

/* Wiped when gRPC is done with it: some messages carry secrets, and none is large. */
struct grpc_byte_buffer *rpc_message_pack(const struct ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = xalloc(size + 1);
    grpc_slice slice = grpc_slice_new_with_len(bytes, size, wipe_and_free);
    grpc_byte_buffer *buffer;

    (void) protobuf_c_message_pack(message, bytes);
    buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

struct ProtobufCMessage *rpc_message_unpack(const struct ProtobufCMessageDescriptor *type,
                                            struct grpc_byte_buffer *buffer)
{
    grpc_byte_buffer_reader reader;
    ProtobufCMessage *message;
    grpc_slice slice;

    if (!grpc_byte_buffer_reader_init(&reader, buffer))
        return NULL;
    slice = grpc_byte_buffer_reader_readall(&reader);
    message = protobuf_c_message_unpack(type, NULL, GRPC_SLICE_LENGTH(slice),
                                        GRPC_SLICE_START_PTR(slice));
    grpc_slice_unref(slice);
    grpc_byte_buffer_reader_destroy(&reader);
    return message;
}

static void hung_up(void *user, uint32_t events)
{
    struct rpc_hangup *hangup = user;
    void (*fn)(void *) = hangup->fn;
    void *owner = hangup->user;

    rpc_hangup_stop(hangup);
    fn(owner);
}

void rpc_hangup_start(struct rpc_hangup *hangup, struct loop *loop, int fd)
{
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLHUP};
    struct error err;

    hangup->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (hangup->epoll_fd < 0 || epoll_ctl(hangup->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        log_warn("cannot watch a connection for its end: %s", strerror(errno));
    else if (loop_watch_fd(loop, hangup->epoll_fd, LOOP_READ, hung_up, hangup, &hangup->source,
                           &err) < 0)
        log_warn("cannot watch a connection for its end: %s", err.message);
}

void rpc_hangup_stop(struct rpc_hangup *hangup)
{
    if (hangup->source)
        source_free(take_ptr(hangup->source));
    if (hangup->epoll_fd >= 0)
        close(take_fd(hangup->epoll_fd));
}
