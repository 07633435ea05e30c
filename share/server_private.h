/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* For the files that hold operations. */
#include <linux/fuse.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "frame.h"
#include "handles.h"
#include "locks.h"
#include "message.h"
#include "nodes.h"

enum { DEVICES_MAX = 1024, XATTR_MAX = 65536 };

struct server {
    int peer;
    int own_files; /* /proc/self/fd: the way from an O_PATH descriptor to one that is open */
    int removals;  /* -1: nobody tells of them */
    bool ready;    /* INIT was answered */
    bool ended;    /* DESTROY */
    struct nodes *nodes;
    struct handles *handles;
    struct locks *locks;
    struct frame_reader reader;
    struct frame_queue queue;
    uint8_t *reply; /* fuse_out_header and MESSAGE_MAX bytes */
    bool swollen;   /* the buffers have grown by large messages */
    uint64_t devices[DEVICES_MAX];
    size_t device_count;
};

enum { NO_REPLY = 1 };

/* Answers with `*ret_size` bytes at `ret` (room for MESSAGE_DATA_MAX), or a negative errno, or
 * NO_REPLY. */
typedef int operation_fn(struct server *server, const struct message *message, void *ret,
                         size_t *ret_size);

/* The O_PATH descriptor of a node (a directory), or a negative errno. */
int server_node(struct server *server, uint64_t id);
int server_directory(struct server *server, uint64_t id);
/* Opens what a node is, if it is a regular file or a directory. */
int server_reopen(struct server *server, uint64_t id, int flags);
/* "N", relative to own_files. */
struct fd_name {
    char text[12];
};
struct fd_name server_fd_name(int fd);
/* The guest sees one file system, so that inodes of different ones must not look the same. */
uint64_t server_inode(struct server *server, uint64_t device, uint64_t inode);
void server_fill_attributes(struct server *server, const struct statx *stat, struct fuse_attr *ret);
/* A file that is written loses its set-user-id and set-group-id bits, unless its writer has
 * CAP_FSETID, as we have: so that our kernel leaves them. 0, or a negative errno. */
int attribute_drop_set_id(int fd, const struct message *writer);

operation_fn entry_lookup, entry_symlink, entry_mknod, entry_mkdir, entry_unlink, entry_rmdir,
    entry_rename, entry_rename2, entry_link, entry_create;
operation_fn attribute_get, attribute_set, attribute_readlink, attribute_statfs;
operation_fn content_open, content_read, content_write, content_release, content_flush,
    content_fsync, content_allocate, content_seek, content_lock;
operation_fn directory_open, directory_read, directory_release, directory_fsync;
operation_fn extended_set, extended_get, extended_list, extended_remove;
