/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/scoped.h"
#include "codec_message.h"
#include "io/loop.h"

enum { BACKOFF_MIN_MS = 100, BACKOFF_MAX_MS = 3000, RETRY_MS = 200 };

/* While a guest boots, packets to it are lost and TCP waits ever longer before it sends another:
 * give up early and begin anew, but let each fourth attempt take its time, for slow guests. */
enum { IMPATIENT_MS = 400, IMPATIENT_STEP_MS = 800, PATIENT_EVERY = 4 };

/* One control connection with the bulk connection that joined it. */
struct connection {
    struct link *link;
    struct channel *control_channel, *bulk_channel;
    struct rpc_channel *control, *bulk;
    struct source *reap; /* a connection is never taken down inside one of its callbacks */
    bool broken;
    bool due; /* for replacement: its keys have been used long enough */
    struct error why;
};

struct link_call {
    struct link_call *next;
    struct link *link;
    enum link_lane lane;
    const char *method;
    struct ProtobufCMessage *message;
    const struct ProtobufCMessageDescriptor *reply;
    struct source *timer;
    rpc_done_fn *done;
    void *user;
    struct connection *connection; /* where it is under way; NULL: waits */
    bool was_sent;
    struct rpc_call *rpc;
};

struct link {
    struct link_options options;
    uint8_t instance[32];
    bool has_instance; /* an appraised boot: no other will do */
    struct link_events events;
    void *user;
    struct connection *current; /* calls go here */
    struct connection *coming;  /* being dialled */
    struct connection *retired; /* replaced; its last calls end there */
    struct source *redial, *retry, *lost;
    uint64_t backoff_ms;
    unsigned attempts; /* since the last success */
    bool has_ended;
    bool is_revoked;         /* by may_call(): ends as soon as nothing stands on it */
    struct error why;        /* of the last failure */
    struct link_call *calls; /* oldest first: that is the order in which they are sent again */
    struct link_call **calls_end;
    struct link_listener *listeners;
};

static void calls_submit(struct link *link);
static void dial(struct link *link);

/* ---- connections ------------------------------------------------------------------------------
 */

static void connection_break(struct connection *connection, const struct error *err)
{
    if (connection->broken)
        return;
    connection->broken = true;
    if (err)
        connection->why = *err;
    else
        error_set(&connection->why, STATUS_UNAVAILABLE, "the guest closed the connection");
    source_rearm(connection->reap, 0);
}

static void on_rpc_end(void *user)
{
    connection_break(user, NULL);
}

static void on_channel_end(void *user, struct channel *channel, const struct error *err)
{
    connection_break(user, err);
}

/* Calls under way on it wait for the next one. */
static void connection_free(struct connection *connection)
{
    struct link *link;

    if (!connection)
        return;
    link = connection->link;
    for (struct link_call *call = link->calls; call; call = call->next) {
        if (call->connection != connection)
            continue;
        rpc_call_free(call->rpc);
        call->rpc = NULL;
        call->connection = NULL;
    }
    source_free(connection->reap);
    rpc_channel_free(connection->bulk);
    rpc_channel_free(connection->control);
    channel_free(connection->bulk_channel);
    channel_free(connection->control_channel);
    free(connection);
}

/* Told by the RPC layer, so that nobody who makes calls can forget it. */
static bool guard(void *user)
{
    struct connection *connection = user;
    struct link *link = connection->link;
    struct error err;

    if (link->events.may_call(link->user))
        return true;
    error_set(&err, STATUS_FAILED_PRECONDITION, "the lease of this guest was revoked");
    link->is_revoked = true;
    connection_break(connection, &err);
    return false;
}

static void tell_listeners(struct link *link, struct connection *connection)
{
    struct link_listener *next;

    for (struct link_listener *l = link->listeners; l; l = next) {
        next = l->next;
        l->changed(l, connection ? connection->control : NULL,
                   connection ? connection->bulk : NULL);
    }
}

static void redial_later(struct link *link)
{
    if (link->has_ended || link->coming)
        return;
    source_rearm(link->redial, link->backoff_ms);
    link->backoff_ms = link->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS
                                                             : link->backoff_ms * 2;
}

static void end(struct link *link, const struct error *err)
{
    link_end(link);
    link->events.ended(link->user, err);
}

/* Nothing that trying again could mend: somebody else answers there. */
static bool is_refusal(enum status status)
{
    return status == STATUS_PERMISSION_DENIED || status == STATUS_UNAUTHENTICATED ||
           status == STATUS_FAILED_PRECONDITION || status == STATUS_INVALID_ARGUMENT;
}

static void on_reap(void *user)
{
    struct connection *connection = user;
    struct link *link = connection->link;
    struct error why = connection->why;

    link->why = why;
    if (connection == link->coming) {
        link->coming = NULL;
        connection_free(connection);
        log_debug("no channel: %s", why.message);
        if (link->options.endpoint.offers && why.status == STATUS_DEADLINE_EXCEEDED)
            link->backoff_ms = BACKOFF_MIN_MS; /* it waited long enough */
        if (!link->has_ended && (link->is_revoked || !link->has_instance) && is_refusal(why.status))
            end(link, &why);
        else
            redial_later(link);
    } else if (connection == link->current) {
        link->current = NULL;
        tell_listeners(link, NULL);
        connection_free(connection);
        source_rearm(link->lost, link->options.lost_timeout_ms);
        link->backoff_ms = BACKOFF_MIN_MS;
        if (link->is_revoked && !link->has_ended) {
            end(link, &why);
            return;
        }
        redial_later(link);
        link->events.lost(link->user, &why);
    } else {
        if (connection == link->retired)
            link->retired = NULL;
        connection_free(connection);
        calls_submit(link);
    }
}

static void on_due(void *user, struct channel *channel)
{
    struct connection *connection = user;

    connection->due = true;
    if (connection == connection->link->current && !connection->link->coming)
        dial(connection->link);
}

/* A retired connection ends when its last call did. */
static void retire_if_idle(struct link *link)
{
    if (!link->retired)
        return;
    for (struct link_call *call = link->calls; call; call = call->next) {
        if (call->connection == link->retired)
            return;
    }
    connection_break(link->retired, NULL);
}

static void connection_open(struct connection *connection)
{
    struct link *link = connection->link;
    struct connection *old = link->current;

    link->coming = NULL;
    link->current = connection;
    link->attempts = 0;
    link->backoff_ms = BACKOFF_MIN_MS;
    source_rearm(link->lost, LOOP_NEVER);
    tell_listeners(link, connection);
    if (old) {
        connection_free(link->retired);
        link->retired = old;
        channel_retire(old->control_channel);
        retire_if_idle(link);
    }
    calls_submit(link);
    link->events.opened(link->user);
}

static int take_over(struct connection *connection, struct channel *channel,
                     struct rpc_channel **ret, struct error *err)
{
    int fd;

    if (channel_take_fd(channel, &fd, err) < 0)
        return -1;
    if (rpc_channel_from_fd(connection->link->options.queue, fd, on_rpc_end, connection, ret) < 0)
        return error_set(err, STATUS_INTERNAL, "no RPC channel on the connection");
    rpc_channel_guard(*ret, guard, connection);
    channel_on_end(channel, on_channel_end, connection);
    channel_on_replacement_due(channel, on_due, connection);
    return 0;
}

static void on_joined(void *user, struct channel *channel, const struct error *err)
{
    struct connection *connection = user;
    struct error error;

    if (err)
        connection_break(connection, err);
    else if (take_over(connection, channel, &connection->bulk, &error) < 0)
        connection_break(connection, &error);
    else if (!connection->broken)
        connection_open(connection);
}

static void on_dialled(void *user, struct channel *channel, const struct error *err)
{
    struct connection *connection = user;
    struct link *link = connection->link;
    struct channel_facts facts;
    struct error error;

    if (err || connection->broken) {
        connection_break(connection, err);
        return;
    }
    facts = channel_facts(channel);
    if (link->events.appraised(link->user, &facts, &error) < 0) {
        connection_break(connection, &error);
        return;
    }
    memcpy(link->instance, facts.instance, sizeof(link->instance));
    link->has_instance = true;
    if (take_over(connection, channel, &connection->control, &error) < 0 ||
        channel_join(channel, CHANNEL_BULK, on_joined, connection, &connection->bulk_channel,
                     &error) < 0)
        connection_break(connection, &error);
}

static uint64_t attempt_ms(struct link *link)
{
    if (link->options.endpoint.offers) /* waiting costs nothing, and no packet was lost */
        return link->options.dial_timeout_ms;
    unsigned n = link->current ? PATIENT_EVERY - 1 : link->attempts++; /* a replacement can wait */
    uint64_t impatient = IMPATIENT_MS + (uint64_t) IMPATIENT_STEP_MS * (n % PATIENT_EVERY);

    if (n % PATIENT_EVERY == PATIENT_EVERY - 1 || impatient > link->options.dial_timeout_ms)
        return link->options.dial_timeout_ms;
    return impatient;
}

static void dial(struct link *link)
{
    struct connection *connection = xnew(struct connection);
    struct channel_dial_options options = {
        .endpoint = link->options.endpoint,
        .key = link->options.key,
        .initdata = link->options.initdata,
        .policy = link->options.policy,
        .refresh = link->options.refresh,
        .refresh_user = link->options.refresh_user,
        .instance = link->has_instance ? link->instance : NULL,
        .deadline_ms = attempt_ms(link),
    };
    struct error err;

    connection->link = link;
    link->coming = connection;
    if (loop_after(link->options.loop, LOOP_NEVER, on_reap, connection, &connection->reap, &err) <
        0) {
        log_error("cannot dial: %s", err.message);
        link->coming = NULL;
        free(connection);
        redial_later(link);
    } else if (channel_dial(link->options.loop, &options, on_dialled, connection,
                            &connection->control_channel, &err) < 0) {
        connection_break(connection, &err);
    }
}

static void on_redial(void *user)
{
    struct link *link = user;

    if (!link->has_ended && !link->coming && (!link->current || link->current->due))
        dial(link);
}

static void on_lost_timeout(void *user)
{
    struct link *link = user;
    struct error err;

    if (link->current || link->has_ended)
        return;
    error_set(&err, STATUS_UNAVAILABLE, "no channel to the guest for %llu s (%s)",
              (unsigned long long) link->options.lost_timeout_ms / 1000, link->why.message);
    end(link, &err);
}

/* ---- calls ------------------------------------------------------------------------------------
 */

static void call_unlink(struct link_call *call)
{
    struct link *link = call->link;
    struct link_call **p = &link->calls;

    while (*p != call)
        p = &(*p)->next;
    *p = call->next;
    if (link->calls_end == &call->next)
        link->calls_end = p;
}

static void call_free(struct link_call *call)
{
    rpc_call_free(call->rpc);
    source_free(call->timer);
    message_free(call->message);
    free(call->user);
    free(call);
}

static void call_finish(struct link_call *call, const struct rpc_result *result)
{
    struct link *link = call->link;

    call_unlink(call);
    retire_if_idle(link);
    call->done(call->user, result);
    call_free(call);
}

static void call_fail(struct link_call *call, enum status status, const char *message)
{
    struct rpc_result result = {.status = status, .message = message};

    call_finish(call, &result);
}

static void on_call_timer(void *user)
{
    struct link_call *call = user;
    char message[600];

    if (call->link->has_ended) {
        snprintf(message, sizeof(message), "the guest is gone: %s", call->link->why.message);
        call_fail(call, STATUS_UNAVAILABLE, message);
        return;
    }
    snprintf(message, sizeof(message), "no answer from the guest in time%s%s",
             call->link->current ? "" : ": no channel: ",
             call->link->current ? "" : call->link->why.message);
    call_fail(call, STATUS_DEADLINE_EXCEEDED, message);
}

static void on_rpc_done(void *user, const struct rpc_result *result)
{
    struct link_call *call = user;
    bool cut_off = result->status == STATUS_UNAVAILABLE || result->status == STATUS_CANCELLED;

    if (!cut_off) {
        call_finish(call, result);
        return;
    }
    rpc_call_free(call->rpc);
    call->rpc = NULL;
    call->connection = NULL;
    source_rearm(call->link->retry, RETRY_MS);
}

static void call_submit(struct link_call *call)
{
    struct connection *connection = call->link->current;
    struct rpc_request request = {
        .method = call->method, .message = call->message, .reply = call->reply};
    struct rpc_channel *channel;

    if (call->rpc || !connection || connection->broken || call->link->has_ended)
        return;
    channel = call->lane == LINK_BULK ? connection->bulk : connection->control;
    if (rpc_call_unary(channel, &request, on_rpc_done, call, &call->rpc) < 0) {
        source_rearm(call->link->retry, RETRY_MS);
        return;
    }
    call->connection = connection;
    call->was_sent = true;
}

static void calls_submit(struct link *link)
{
    for (struct link_call *call = link->calls; call; call = call->next)
        call_submit(call);
}

static void on_retry(void *user)
{
    calls_submit(user);
}

struct link_call *link_call(struct link *link, const struct link_request *request,
                            rpc_done_fn *done, void *user)
{
    struct link_call *call = xnew(struct link_call);
    uint64_t deadline = request->deadline_ms ? request->deadline_ms
                                             : link->options.request_timeout_ms;
    struct error err;

    call->link = link;
    call->lane = request->lane;
    call->method = request->method;
    call->message = message_copy(request->message);
    call->reply = request->reply;
    call->done = done;
    call->user = user;
    if (loop_after(link->options.loop, link->has_ended ? 0 : deadline, on_call_timer, call,
                   &call->timer, &err) < 0)
        abort(); /* no memory for a timer */
    *link->calls_end = call;
    link->calls_end = &call->next;
    call_submit(call);
    return call;
}

void link_cancel(struct link_call *call)
{
    struct link *link;

    if (!call)
        return;
    link = call->link;
    call_unlink(call);
    call_free(call);
    retire_if_idle(link);
}

bool link_call_was_sent(const struct link_call *call)
{
    return call->was_sent;
}

/* ---- the link ---------------------------------------------------------------------------------
 */

int link_new(const struct link_options *options, const struct link_events *events, void *user,
             struct link **ret, struct error *err)
{
    scoped(link_freep) struct link *link = xnew(struct link);

    link->options = *options;
    link->events = *events;
    link->user = user;
    link->backoff_ms = BACKOFF_MIN_MS;
    link->calls_end = &link->calls;
    error_set(&link->why, STATUS_UNAVAILABLE, "not reached yet");
    if (loop_after(options->loop, 0, on_redial, link, &link->redial, err) < 0 ||
        loop_after(options->loop, LOOP_NEVER, on_retry, link, &link->retry, err) < 0 ||
        loop_after(options->loop, LOOP_NEVER, on_lost_timeout, link, &link->lost, err) < 0)
        return -1;
    *ret = take_ptr(link);
    return 0;
}

void link_free(struct link *link)
{
    if (!link)
        return;
    while (link->calls)
        link_cancel(link->calls);
    connection_free(link->coming);
    connection_free(link->retired);
    connection_free(link->current);
    source_free(link->redial);
    source_free(link->retry);
    source_free(link->lost);
    free(link);
}

bool link_is_open(const struct link *link)
{
    return link->current && !link->current->broken && !link->has_ended;
}

bool link_has_ended(const struct link *link)
{
    return link->has_ended;
}

const char *link_why(const struct link *link)
{
    return link->why.message;
}

struct channel *link_control(const struct link *link)
{
    return link_is_open(link) ? link->current->control_channel : NULL;
}

void link_drop(struct link *link, const struct error *why)
{
    if (link->current)
        connection_break(link->current, why);
}

void link_end(struct link *link)
{
    link->has_ended = true;
    if (link->coming)
        connection_break(link->coming, NULL);
    for (struct link_call *call = link->calls; call; call = call->next)
        source_rearm(call->timer, 0);
}

void link_listen(struct link *link, struct link_listener *listener)
{
    listener->next = link->listeners;
    link->listeners = listener;
    if (link_is_open(link))
        listener->changed(listener, link->current->control, link->current->bulk);
}

void link_leave(struct link *link, struct link_listener *listener)
{
    for (struct link_listener **p = &link->listeners; *p; p = &(*p)->next) {
        if (*p == listener) {
            *p = listener->next;
            return;
        }
    }
}
