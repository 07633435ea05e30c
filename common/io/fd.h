/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Descriptors. Everything made here is close-on-exec. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct msghdr;

int fd_set_nonblocking(int fd, struct error *err) __attribute__((warn_unused_result));
/* A connected pair of non-blocking stream sockets. */
int fd_pair(int ret[2], struct error *err) __attribute__((warn_unused_result));
/* Blocking, whole buffer, EINTR handled. read: 0 bytes at the start is an error too. */
int fd_read_full(int fd, void *to, size_t length, struct error *err)
    __attribute__((warn_unused_result));
int fd_write_full(int fd, const void *data, size_t length, struct error *err)
    __attribute__((warn_unused_result));
/* Listening unix socket, 0600, non-blocking. A dead socket file is replaced; a live one is
 * STATUS_ALREADY_EXISTS. A path too long for sun_path is refused. */
int fd_listen_unix(const char *path, int *ret, struct error *err)
    __attribute__((warn_unused_result));
/* A socket file that nobody answers on any more goes; anything else is STATUS_ALREADY_EXISTS. */
int fd_remove_dead_unix(const char *path, struct error *err) __attribute__((warn_unused_result));
int fd_connect_unix(const char *path, int *ret, struct error *err)
    __attribute__((warn_unused_result)); /* blocking connect, then non-blocking */
/* Credentials of a unix socket's peer (SO_PEERCRED). */
int fd_peer(int fd, pid_t *ret_pid, uid_t *ret_uid, gid_t *ret_gid, struct error *err)
    __attribute__((warn_unused_result));
int fd_pidfd(pid_t pid, int *ret, struct error *err) __attribute__((warn_unused_result));
/* The one descriptor that has come with a message; -1: none, or several, which are closed: the
 * space for one has room for two. */
int fd_of_message(struct msghdr *message);
/* Closes every descriptor from `lowest` on but those in keep (count of them). */
void fd_close_from(int lowest, const int *keep, size_t count);
