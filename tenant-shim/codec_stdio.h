/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* agent.StdioFrame in plain terms. */
#include <stddef.h>
#include <stdint.h>
#include "grpc/client.h"

enum stdio_frame_kind { STDIO_DATA, STDIO_CONSUMED, STDIO_FINAL, STDIO_ERROR, STDIO_OTHER };

enum { STDIO_DATA_MAX = 64 * 1024 };

struct stdio_frame {
    const char *container_id;
    const char *exec_id;
    uint32_t fd;
    enum stdio_frame_kind kind;
    uint64_t offset; /* of data; the consumed count; the total of final */
    const uint8_t *data;
    size_t length;
    const uint8_t *sha256; /* of final: 32 bytes */
    const char *error;
};

/* Borrows from the message. A malformed one becomes STDIO_OTHER. */
void stdio_frame_decode(const struct ProtobufCMessage *message, struct stdio_frame *ret);
/* The call must be writable. */
void stdio_frame_write(struct rpc_call *call, const struct stdio_frame *frame);
int stdio_call_open(struct rpc_channel *bulk, const struct rpc_call_events *events, void *user,
                    struct rpc_call **ret) __attribute__((warn_unused_result));
