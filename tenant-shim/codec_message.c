/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_message.h"

#include <assert.h>
#include <malloc.h>

#include "agent.pb-c.h"
#include "base/bytes.h"
#include "base/scoped.h"

struct ProtobufCMessage *message_copy(const struct ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    scoped(freep) uint8_t *bytes = xalloc(size + 1);
    struct ProtobufCMessage *copy;

    protobuf_c_message_pack(message, bytes);
    copy = protobuf_c_message_unpack(message->descriptor, NULL, size, bytes);
    bytes_wipe(bytes, size);
    assert(copy);
    return copy;
}

static void *allocate(void *nothing, size_t size)
{
    return malloc(size);
}

static void wipe_and_free(void *nothing, void *memory)
{
    if (memory)
        bytes_wipe(memory, malloc_usable_size(memory));
    free(memory);
}

void message_free(struct ProtobufCMessage *message)
{
    ProtobufCAllocator wiping = {.alloc = allocate, .free = wipe_and_free};

    protobuf_c_message_free_unpacked(message, &wiping);
}
