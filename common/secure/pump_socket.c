/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/pump_socket.h"

#include <errno.h>
#include <sys/socket.h>

#include "io/loop.h"

enum { BUFFER = 16 * 1024 };

struct pump_socket {
    int fd;
    bool wants_input; /* the last try got nothing */
    bool broken;      /* nobody reads it any more */
    uint8_t up[BUFFER], down[BUFFER];
    size_t down_at, down_length;
};

struct pump_socket *pump_socket_new(int fd)
{
    struct pump_socket *socket = xnew(struct pump_socket);

    socket->fd = fd;
    return socket;
}

void pump_socket_free(struct pump_socket *socket)
{
    free(socket);
}

static enum pump_plain_output output(void *user, const uint8_t **ret, size_t *ret_length)
{
    struct pump_socket *socket = user;
    ssize_t n = recv(socket->fd, socket->up, sizeof(socket->up), 0);

    socket->wants_input = n < 0 && (errno == EAGAIN || errno == EINTR);
    if (socket->wants_input)
        return PUMP_PLAIN_NOTHING;
    if (n <= 0)
        return PUMP_PLAIN_ENDED;
    *ret = socket->up;
    *ret_length = (size_t) n;
    return PUMP_PLAIN_BYTES;
}

static void sent(void *user, size_t length)
{
    (void) user;
    (void) length;
}

/* Where its reader is gone, what it wrote before that still goes out. */
static void hand_on(struct pump_socket *socket)
{
    while (socket->down_length) {
        ssize_t n = send(socket->fd, socket->down + socket->down_at, socket->down_length,
                         MSG_NOSIGNAL);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        socket->broken |= n < 0;
        socket->down_at += n < 0 ? 0 : (size_t) n;
        socket->down_length -= n < 0 ? socket->down_length : (size_t) n;
    }
}

static uint8_t *space(void *user, size_t *ret_length)
{
    struct pump_socket *socket = user;

    hand_on(socket);
    *ret_length = sizeof(socket->down);
    return socket->down_length ? NULL : socket->down;
}

static int received(void *user, size_t length)
{
    struct pump_socket *socket = user;

    socket->down_at = 0;
    socket->down_length = socket->broken ? 0 : length;
    hand_on(socket);
    return 0;
}

static struct pump_plain_wants wants(void *user)
{
    const struct pump_socket *socket = user;

    return (struct pump_plain_wants){.events = (socket->wants_input ? LOOP_READ : 0) |
                                               (socket->down_length ? LOOP_WRITE : 0)};
}

static void rest(void *user)
{
    (void) user;
}

struct pump_plain pump_socket_plain(struct pump_socket *socket)
{
    static const struct pump_plain_ops ops = {output, sent, space, received, wants, rest};

    return (struct pump_plain){&ops, socket, socket->fd};
}
