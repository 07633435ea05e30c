/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One request of the guest's kernel, as <linux/fuse.h> has it, taken apart. The peer is whoever has
 * got hold of the guest: nothing behind this file looks at a length, a count or a NUL again. */
#include <stddef.h>
#include <stdint.h>

enum {
    MESSAGE_DATA_MAX = 1024 * 1024, /* of one read or write */
    MESSAGE_MAX = MESSAGE_DATA_MAX + 4096,
    MESSAGE_HEADER_SIZE = 40,
    MESSAGE_NAME_MAX = 1024, /* what the kernel would send; a file system's own limit is lower */
    MESSAGE_TARGET_MAX = 4095,
};

/* Borrows from the bytes that it was parsed from. What an opcode does not have is NULL. */
struct message {
    uint32_t opcode;
    uint32_t uid;
    uint32_t gid;
    uint64_t unique;
    uint64_t node;
    const void *body;  /* the opcode's fixed structure, aligned */
    const char *name;  /* one component, or the name of an extended attribute */
    const char *other; /* the new name, or a symbolic link's text */
    const uint8_t *data;
    size_t length;
};

enum message_verdict {
    MESSAGE_GOOD,
    MESSAGE_UNSUPPORTED, /* an opcode that is not served: ENOSYS; header and nothing else is set */
    MESSAGE_MALFORMED,   /* no kernel sends this: the peer is dropped */
};

/* `bytes` is aligned to 8. */
enum message_verdict message_parse(const void *bytes, size_t size, struct message *ret);
