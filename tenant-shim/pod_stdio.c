/* SPDX-License-Identifier: Apache-2.0 */
#include "pod_stdio.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "codec_stdio.h"
#include "io/loop.h"
#include "link.h"
#include "pipes.h"
#include "stdio_wake.h"

enum { REOPEN_MS = 200 };

struct stdio {
    struct loop *loop;
    struct link *link;
    struct link_listener listener;
    struct rpc_channel *bulk; /* borrowed from the link */
    struct rpc_call *call;
    struct source *reopen;
    struct pipes *first; /* whoever has sent goes to the end: round robin */
};

static void call_open(struct stdio *stdio);

static struct pipes *find(struct stdio *stdio, const struct stdio_frame *frame)
{
    for (struct pipes *p = stdio->first; p; p = p->next) {
        if (strcmp(p->container_id, frame->container_id) == 0 &&
            strcmp(p->exec_id, frame->exec_id) == 0)
            return p;
    }
    return NULL;
}

/* A frame for a process that has been deleted meanwhile goes nowhere. */
static void on_message(void *user, const struct ProtobufCMessage *message)
{
    struct stdio *stdio = user;
    struct stdio_frame frame;
    struct pipes *pipes;

    stdio_frame_decode(message, &frame);
    pipes = find(stdio, &frame);
    if (pipes)
        pipes_receive(pipes, &frame);
}

static void to_the_end(struct stdio *stdio, struct pipes *pipes)
{
    stdio_remove(stdio, pipes);
    stdio_add(stdio, pipes);
}

static void send_next(struct stdio *stdio)
{
    struct stdio_frame frame;
    uint8_t hash[32];

    while (stdio->call && rpc_call_writable(stdio->call)) {
        struct pipes *pipes = stdio->first;

        while (pipes && !pipes_next_frame(pipes, &frame, hash))
            pipes = pipes->next;
        if (!pipes)
            return;
        stdio_frame_write(stdio->call, &frame);
        to_the_end(stdio, pipes);
    }
}

static void on_writable(void *user)
{
    send_next(user);
}

/* The stream ended though the connection may live: open another. */
static void on_end(void *user, const struct rpc_result *result)
{
    struct stdio *stdio = user;

    log_debug("stdio stream ended: %s %s", status_name(result->status), result->message);
    rpc_call_free(stdio->call);
    stdio->call = NULL;
    source_rearm(stdio->reopen, REOPEN_MS);
}

static void call_open(struct stdio *stdio)
{
    static const struct rpc_call_events events = {
        .on_message = on_message,
        .on_writable = on_writable,
        .on_end = on_end,
    };

    rpc_call_free(stdio->call);
    stdio->call = NULL;
    if (!stdio->bulk)
        return;
    /* Before there is a call: sending reorders the list. */
    for (struct pipes *p = stdio->first; p; p = p->next)
        pipes_restart(p);
    if (stdio_call_open(stdio->bulk, &events, stdio, &stdio->call) < 0) {
        source_rearm(stdio->reopen, REOPEN_MS);
        return;
    }
    send_next(stdio);
}

static void on_reopen(void *user)
{
    struct stdio *stdio = user;

    if (!stdio->call)
        call_open(stdio);
}

static void on_link_changed(struct link_listener *listener, struct rpc_channel *control,
                            struct rpc_channel *bulk)
{
    struct stdio *stdio = container_of(listener, struct stdio, listener);

    stdio->bulk = bulk;
    call_open(stdio);
}

int stdio_new(struct loop *loop, struct link *link, struct stdio **ret, struct error *err)
{
    struct stdio *stdio = xnew(struct stdio);

    stdio->loop = loop;
    stdio->link = link;
    stdio->listener.changed = on_link_changed;
    if (loop_after(loop, LOOP_NEVER, on_reopen, stdio, &stdio->reopen, err) < 0) {
        free(stdio);
        return -1;
    }
    link_listen(link, &stdio->listener);
    *ret = stdio;
    return 0;
}

void stdio_free(struct stdio *stdio)
{
    if (!stdio)
        return;
    link_leave(stdio->link, &stdio->listener);
    rpc_call_free(stdio->call);
    source_free(stdio->reopen);
    free(stdio);
}

struct loop *stdio_loop(struct stdio *stdio)
{
    return stdio->loop;
}

void stdio_add(struct stdio *stdio, struct pipes *pipes)
{
    struct pipes **p = &stdio->first;

    while (*p)
        p = &(*p)->next;
    pipes->next = NULL;
    *p = pipes;
}

void stdio_remove(struct stdio *stdio, struct pipes *pipes)
{
    for (struct pipes **p = &stdio->first; *p; p = &(*p)->next) {
        if (*p == pipes) {
            *p = pipes->next;
            return;
        }
    }
}

void stdio_wake(struct stdio *stdio)
{
    send_next(stdio);
}
