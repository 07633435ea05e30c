/* SPDX-License-Identifier: Apache-2.0 */
#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/scoped.h"

enum { BACKLOG = 128 };

int fd_set_nonblocking(int fd, struct error *err)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return error_errno(err, errno, "make descriptor %d non-blocking", fd);
    return 0;
}

int fd_pair(int ret[2], struct error *err)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return error_errno(err, errno, "socketpair");
    ret[0] = pair[0];
    ret[1] = pair[1];
    return 0;
}

int fd_read_full(int fd, void *to, size_t length, struct error *err)
{
    char *next = to;

    while (length > 0) {
        ssize_t got = read(fd, next, length);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(err, errno, "read");
        if (got == 0)
            return error_set(err, STATUS_UNAVAILABLE, "read: the peer closed, %zu bytes missing",
                             length);
        next += got;
        length -= (size_t) got;
    }
    return 0;
}

int fd_write_full(int fd, const void *data, size_t length, struct error *err)
{
    const char *next = data;

    while (length > 0) {
        ssize_t put = write(fd, next, length);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return error_errno(err, errno, "write");
        next += put;
        length -= (size_t) put;
    }
    return 0;
}

static int unix_address(const char *path, struct sockaddr_un *ret, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);

    if (length == 0 || length >= sizeof address.sun_path)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "socket path '%s' has %zu bytes, at most %zu fit", path, length,
                         sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, length);
    *ret = address;
    return 0;
}

static int unix_socket(struct error *err)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return fd < 0 ? error_errno(err, errno, "unix socket") : fd;
}

int fd_remove_dead_unix(const char *path, struct error *err)
{
    scoped(closep) int fd = -1;
    struct stat info;

    if (lstat(path, &info) < 0)
        return errno == ENOENT ? 0 : error_errno(err, errno, "stat '%s'", path);
    if (!S_ISSOCK(info.st_mode))
        return error_set(err, STATUS_ALREADY_EXISTS, "'%s' exists and is no socket", path);
    if (fd_connect_unix(path, &fd, err) == 0)
        return error_set(err, STATUS_ALREADY_EXISTS, "somebody listens on '%s'", path);
    if (unlink(path) < 0 && errno != ENOENT)
        return error_errno(err, errno, "remove '%s'", path);
    return 0;
}

int fd_listen_unix(const char *path, int *ret, struct error *err)
{
    scoped(closep) int fd = -1;
    struct sockaddr_un address;

    if (unix_address(path, &address, err) < 0 || fd_remove_dead_unix(path, err) < 0)
        return -1;
    fd = unix_socket(err);
    if (fd < 0)
        return -1;
    /* The mode of the descriptor becomes that of the file: never open to others, not even briefly.
     */
    if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *) &address, sizeof address) < 0)
        return error_errno(err, errno, "bind '%s'", path);
    if (chmod(path, 0600) < 0 || listen(fd, BACKLOG) < 0)
        return error_errno(err, errno, "listen on '%s'", path);
    if (fd_set_nonblocking(fd, err) < 0)
        return -1;
    *ret = take_fd(fd);
    return 0;
}

int fd_connect_unix(const char *path, int *ret, struct error *err)
{
    scoped(closep) int fd = -1;
    struct sockaddr_un address;

    if (unix_address(path, &address, err) < 0)
        return -1;
    fd = unix_socket(err);
    if (fd < 0)
        return -1;
    while (connect(fd, (struct sockaddr *) &address, sizeof address) < 0)
        if (errno != EINTR)
            return error_errno(err, errno, "connect to '%s'", path);
    if (fd_set_nonblocking(fd, err) < 0)
        return -1;
    *ret = take_fd(fd);
    return 0;
}

int fd_peer(int fd, pid_t *ret_pid, uid_t *ret_uid, gid_t *ret_gid, struct error *err)
{
    struct ucred peer;
    socklen_t length = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        return error_errno(err, errno, "credentials of the peer");
    if (ret_pid)
        *ret_pid = peer.pid;
    if (ret_uid)
        *ret_uid = peer.uid;
    if (ret_gid)
        *ret_gid = peer.gid;
    return 0;
}

int fd_pidfd(pid_t pid, int *ret, struct error *err)
{
    int fd = pidfd_open(pid, 0);

    if (fd < 0)
        return error_errno(err, errno, "pidfd of process %d", (int) pid);
    *ret = fd;
    return 0;
}

int fd_of_message(struct msghdr *message)
{
    size_t count = 0;
    int fd = -1;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
         header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = CMSG_LEN(0); at + sizeof(fd) <= header->cmsg_len; at += sizeof(fd)) {
            closep(&fd);
            memcpy(&fd, (const uint8_t *) header + at, sizeof(fd));
            count++;
        }
    }
    if (count == 1)
        return fd;
    closep(&fd);
    return -1;
}

void fd_close_from(int lowest, const int *keep, size_t count)
{
    unsigned next = lowest > 0 ? (unsigned) lowest : 0;

    /* The smallest kept descriptor that is not behind us ends each range; few are kept. */
    for (;;) {
        unsigned stop = UINT_MAX;

        for (size_t i = 0; i < count; i++)
            if (keep[i] >= 0 && (unsigned) keep[i] >= next && (unsigned) keep[i] < stop)
                stop = (unsigned) keep[i];
        if (stop == UINT_MAX) {
            (void) close_range(next, UINT_MAX, 0);
            return;
        }
        if (stop > next)
            (void) close_range(next, stop - 1, 0);
        next = stop + 1;
    }
}
