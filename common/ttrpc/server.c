/* SPDX-License-Identifier: Apache-2.0 */
#include "ttrpc/server.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/fd.h"
#include "io/loop.h"
#include "io/stream.h"
#include "ttrpc/connection.h"

enum { DRAIN_STEP_MS = 5, DRAIN_TURNS = 200, ACCEPT_PAUSE_MS = 100 };

/* The right to be served: containerd runs under the same user and group as its shims. */
static int check_peer(int fd, struct error *err)
{
    pid_t pid;
    uid_t uid;
    gid_t gid;

    if (fd_peer(fd, &pid, &uid, &gid, err) < 0)
        return -1;
    if (uid != geteuid() || gid != getegid())
        return error_set(err, STATUS_PERMISSION_DENIED, "peer %d runs as %u:%u", (int) pid, uid,
                         gid);
    return 0;
}

static void accept_again(void *user)
{
    struct ttrpc_server *server = user;

    source_set_events(server->listener, LOOP_READ);
}

/* Out of descriptors or memory: whoever waits stays readable, and asking at once would spin. */
static void pause_accepting(struct ttrpc_server *server)
{
    struct error err;

    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return;
    log_debug("accept: %s", strerror(errno));
    source_set_events(server->listener, 0);
    source_freep(&server->accept_timer);
    server->accept_timer = NULL;
    if (loop_after(server->loop, ACCEPT_PAUSE_MS, accept_again, server, &server->accept_timer,
                   &err) < 0)
        accept_again(server);
}

static void on_accept(void *user, uint32_t events)
{
    struct ttrpc_server *server = user;
    scoped(closep) int fd = accept4(server->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct error err;

    if (fd < 0) {
        pause_accepting(server);
        return;
    }
    if (server->connection_count >= server->options.max_connections) {
        log_debug("connection refused: %u are open", server->connection_count);
        return;
    }
    if (check_peer(fd, &err) < 0 || connection_new(server, take_fd(fd), &err) < 0)
        log_debug("connection refused: %s", err.message);
}

bool ttrpc_server_is_used(const struct ttrpc_server *server)
{
    return server->connection_count > 0;
}

void ttrpc_server_on_deserted(struct ttrpc_server *server, void (*deserted)(void *user), void *user)
{
    server->deserted = deserted;
    server->deserted_user = user;
}

int ttrpc_server_new(struct loop *loop, int listen_fd, const struct ttrpc_server_options *options,
                     struct ttrpc_server **ret, struct error *err)
{
    scoped(ttrpc_server_freep) struct ttrpc_server *server = xnew(struct ttrpc_server);

    server->loop = loop;
    server->listen_fd = listen_fd;
    if (options)
        server->options = *options;
    if (!server->options.max_connections)
        server->options.max_connections = 512;
    if (!server->options.max_pending)
        server->options.max_pending = 4096;
    if (!server->options.max_output)
        server->options.max_output = 16 << 20;
    if (fd_set_nonblocking(listen_fd, err) < 0)
        return -1;
    if (loop_watch_fd(loop, listen_fd, LOOP_READ, on_accept, server, &server->listener, err) < 0)
        return -1;
    *ret = take_ptr(server);
    return 0;
}

static void stop_listening(struct ttrpc_server *server)
{
    source_freep(&server->listener);
    server->listener = NULL;
    source_freep(&server->accept_timer);
    server->accept_timer = NULL;
    closep(&server->listen_fd);
    server->listen_fd = -1;
}

void ttrpc_server_free(struct ttrpc_server *server)
{
    if (!server)
        return;
    stop_listening(server);
    source_freep(&server->drain_timer);
    server->deserted = NULL;
    while (server->connections)
        connection_free(server->connections);
    /* What handlers still hold outlives us. */
    for (struct call *call = server->calls; call; call = call->server_next)
        call->server = NULL;
    free(server->spare);
    while (server->services) {
        struct service *service = server->services;

        server->services = service->next;
        free(service);
    }
    free(server);
}

const struct service *server_find_service(const struct ttrpc_server *server, const uint8_t *name,
                                          size_t length)
{
    for (const struct service *service = server->services; service; service = service->next) {
        if (strlen(service->name) == length && memcmp(service->name, name, length) == 0)
            return service;
    }
    return NULL;
}

void ttrpc_server_register(struct ttrpc_server *server, const char *service,
                           const struct ttrpc_method *methods, size_t count, void *user)
{
    struct service *entry = xnew(struct service);

    entry->name = service;
    entry->methods = methods;
    entry->count = count;
    entry->user = user;
    entry->next = server->services;
    server->services = entry;
}

static bool has_output(const struct ttrpc_server *server)
{
    for (const struct connection *c = server->connections; c; c = c->next) {
        if (stream_pending(c->stream) > 0)
            return true;
    }
    return false;
}

/* A stream does not tell when its last byte has left, and this happens once in a process's life:
 * so it looks a few times. */
static void drain_step(void *user)
{
    struct ttrpc_server *server = user;

    if (has_output(server) && ++server->drain_turns < DRAIN_TURNS) {
        source_rearm(server->drain_timer, DRAIN_STEP_MS);
        return;
    }
    server->drained(server->drained_user);
}

void ttrpc_server_drain(struct ttrpc_server *server, void (*done)(void *user), void *user)
{
    struct error err;

    stop_listening(server);
    if (server->drained)
        return;
    server->drained = done;
    server->drained_user = user;
    if (loop_after(server->loop, 0, drain_step, server, &server->drain_timer, &err) < 0)
        loop_post(server->loop, done, user);
}
