/* SPDX-License-Identifier: Apache-2.0 */
#include "agent.pb-c.h"
#include "base/error.h"
#include "base/log.h"
#include "io/loop.h"
#include "link.h"
#include "watch.h"

enum { REOPEN_MS = 200 };

struct watch {
    struct link *link;
    struct link_listener listener;
    struct rpc_channel *control; /* borrowed from the link */
    struct rpc_call *call;
    struct source *reopen;
    struct watch_events events;
    void *user;
};

static void on_message(void *user, const struct ProtobufCMessage *message)
{
    struct watch *watch = user;
    const Agent__Event *event = (const Agent__Event *) message;
    const Agent__ExitRecord *exit = event->exit;

    if (event->oom)
        watch->events.oom(watch->user, event->oom->container_id);
    if (exit)
        watch->events.exited(watch->user, &(struct exit_record){
                                              .container_id = exit->container_id,
                                              .exec_id = exit->exec_id,
                                              .exit_status = exit->exit_status,
                                              .exited_at_ns = exit->exited_at_ns,
                                              .oom_killed = exit->oom_killed,
                                              .message = exit->termination_message.data,
                                              .message_length = exit->termination_message.len,
                                          });
}

static void on_end(void *user, const struct rpc_result *result)
{
    struct watch *watch = user;

    log_debug("watch ended: %s %s", status_name(result->status), result->message);
    rpc_call_free(watch->call);
    watch->call = NULL;
    source_rearm(watch->reopen, REOPEN_MS);
}

static void call_open(struct watch *watch)
{
    static const struct rpc_call_events events = {.on_message = on_message, .on_end = on_end};
    Agent__WatchRequest message = AGENT__WATCH_REQUEST__INIT;
    struct rpc_request request = {.method = "/agent.Control/Watch",
                                  .message = &message.base,
                                  .reply = &agent__event__descriptor};

    rpc_call_free(watch->call);
    watch->call = NULL;
    if (!watch->control)
        return;
    watch->events.begun(watch->user);
    if (rpc_call_stream(watch->control, &request, &events, watch, &watch->call) < 0)
        source_rearm(watch->reopen, REOPEN_MS);
}

static void on_reopen(void *user)
{
    struct watch *watch = user;

    if (!watch->call)
        call_open(watch);
}

static void on_link_changed(struct link_listener *listener, struct rpc_channel *control,
                            struct rpc_channel *bulk)
{
    struct watch *watch = container_of(listener, struct watch, listener);

    watch->control = control;
    call_open(watch);
}

int watch_new(struct loop *loop, struct link *link, const struct watch_events *events, void *user,
              struct watch **ret, struct error *err)
{
    struct watch *watch = xnew(struct watch);

    watch->link = link;
    watch->events = *events;
    watch->user = user;
    watch->listener.changed = on_link_changed;
    if (loop_after(loop, LOOP_NEVER, on_reopen, watch, &watch->reopen, err) < 0) {
        free(watch);
        return -1;
    }
    link_listen(link, &watch->listener);
    *ret = watch;
    return 0;
}

void watch_free(struct watch *watch)
{
    if (!watch)
        return;
    link_leave(watch->link, &watch->listener);
    rpc_call_free(watch->call);
    source_free(watch->reopen);
    free(watch);
}
