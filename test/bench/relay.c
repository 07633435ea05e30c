/* SPDX-License-Identifier: Apache-2.0 */
#include "relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scoped.h"
#include "io/loop.h"

enum { CHUNK = 64 * 1024 };

struct relay {
    struct loop *loop;
    int listening;
    uint16_t port, to;
    struct source *accepting, *sources[2];
    int fds[2]; /* of who dialled, of where it goes; -1 */
    bool asked; /* bytes went out, and none has come back since */
    unsigned answers;
};

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

int relay_listen(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 ||
        listen(fd, 16) < 0 || getsockname(fd, (struct sockaddr *) &address, &length) < 0)
        die("listen");
    *ret_port = ntohs(address.sin_port);
    return fd;
}

int relay_dial(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || (connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0 &&
                   errno != EINPROGRESS))
        die("connect");
    return fd;
}

static void hang_up(struct relay *relay)
{
    for (int i = 0; i < 2; i++) {
        source_free(take_ptr(relay->sources[i]));
        closep(&relay->fds[i]);
        relay->fds[i] = -1;
    }
}

/* What a handshake sends fits into the buffers of loopback. */
static void pass(struct relay *relay, int from)
{
    static char chunk[CHUNK];
    ssize_t size = read(relay->fds[from], chunk, sizeof(chunk));

    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0)
        return hang_up(relay);
    if (write(relay->fds[!from], chunk, (size_t) size) != size)
        die("relay");
    if (from == 1 && relay->asked)
        relay->answers++;
    relay->asked = from == 0;
}

static void from_dialler(void *user, uint32_t events)
{
    (void) events;
    pass(user, 0);
}

static void from_listener(void *user, uint32_t events)
{
    (void) events;
    pass(user, 1);
}

static void on_accept(void *user, uint32_t events)
{
    static loop_fd_fn *const readers[2] = {from_dialler, from_listener};
    struct relay *relay = user;
    int fd = accept4(relay->listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct error err;

    (void) events;
    if (fd < 0)
        return;
    hang_up(relay);
    relay->fds[0] = fd;
    relay->fds[1] = relay_dial(relay->to);
    relay->asked = false;
    relay->answers = 0;
    for (int i = 0; i < 2; i++)
        if (loop_watch_fd(relay->loop, relay->fds[i], LOOP_READ, readers[i], relay,
                          &relay->sources[i], &err) < 0)
            die(err.message);
}

struct relay *relay_new(struct loop *loop, uint16_t to)
{
    struct relay *relay = xnew(struct relay);
    struct error err;

    relay->loop = loop;
    relay->to = to;
    relay->fds[0] = relay->fds[1] = -1;
    relay->listening = relay_listen(&relay->port);
    if (loop_watch_fd(loop, relay->listening, LOOP_READ, on_accept, relay, &relay->accepting,
                      &err) < 0)
        die(err.message);
    return relay;
}

void relay_free(struct relay *relay)
{
    hang_up(relay);
    source_free(relay->accepting);
    closep(&relay->listening);
    free(relay);
}

uint16_t relay_port(const struct relay *relay)
{
    return relay->port;
}

unsigned relay_answers(const struct relay *relay)
{
    return relay->answers;
}
