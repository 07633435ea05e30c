/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/publisher.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/scoped.h"
#include "events.pb-c.h"
#include "io/loop.h"
#include "ttrpc/client.h"

enum { CALL_DEADLINE_MS = 5000, RETRY_DELAY_MS = 1000 };

struct event {
    struct event *next;
    char *topic;
    char *type_url;
    uint8_t *value;
    size_t length;
    int64_t time_ns;
    unsigned attempts;
};

struct publisher {
    struct loop *loop;
    char *address; /* NULL: nobody listens */
    char *ns;
    unsigned retry_delay_ms;
    struct ttrpc_client *client;
    struct event *first;
    struct event **last;
    size_t count;
    bool in_flight; /* the first event has been sent */
    struct source *timer;
    void (*flushed)(void *user);
    void *flushed_user;
    struct source *flush_timer;
};

static void send_first(struct publisher *publisher);

static void event_free(struct event *event)
{
    free(event->topic);
    free(event->type_url);
    free(event->value);
    free(event);
}

static void report_flushed(void *user)
{
    struct publisher *publisher = user;
    void (*flushed)(void *user) = publisher->flushed;

    publisher->flushed = NULL;
    if (flushed)
        flushed(publisher->flushed_user);
}

static void on_turn(void *user)
{
    send_first(user);
}

static void next_turn(struct publisher *publisher, unsigned delay_ms)
{
    struct error err;

    if (publisher->timer)
        source_rearm(publisher->timer, delay_ms);
    else if (loop_after(publisher->loop, delay_ms, on_turn, publisher, &publisher->timer, &err) < 0)
        log_error("publish: %s", err.message);
}

static void drop_first(struct publisher *publisher)
{
    struct event *event = publisher->first;

    publisher->first = event->next;
    if (!publisher->first)
        publisher->last = &publisher->first;
    publisher->count--;
    event_free(event);
}

/* A sentence from containerd's side is final; a lost connection or silence is not. */
static void on_failure(struct publisher *publisher, const struct error *err)
{
    struct event *event = publisher->first;
    bool may_pass = err->status == STATUS_UNAVAILABLE || err->status == STATUS_DEADLINE_EXCEEDED;

    event->attempts++;
    if (may_pass && event->attempts < PUBLISHER_ATTEMPTS) {
        next_turn(publisher, publisher->retry_delay_ms * event->attempts);
        return;
    }
    log_warn("event %s dropped after %u attempts: %s", event->topic, event->attempts, err->message);
    drop_first(publisher);
    next_turn(publisher, 0);
}

static void on_done(void *user, const void *reply, const struct error *err)
{
    struct publisher *publisher = user;

    publisher->in_flight = false;
    if (err) {
        on_failure(publisher, err);
        return;
    }
    drop_first(publisher);
    send_first(publisher);
}

static void on_lost(void *user)
{
    struct publisher *publisher = user;

    ttrpc_client_free(take_ptr(publisher->client));
}

static int forward(struct publisher *publisher, const struct event *event, struct error *err)
{
    Ttrpc__Timestamp timestamp = TTRPC__TIMESTAMP__INIT;
    Ttrpc__Any any = TTRPC__ANY__INIT;
    Events__Envelope envelope = EVENTS__ENVELOPE__INIT;
    Events__ForwardRequest request = EVENTS__FORWARD_REQUEST__INIT;
    const struct ttrpc_call_options options = {
        .service = "containerd.services.events.ttrpc.v1.Events",
        .method = "Forward",
        .message = &request.base,
        .reply = &ttrpc__empty__descriptor,
        .containerd_namespace = publisher->ns,
        .deadline_ms = CALL_DEADLINE_MS,
    };

    timestamp.seconds = event->time_ns / 1000000000;
    timestamp.nanos = (int32_t) (event->time_ns % 1000000000);
    any.type_url = event->type_url;
    any.value.data = event->value;
    any.value.len = event->length;
    envelope.timestamp = &timestamp;
    envelope.namespace_ = publisher->ns;
    envelope.topic = event->topic;
    envelope.event = &any;
    request.envelope = &envelope;
    if (!publisher->client && ttrpc_client_connect(publisher->loop, publisher->address, on_lost,
                                                   publisher, &publisher->client, err) < 0)
        return -1;
    return ttrpc_client_call(publisher->client, &options, on_done, publisher, err);
}

static void send_first(struct publisher *publisher)
{
    struct error err;

    if (publisher->in_flight)
        return;
    if (!publisher->first) {
        report_flushed(publisher);
        return;
    }
    if (forward(publisher, publisher->first, &err) < 0)
        on_failure(publisher, &err);
    else
        publisher->in_flight = true;
}

int publisher_new(struct loop *loop, const struct publisher_options *options,
                  struct publisher **ret, struct error *err)
{
    struct publisher *publisher = xnew(struct publisher);

    publisher->loop = loop;
    if (options->ttrpc_address && *options->ttrpc_address)
        publisher->address = xstrdup(options->ttrpc_address);
    publisher->ns = xstrdup(options->ns);
    publisher->retry_delay_ms = options->retry_delay_ms ? options->retry_delay_ms : RETRY_DELAY_MS;
    publisher->last = &publisher->first;
    *ret = publisher;
    return 0;
}

void publisher_free(struct publisher *publisher)
{
    if (!publisher)
        return;
    ttrpc_client_free(publisher->client);
    source_freep(&publisher->timer);
    source_freep(&publisher->flush_timer);
    while (publisher->first)
        drop_first(publisher);
    free(publisher->address);
    free(publisher->ns);
    free(publisher);
}

void publisher_send(struct publisher *publisher, const char *topic,
                    const struct ProtobufCMessage *message)
{
    if (!publisher->address)
        return;
    if (publisher->count >= PUBLISHER_QUEUE_MAX) {
        log_warn("event %s dropped: %zu wait already", topic, publisher->count);
        return;
    }

    struct event *event = xnew(struct event);

    event->topic = xstrdup(topic);
    event->type_url = xformat("containerd.events.%s", message->descriptor->short_name);
    event->length = protobuf_c_message_get_packed_size(message);
    event->value = xalloc(event->length + 1);
    protobuf_c_message_pack(message, event->value);
    event->time_ns = clock_wall_ns();
    *publisher->last = event;
    publisher->last = &event->next;
    /* From the loop: the caller may stand inside a state change. A queue that moves goes on alone.
     */
    if (publisher->count++ == 0)
        next_turn(publisher, 0);
}

size_t publisher_pending(const struct publisher *publisher)
{
    return publisher->count;
}

void publisher_flush(struct publisher *publisher, unsigned timeout_ms, void (*done)(void *user),
                     void *user)
{
    struct error err;

    publisher->flushed = done;
    publisher->flushed_user = user;
    source_freep(&publisher->flush_timer);
    publisher->flush_timer = NULL;
    if (loop_after(publisher->loop, publisher->count ? timeout_ms : 0, report_flushed, publisher,
                   &publisher->flush_timer, &err) < 0)
        loop_post(publisher->loop, report_flushed, publisher);
}
