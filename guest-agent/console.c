/* SPDX-License-Identifier: Apache-2.0 */
#include "console.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

#include "base/error.h"
#include "base/scoped.h"
#include "io/fd.h"
#include "io/loop.h"

struct console {
    struct loop *loop;
    char *path;
    int listener;
    int connection;
    struct source *source;
    console_fn *fn;
    void *user;
};

static int receive_fd(int socket)
{
    char byte[64];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec data = {.iov_base = byte, .iov_len = sizeof(byte)};
    struct msghdr message = {
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };

    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0)
        return -1;
    return fd_of_message(&message);
}

static void readable(void *user, uint32_t events)
{
    struct console *console = user;
    int master = receive_fd(console->connection);

    if (console->source)
        source_set_events(console->source, 0);
    if (master >= 0)
        console->fn(console->user, master);
}

static void connected(void *user, uint32_t events)
{
    struct console *console = user;
    struct error err;

    console->connection = accept4(console->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (console->connection < 0)
        return;
    if (console->source)
        source_free(take_ptr(console->source));
    if (loop_watch_fd(console->loop, console->connection, LOOP_READ, readable, console,
                      &console->source, &err) < 0)
        console->source = NULL;
}

int console_open(struct loop *loop, const char *path, console_fn *fn, void *user,
                 struct console **ret, struct error *err)
{
    struct console *console = xnew(struct console);

    console->loop = loop;
    console->path = xstrdup(path);
    console->listener = -1;
    console->connection = -1;
    console->fn = fn;
    console->user = user;
    if (fd_listen_unix(path, &console->listener, err) < 0 ||
        loop_watch_fd(loop, console->listener, LOOP_READ, connected, console, &console->source,
                      err) < 0) {
        console_close(console);
        return -1;
    }
    *ret = console;
    return 0;
}

void console_receive(struct console *console)
{
    if (console->connection < 0)
        connected(console, LOOP_READ);
    if (console->connection >= 0)
        readable(console, LOOP_READ);
}

const char *console_path(const struct console *console)
{
    return console->path;
}

void console_close(struct console *console)
{
    if (!console)
        return;
    if (console->source)
        source_free(console->source);
    if (console->connection >= 0)
        close(console->connection);
    if (console->listener >= 0) {
        close(console->listener);
        (void) unlink(console->path);
    }
    free(console->path);
    free(console);
}

void console_resize(int master, const struct console_size *size)
{
    struct winsize window = {.ws_col = size->width, .ws_row = size->height};

    (void) ioctl(master, TIOCSWINSZ, &window);
}
