/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/dialler.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/dial_out.h"
#include "base/error.h"
#include "base/log.h"
#include "base/scoped.h"
#include "io/loop.h"
#include "secure/transport.h"

enum {
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 3000,
    CONNECT_MS = 4000, /* of one attempt: the kernel would wait for minutes */
    /* Where the tenant has been, what failed is the network: there are two packets in each attempt,
     * a second apart, and a second behind them comes the next one. */
    KNOWN_BACKOFF_MAX_MS = 500,
    KNOWN_CONNECT_MS = 1500,
    /* Handed on in a row without a pause and without a channel that came of it: a control, what
     * joins it, their replacements. Whoever answers there without our tenant's key must not keep us
     * busy. */
    QUICK_MAX = 4,
};

struct dialler {
    struct loop *loop;
    struct dial_out to;
    dialler_fn *spoken;
    void *user;
    int fd;
    bool connected;
    struct source *watch; /* of fd */
    struct source *timer; /* the next attempt, or the end of this one */
    uint64_t backoff_ms;
    unsigned quick;
    bool known; /* a channel came of it once */
};

static void hang_up(struct dialler *dialler)
{
    source_freep(&dialler->watch);
    dialler->watch = NULL;
    closep(&dialler->fd);
    dialler->fd = -1;
    dialler->connected = false;
}

static void again_later(struct dialler *dialler)
{
    uint64_t next = dialler->backoff_ms * 2;
    uint64_t most = dialler->known ? KNOWN_BACKOFF_MAX_MS : BACKOFF_MAX_MS;

    hang_up(dialler);
    source_rearm(dialler->timer, dialler->backoff_ms);
    dialler->backoff_ms = next < most ? next : most;
}

static void hand_on(struct dialler *dialler)
{
    int fd = take_fd(dialler->fd);

    hang_up(dialler);
    if (dialler->quick < QUICK_MAX) {
        dialler->quick++;
        source_rearm(dialler->timer, 0);
    } else {
        again_later(dialler);
    }
    dialler->spoken(dialler->user, fd);
}

/* One that is dead unnoticed keeps the next one from being dialled. */
static void finish_connect(struct dialler *dialler)
{
    int failure = 0;
    socklen_t length = sizeof(failure);

    if (getsockopt(dialler->fd, SOL_SOCKET, SO_ERROR, &failure, &length) < 0 || failure) {
        again_later(dialler);
        return;
    }
    dialler->connected = true;
    transport_tune_replaceable(dialler->fd);
    source_rearm(dialler->timer, LOOP_NEVER);
    source_set_events(dialler->watch, LOOP_READ);
}

static void on_socket(void *user, uint32_t events)
{
    struct dialler *dialler = user;
    char byte;
    ssize_t n;

    if (!dialler->connected) {
        finish_connect(dialler);
        return;
    }
    n = recv(dialler->fd, &byte, 1, MSG_PEEK);
    if (n > 0)
        hand_on(dialler);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        again_later(dialler);
}

static int dial(struct dialler *dialler, struct error *err)
{
    scoped(closep) int fd = socket(dialler->to.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                                   0);
    struct sockaddr_storage address;
    socklen_t length = dial_out_socket_address(&dialler->to, &address);

    if (fd < 0)
        return error_errno(err, errno, "socket");
    transport_tune(fd);
    if (connect(fd, (const struct sockaddr *) &address, length) < 0 && errno != EINPROGRESS)
        return error_errno(err, errno, "connect");
    if (loop_watch_fd(dialler->loop, fd, LOOP_WRITE, on_socket, dialler, &dialler->watch, err) < 0)
        return -1;
    dialler->fd = take_fd(fd);
    return 0;
}

static void on_timer(void *user)
{
    struct dialler *dialler = user;
    struct error err;

    if (dialler->fd >= 0) { /* too slow */
        again_later(dialler);
    } else if (dial(dialler, &err) < 0) {
        log_debug("no connection to offer: %s", err.message);
        again_later(dialler);
    } else {
        source_rearm(dialler->timer, dialler->known ? KNOWN_CONNECT_MS : CONNECT_MS);
    }
}

int dialler_new(struct loop *loop, const struct dial_out *to, dialler_fn *spoken, void *user,
                struct dialler **ret, struct error *err)
{
    scoped(dialler_freep) struct dialler *dialler = xnew(struct dialler);

    *dialler = (struct dialler){
        .loop = loop,
        .to = *to,
        .spoken = spoken,
        .user = user,
        .fd = -1,
        .backoff_ms = BACKOFF_MIN_MS,
    };
    if (loop_after(loop, 0, on_timer, dialler, &dialler->timer, err) < 0)
        return -1;
    *ret = take_ptr(dialler);
    return 0;
}

void dialler_free(struct dialler *dialler)
{
    if (!dialler)
        return;
    hang_up(dialler);
    source_freep(&dialler->timer);
    free(dialler);
}

void dialler_praise(struct dialler *dialler)
{
    dialler->backoff_ms = BACKOFF_MIN_MS;
    dialler->quick = 0;
    dialler->known = true;
}
