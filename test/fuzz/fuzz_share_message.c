/* SPDX-License-Identifier: Apache-2.0 */
/* A message to the live share: the first byte is its opcode, the rest its body. What is let through
 * lies inside of the message, and names are what the server takes them for. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fuse.h>

#include "message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const char *name, const char *start, const char *end)
{
    if (name &&
        (name < start || name >= end || !memchr(name, '\0', (size_t) (end - name)) || !*name))
        abort();
}

static int has_attribute(uint32_t opcode)
{
    return opcode == FUSE_SETXATTR || opcode == FUSE_GETXATTR || opcode == FUSE_REMOVEXATTR;
}

static void check(const struct message *message, const uint8_t *bytes, size_t size)
{
    const char *start = (const char *) bytes, *end = start + size;

    check_name(message->name, start, end);
    check_name(message->other, start, end);
    if (message->name && !has_attribute(message->opcode) &&
        (strchr(message->name, '/') || !strcmp(message->name, ".") || !strcmp(message->name, "..")))
        abort();
    if (message->length > 0 && message->data + message->length != bytes + size)
        abort();
    if ((uintptr_t) message->body % 8 != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t length = sizeof(struct fuse_in_header) + (size > 0 ? size - 1 : 0);
    uint8_t *bytes = calloc(1, length); /* of that very size, for ASan */
    struct message message;

    if (!bytes)
        abort();
    memcpy(bytes, &(struct fuse_in_header){.len = (uint32_t) length, .opcode = size ? data[0] : 0},
           sizeof(struct fuse_in_header));
    if (size > 1)
        memcpy(bytes + sizeof(struct fuse_in_header), data + 1, size - 1);
    if (message_parse(bytes, length, &message) == MESSAGE_GOOD)
        check(&message, bytes, length);
    free(bytes);
    return 0;
}
