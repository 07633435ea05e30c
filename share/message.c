/* SPDX-License-Identifier: Apache-2.0 */
#include "message.h"

#include <linux/fuse.h>
#include <stdbool.h>
#include <string.h>

#include "base/scoped.h"
#include "base/text.h"

_Static_assert(sizeof(struct fuse_in_header) == MESSAGE_HEADER_SIZE, "the kernel's header");

enum name_kind {
    NAME_NONE,
    NAME_COMPONENT, /* no '/', not '.', not '..': the kernel resolves those itself */
    NAME_ATTRIBUTE,
    NAME_TARGET, /* a symbolic link's text: anything, we never follow it */
};

/* What a message of an opcode consists of, in this order. An opcode without a row is not served. */
static const struct layout {
    bool served;
    uint8_t fixed;
    enum name_kind name;
    enum name_kind other;
} layouts[] = {
    [FUSE_LOOKUP] = {true, 0, NAME_COMPONENT, NAME_NONE},
    [FUSE_FORGET] = {true, sizeof(struct fuse_forget_in), NAME_NONE, NAME_NONE},
    [FUSE_GETATTR] = {true, sizeof(struct fuse_getattr_in), NAME_NONE, NAME_NONE},
    [FUSE_SETATTR] = {true, sizeof(struct fuse_setattr_in), NAME_NONE, NAME_NONE},
    [FUSE_READLINK] = {true, 0, NAME_NONE, NAME_NONE},
    [FUSE_SYMLINK] = {true, 0, NAME_COMPONENT, NAME_TARGET},
    [FUSE_MKNOD] = {true, sizeof(struct fuse_mknod_in), NAME_COMPONENT, NAME_NONE},
    [FUSE_MKDIR] = {true, sizeof(struct fuse_mkdir_in), NAME_COMPONENT, NAME_NONE},
    [FUSE_UNLINK] = {true, 0, NAME_COMPONENT, NAME_NONE},
    [FUSE_RMDIR] = {true, 0, NAME_COMPONENT, NAME_NONE},
    [FUSE_RENAME] = {true, sizeof(struct fuse_rename_in), NAME_COMPONENT, NAME_COMPONENT},
    [FUSE_LINK] = {true, sizeof(struct fuse_link_in), NAME_COMPONENT, NAME_NONE},
    [FUSE_OPEN] = {true, sizeof(struct fuse_open_in), NAME_NONE, NAME_NONE},
    [FUSE_READ] = {true, sizeof(struct fuse_read_in), NAME_NONE, NAME_NONE},
    [FUSE_WRITE] = {true, sizeof(struct fuse_write_in), NAME_NONE, NAME_NONE},
    [FUSE_STATFS] = {true, 0, NAME_NONE, NAME_NONE},
    [FUSE_RELEASE] = {true, sizeof(struct fuse_release_in), NAME_NONE, NAME_NONE},
    [FUSE_FSYNC] = {true, sizeof(struct fuse_fsync_in), NAME_NONE, NAME_NONE},
    [FUSE_SETXATTR] = {true, FUSE_COMPAT_SETXATTR_IN_SIZE, NAME_ATTRIBUTE, NAME_NONE},
    [FUSE_GETXATTR] = {true, sizeof(struct fuse_getxattr_in), NAME_ATTRIBUTE, NAME_NONE},
    [FUSE_LISTXATTR] = {true, sizeof(struct fuse_getxattr_in), NAME_NONE, NAME_NONE},
    [FUSE_REMOVEXATTR] = {true, 0, NAME_ATTRIBUTE, NAME_NONE},
    [FUSE_FLUSH] = {true, sizeof(struct fuse_flush_in), NAME_NONE, NAME_NONE},
    /* Grew over time; no field behind the first four is read. */
    [FUSE_INIT] = {true, offsetof(struct fuse_init_in, flags2), NAME_NONE, NAME_NONE},
    [FUSE_OPENDIR] = {true, sizeof(struct fuse_open_in), NAME_NONE, NAME_NONE},
    [FUSE_READDIR] = {true, sizeof(struct fuse_read_in), NAME_NONE, NAME_NONE},
    [FUSE_RELEASEDIR] = {true, sizeof(struct fuse_release_in), NAME_NONE, NAME_NONE},
    [FUSE_FSYNCDIR] = {true, sizeof(struct fuse_fsync_in), NAME_NONE, NAME_NONE},
    [FUSE_SETLK] = {true, sizeof(struct fuse_lk_in), NAME_NONE, NAME_NONE},
    [FUSE_SETLKW] = {true, sizeof(struct fuse_lk_in), NAME_NONE, NAME_NONE},
    [FUSE_CREATE] = {true, sizeof(struct fuse_create_in), NAME_COMPONENT, NAME_NONE},
    [FUSE_INTERRUPT] = {true, sizeof(struct fuse_interrupt_in), NAME_NONE, NAME_NONE},
    [FUSE_DESTROY] = {true, 0, NAME_NONE, NAME_NONE},
    [FUSE_BATCH_FORGET] = {true, sizeof(struct fuse_batch_forget_in), NAME_NONE, NAME_NONE},
    [FUSE_FALLOCATE] = {true, sizeof(struct fuse_fallocate_in), NAME_NONE, NAME_NONE},
    [FUSE_RENAME2] = {true, sizeof(struct fuse_rename2_in), NAME_COMPONENT, NAME_COMPONENT},
    [FUSE_LSEEK] = {true, sizeof(struct fuse_lseek_in), NAME_NONE, NAME_NONE},
};

/* What is left of the message. */
struct rest {
    const uint8_t *bytes;
    size_t size;
};

static bool take_name(struct rest *rest, enum name_kind kind, const char **ret)
{
    const char *name = (const char *) rest->bytes;
    size_t length = strnlen(name, rest->size);

    if (length == rest->size || length == 0)
        return false;
    if (length > (kind == NAME_TARGET ? MESSAGE_TARGET_MAX : MESSAGE_NAME_MAX))
        return false;
    if (kind == NAME_COMPONENT &&
        (memchr(name, '/', length) || text_equal(name, ".") || text_equal(name, "..")))
        return false;
    rest->bytes += length + 1;
    rest->size -= length + 1;
    *ret = name;
    return true;
}

/* The sizes and counts inside of the fixed structure against what follows it. */
static bool counts_hold(const struct message *message)
{
    switch (message->opcode) {
    case FUSE_WRITE: {
        const struct fuse_write_in *in = message->body;
        return in->size == message->length && in->size <= MESSAGE_DATA_MAX;
    }
    case FUSE_SETXATTR: {
        const uint32_t *size = message->body;
        return *size == message->length;
    }
    case FUSE_BATCH_FORGET: {
        const struct fuse_batch_forget_in *in = message->body;
        return (uint64_t) in->count * sizeof(struct fuse_forget_one) == message->length;
    }
    case FUSE_READ:
    case FUSE_READDIR: {
        const struct fuse_read_in *in = message->body;
        return message->length == 0 && in->size <= MESSAGE_DATA_MAX;
    }
    case FUSE_INIT:
        return message->length <= 256;
    default:
        return message->length == 0;
    }
}

/* Extensions were not agreed on, so that nobody may send them. */
static bool header_holds(const struct fuse_in_header *header, size_t size)
{
    return header->len == size && size <= MESSAGE_MAX && header->total_extlen == 0;
}

enum message_verdict message_parse(const void *bytes, size_t size, struct message *ret)
{
    const struct fuse_in_header *header = bytes;
    struct rest rest = {.bytes = bytes, .size = size};
    struct message message = {0};
    const struct layout *layout;

    if (size < sizeof(*header) || !header_holds(header, size))
        return MESSAGE_MALFORMED;
    message = (struct message){.opcode = header->opcode,
                               .uid = header->uid,
                               .gid = header->gid,
                               .unique = header->unique,
                               .node = header->nodeid};
    if (header->opcode >= ARRAY_LENGTH(layouts) || !layouts[header->opcode].served) {
        *ret = message;
        return MESSAGE_UNSUPPORTED;
    }
    layout = &layouts[header->opcode];
    if (size - sizeof(*header) < layout->fixed)
        return MESSAGE_MALFORMED;
    message.body = rest.bytes + sizeof(*header);
    rest.bytes += sizeof(*header) + layout->fixed;
    rest.size -= sizeof(*header) + layout->fixed;
    if (layout->name && !take_name(&rest, layout->name, &message.name))
        return MESSAGE_MALFORMED;
    if (layout->other && !take_name(&rest, layout->other, &message.other))
        return MESSAGE_MALFORMED;
    message.data = rest.bytes;
    message.length = rest.size;
    if (!counts_hold(&message))
        return MESSAGE_MALFORMED;
    *ret = message;
    return MESSAGE_GOOD;
}
