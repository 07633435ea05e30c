/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_message.h"

#include <assert.h>

#include "agent.pb-c.h"
#include "base/scoped.h"

struct ProtobufCMessage *message_copy(const struct ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    scoped(freep) uint8_t *bytes = xalloc(size + 1);
    struct ProtobufCMessage *copy;

    protobuf_c_message_pack(message, bytes);
    copy = protobuf_c_message_unpack(message->descriptor, NULL, size, bytes);
    assert(copy);
    return copy;
}

void message_free(struct ProtobufCMessage *message)
{
    protobuf_c_message_free_unpacked(message, NULL);
}
