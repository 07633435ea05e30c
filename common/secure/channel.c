/* SPDX-License-Identifier: Apache-2.0 */
#include "secure/channel.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "io/fd.h"
#include "io/loop.h"
#include "secure/channel_private.h"
#include "secure/join.h"
#include "secure/key.h"
#include "secure/pump.h"
#include "secure/pump_shuttle.h"
#include "secure/pump_socket.h"

static const char *const class_names[] = {
    [CHANNEL_CONTROL] = "control",
    [CHANNEL_BULK] = "bulk",
    [CHANNEL_FRAMES] = "frames",
    [CHANNEL_SHARE] = "share",
};

static const char *const stage_names[] = {
    [STAGE_CONNECT] = "while connecting",     [STAGE_HANDSHAKE] = "during the TLS handshake",
    [STAGE_SEND] = "while a frame was sent",  [STAGE_RECEIVE] = "while a frame was awaited",
    [STAGE_MAKE] = "while evidence was made", [STAGE_OPEN] = "while open",
    [STAGE_ENDED] = "after its end",
};

/* ---- ends ------------------------------------------------------------------------------------ */

static void drop_input(struct channel *channel)
{
    if (channel->input.body)
        bytes_wipe(channel->input.body, channel->input.length);
    free(channel->input.body);
    channel->input = (struct channel_input){0};
}

void channel_forget_socket(struct channel *channel)
{
    source_freep(&channel->socket_source);
    channel->socket_source = NULL;
    tls_free(take_ptr(channel->tls));
    closep(&channel->socket);
    channel->socket = -1;
    writer_fini(&channel->output);
    writer_init(&channel->output, FRAME_HEADER_SIZE + FRAME_BODY_MAX);
    channel->output_done = 0;
    drop_input(channel);
    bytes_wipe(channel->join_key, sizeof(channel->join_key));
}

/* The plaintext end stays if its owner took it: it sees the end of the stream. */
static void release(struct channel *channel)
{
    struct source **sources[] = {&channel->deadline, &channel->ending, &channel->age,
                                 &channel->retirement};
    int *descriptors[] = {&channel->plain_inner, &channel->plain_outer};

    channel_evidence_cancel(channel);
    channel_offer_release(channel);
    pump_runner_free(take_ptr(channel->runner));
    pump_socket_free(take_ptr(channel->plain_socket));
    for (size_t i = 0; i < ARRAY_LENGTH(sources); i++) {
        source_freep(sources[i]);
        *sources[i] = NULL;
    }
    channel_forget_socket(channel);
    for (size_t i = 0; i < ARRAY_LENGTH(descriptors); i++) {
        closep(descriptors[i]);
        *descriptors[i] = -1;
    }
    writer_fini(&channel->output);
}

static void leave_relations(struct channel *channel)
{
    struct error err;

    if (channel->listener)
        channel_listener_forget(channel->listener, channel);
    for (size_t i = 0; channel->control && i < CHANNEL_JOINED_MAX; i++)
        if (channel->control->joined[i] == channel)
            channel->control->joined[i] = NULL;
    channel->control = NULL;
    error_set(&err, STATUS_UNAVAILABLE, "the control connection that it joined has ended");
    for (size_t i = 0; i < CHANNEL_JOINED_MAX; i++) {
        if (!channel->joined[i])
            continue;
        channel->joined[i]->control = NULL;
        channel_end_later(channel->joined[i], &err);
        channel->joined[i] = NULL;
    }
}

static void on_ending(void *user)
{
    struct channel *channel = user;
    struct error err = channel->end_error;

    channel_end(channel, &err);
}

void channel_end(struct channel *channel, const struct error *err)
{
    enum channel_stage stage = channel->stage;

    if (stage == STAGE_ENDED)
        return;
    channel->stage = STAGE_ENDED;
    release(channel);
    leave_relations(channel);
    if (stage != STAGE_OPEN)
        channel->script->failed(channel, err);
    else if (channel->end_fn)
        channel->end_fn(channel->end_user, channel, err);
}

void channel_end_later(struct channel *channel, const struct error *err)
{
    struct error fault;

    if (channel->stage == STAGE_ENDED || channel->ending)
        return;
    channel->end_error = *err;
    /* Without a timer it ends by its deadline or its peer; nothing else can be done here. */
    (void) !loop_after(channel->loop, 0, on_ending, channel, &channel->ending, &fault);
}

/* ---- open ------------------------------------------------------------------------------------ */

/* The error is the pump's, and ending the channel frees the pump. */
static void on_pump_ended(void *user, const struct error *err)
{
    struct error copy = err ? *err : (struct error){0};

    channel_end(user, err ? &copy : NULL);
}

static void on_due(void *user)
{
    struct channel *channel = user;

    if (channel->due_told)
        return;
    channel->due_told = true;
    if (channel->due_fn)
        channel->due_fn(channel->due_user, channel);
}

static int start_pump(struct channel *channel, const struct pump_plain *plain, struct error *err)
{
    static const struct pump_events events = {on_pump_ended, on_due};
    const struct pump_options options = {
        .tls = channel->tls,
        .socket = channel->socket,
        .plain = *plain,
        .records_max = channel->records_max,
    };

    if (channel->class == CHANNEL_CONTROL)
        return pump_run_on_loop(channel->loop, &options, &events, channel, &channel->runner, err);
    return pump_run_in_thread(channel->loop, &options, &events, channel, &channel->runner, err);
}

static int open_socket(struct channel *channel, struct error *err)
{
    struct pump_plain plain;
    int pair[2];

    if (fd_pair(pair, err) < 0)
        return -1;
    channel->plain_inner = pair[0];
    channel->plain_outer = pair[1];
    channel->plain_socket = pump_socket_new(channel->plain_inner);
    plain = pump_socket_plain(channel->plain_socket);
    return start_pump(channel, &plain, err);
}

static int open_plain(struct channel *channel, struct error *err)
{
    source_freep(&channel->socket_source);
    channel->socket_source = NULL;
    source_freep(&channel->deadline);
    channel->deadline = NULL;
    if (loop_after(channel->loop, channel->age_ms, on_due, channel, &channel->age, err) < 0)
        return -1;
    if (channel_class_is_raw(channel->class))
        transport_tune_replaceable(channel->socket);
    tls_forget_secret(channel->tls);
    drop_input(channel);
    channel->opened_ms = clock_monotonic_ms();
    return channel->class == CHANNEL_SHARE ? 0 : open_socket(channel, err);
}

/* ---- stages ---------------------------------------------------------------------------------- */

static enum tls_result failed(int rc)
{
    return rc < 0 ? TLS_FAILED : TLS_OK;
}

static enum tls_result step_connect(struct channel *channel, struct error *err)
{
    if (endpoint_finish(&channel->dial.endpoint, channel->socket, err) < 0)
        return TLS_FAILED;
    channel->stage = STAGE_HANDSHAKE;
    return TLS_OK;
}

/* Both exports are made now: the secret does not outlive the opening. */
static int take_identity(struct channel *channel, struct error *err)
{
    const uint8_t *own = key_spki(channel->key), *peer = tls_peer_spki(channel->tls);
    struct appraisal *appraisal = &channel->appraisal;
    bool guest = channel->side == TLS_GUEST;

    memcpy(appraisal->guest_spki, guest ? own : peer, KEY_SPKI_SIZE);
    memcpy(appraisal->tenant_spki, guest ? peer : own, KEY_SPKI_SIZE);
    appraisal->tls_version = tls_version(channel->tls);
    const struct peer *named = initdata_peer(appraisal->initdata, appraisal->tenant_spki);
    if (!named)
        return error_set(err, STATUS_UNAUTHENTICATED, "the tenant's key is not in initdata");
    channel->role = named->role;
    if (tls_export(channel->tls, EXPORTER_LABEL_CHANNEL, appraisal->exporter, err) < 0 ||
        tls_export(channel->tls, EXPORTER_LABEL_JOIN, channel->join_key, err) < 0)
        return -1;
    join_control_id(appraisal->exporter, channel->control_id);
    return 0;
}

static enum tls_result step_handshake(struct channel *channel, struct error *err)
{
    enum tls_result result = tls_handshake(channel->tls, err);

    if (result != TLS_OK)
        return result;
    if (take_identity(channel, err) < 0)
        return TLS_FAILED;
    if (channel_is_offered(channel))
        channel_offer_shaken(channel);
    return failed(channel->script->greeted(channel, err));
}

static enum tls_result step_send(struct channel *channel, struct error *err)
{
    while (channel->output_done < channel->output.size) {
        size_t written;
        enum tls_result result = tls_write(
            channel->tls, channel->output.data + channel->output_done,
            channel->output.size - channel->output_done, &written, err);

        if (result != TLS_OK)
            return result;
        channel->output_done += written;
    }
    writer_fini(&channel->output);
    writer_init(&channel->output, FRAME_HEADER_SIZE + FRAME_BODY_MAX);
    channel->output_done = 0;
    return failed(channel->script->sent(channel, err));
}

/* Exactly the bytes of one frame; the header is judged before its body gets memory. */
static enum tls_result read_frame(struct channel *channel, struct error *err)
{
    struct channel_input *input = &channel->input;
    size_t end = FRAME_HEADER_SIZE + (input->body ? input->length : 0);

    while (input->have < end) {
        uint8_t *to = input->have < FRAME_HEADER_SIZE
                          ? input->header + input->have
                          : input->body + (input->have - FRAME_HEADER_SIZE);
        size_t size = (input->have < FRAME_HEADER_SIZE ? FRAME_HEADER_SIZE : end) - input->have;
        size_t length;
        enum tls_result result = tls_read(channel->tls, to, size, &length, err);

        if (result != TLS_OK)
            return result;
        input->have += length;
        if (input->have != FRAME_HEADER_SIZE || input->body)
            continue;
        if (frame_peek(input->header, FRAME_HEADER_SIZE, &input->type, &input->length, err) != 1)
            return TLS_FAILED;
        input->body = calloc(1, input->length + 1);
        if (!input->body) {
            error_set(err, STATUS_RESOURCE_EXHAUSTED, "no memory for %s", frame_name(input->type));
            return TLS_FAILED;
        }
        end += input->length;
    }
    return TLS_OK;
}

/* The talk is in turns: whatever stands behind a frame in its record was not its sender's to say.
 */
static enum tls_result step_receive(struct channel *channel, struct error *err)
{
    struct channel_input *input = &channel->input;
    enum tls_result result = read_frame(channel, err);

    if (result != TLS_OK)
        return result;
    if (tls_left(channel->tls)) {
        error_set(err, STATUS_INVALID_ARGUMENT, "%zu bytes left over behind %s",
                  tls_left(channel->tls), frame_name(input->type));
        return TLS_FAILED;
    }
    struct blob body = {input->body, input->length};
    int rc = channel->script->received(channel, &body, err);
    drop_input(channel);
    return failed(rc);
}

static enum tls_result (*const steps[])(struct channel *channel, struct error *err) = {
    [STAGE_CONNECT] = step_connect,
    [STAGE_HANDSHAKE] = step_handshake,
    [STAGE_SEND] = step_send,
    [STAGE_RECEIVE] = step_receive,
};

static void open_channel(struct channel *channel)
{
    struct error err;

    if (open_plain(channel, &err) < 0) {
        channel->stage = STAGE_RECEIVE; /* it never was open: that is for its script to hear */
        channel_end(channel, &err);
        return;
    }
    if (channel_is_offered(channel))
        channel_offer_proved(channel);
    channel->script->opened(channel);
}

/* A guest that does not know our HELLO says so in its own log, and hangs up. */
static void explain_end(const struct channel *channel, struct error *err)
{
    bool at_hello = channel->open_fn && channel->class == CHANNEL_CONTROL &&
                    channel->stage == STAGE_RECEIVE && channel->number == 0;

    if (at_hello && err->status == STATUS_UNAVAILABLE)
        error_set(err, STATUS_UNAVAILABLE,
                  "the connection ended at our HELLO: a guest that does not speak version %d of "
                  "the channel does that (use a guest image of release " CLEAVE_VERSION ")",
                  HELLO_VERSION);
}

static void on_socket(void *user, uint32_t events)
{
    struct channel *channel = user;
    enum tls_result result = TLS_OK;
    struct error err;

    if (channel->ending) { /* decided already: what the peer says now is not heard */
        on_ending(channel);
        return;
    }
    while (result == TLS_OK && channel->stage < STAGE_MAKE)
        result = steps[channel->stage](channel, &err);
    if (channel->stage == STAGE_MAKE) {
        source_set_events(channel->socket_source, 0);
        return;
    }
    switch (result) {
    case TLS_OK:
        open_channel(channel);
        return;
    case TLS_WANT_READ:
        source_set_events(channel->socket_source, LOOP_READ);
        return;
    case TLS_WANT_WRITE:
        source_set_events(channel->socket_source, LOOP_WRITE);
        return;
    case TLS_END:
        error_set(&err, STATUS_UNAVAILABLE, "the peer closed the connection %s",
                  stage_names[channel->stage]);
        explain_end(channel, &err);
        break;
    case TLS_FAILED:
        explain_end(channel, &err);
        break;
    }
    if (channel_is_offered(channel))
        channel_offer_failed(channel, &err);
    else
        channel_end(channel, &err);
}

static void on_deadline(void *user)
{
    struct channel *channel = user;
    struct error err;

    error_set(&err, STATUS_DEADLINE_EXCEEDED, "the deadline passed %s",
              stage_names[channel->stage]);
    if (channel_is_offered(channel))
        channel_offer_late(channel, &err);
    channel_end(channel, &err);
}

struct channel *channel_new(struct loop *loop, const struct channel_script *script, int socket,
                            enum tls_side side)
{
    struct channel *channel = xnew(struct channel);

    channel->loop = loop;
    channel->script = script;
    channel->socket = socket;
    channel->side = side;
    channel->class = CHANNEL_CONTROL;
    channel->plain_inner = channel->plain_outer = -1;
    channel->records_max = CHANNEL_RECORDS_MAX;
    channel->age_ms = CHANNEL_AGE_MS;
    channel->retire_ms = CHANNEL_RETIRE_MS;
    writer_init(&channel->output, FRAME_HEADER_SIZE + FRAME_BODY_MAX);
    return channel;
}

int channel_begin_socket(struct channel *channel, struct error *err)
{
    const struct tls_options options = {
        .side = channel->side,
        .fd = channel->socket,
        .key = channel->key,
        .accept_peer = channel->accept_peer,
        .user = channel,
    };
    uint32_t events = channel->side == TLS_TENANT ? LOOP_WRITE : LOOP_READ;

    if (tls_new(&options, &channel->tls, err) < 0)
        return -1;
    return loop_watch_fd(channel->loop, channel->socket, events, on_socket, channel,
                         &channel->socket_source, err);
}

int channel_begin(struct channel *channel, tls_accept_peer_fn *accept_peer, uint64_t deadline_ms,
                  struct error *err)
{
    channel->accept_peer = accept_peer;
    if (channel->socket < 0)
        channel_offer_wait(channel);
    else if (channel_begin_socket(channel, err) < 0)
        return -1;
    return loop_after(channel->loop, deadline_ms ? deadline_ms : CHANNEL_DEADLINE_MS, on_deadline,
                      channel, &channel->deadline, err);
}

int channel_say(struct channel *channel, struct error *err)
{
    if (channel->output.failed)
        return error_set(err, STATUS_INTERNAL, "a frame does not fit");
    channel->stage = STAGE_SEND;
    return 0;
}

int channel_expect_silence(struct channel *channel, struct error *err)
{
    uint8_t byte;
    size_t length;

    switch (tls_read(channel->tls, &byte, sizeof(byte), &length, err)) {
    case TLS_WANT_READ:
    case TLS_WANT_WRITE:
        if (!tls_record_begun(channel->tls))
            return 0;
        /* fall through */
    case TLS_OK:
        return error_set(err, STATUS_INVALID_ARGUMENT, "bytes behind %s before their turn",
                         frame_name(channel->input.type));
    case TLS_END:
        return error_set(err, STATUS_UNAVAILABLE, "the peer closed the connection behind %s",
                         frame_name(channel->input.type));
    case TLS_FAILED:
        break;
    }
    return -1;
}

int channel_add_joined(struct channel *control, struct channel *channel, struct error *err)
{
    for (size_t i = 0; i < CHANNEL_JOINED_MAX; i++) {
        if (control->joined[i])
            continue;
        control->joined[i] = channel;
        channel->control = control;
        return 0;
    }
    return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d connections join one control",
                     CHANNEL_JOINED_MAX);
}

/* ---- public ---------------------------------------------------------------------------------- */

void channel_free(struct channel *channel)
{
    if (!channel)
        return;
    channel->stage = STAGE_ENDED;
    leave_relations(channel);
    release(channel);
    bytes_wipe(channel, sizeof(*channel));
    free(channel);
}

int channel_take_fd(struct channel *channel, int *ret_fd, struct error *err)
{
    if (channel->stage != STAGE_OPEN)
        return error_set(err, STATUS_FAILED_PRECONDITION, "the channel is not open");
    if (!channel->runner && open_socket(channel, err) < 0)
        return -1;
    if (channel->plain_outer < 0)
        return error_set(err, STATUS_FAILED_PRECONDITION, "the descriptor was taken already");
    *ret_fd = take_fd(channel->plain_outer);
    return 0;
}

int channel_carry(struct channel *channel, struct shuttle *shuttle, struct error *err)
{
    const struct pump_plain plain = pump_shuttle_plain(shuttle);

    if (channel->stage != STAGE_OPEN)
        return error_set(err, STATUS_FAILED_PRECONDITION, "the channel is not open");
    if (channel->runner)
        return error_set(err, STATUS_FAILED_PRECONDITION, "the channel carries something already");
    return start_pump(channel, &plain, err);
}

void channel_on_end(struct channel *channel, channel_end_fn *fn, void *user)
{
    channel->end_fn = fn;
    channel->end_user = user;
}

void channel_on_replacement_due(struct channel *channel, channel_due_fn *fn, void *user)
{
    channel->due_fn = fn;
    channel->due_user = user;
}

static void on_retired(void *user)
{
    struct error err;

    error_set(&err, STATUS_ABORTED, "a newer connection has taken over");
    channel_end(user, &err);
}

void channel_retire(struct channel *channel)
{
    struct error err;

    if (channel->stage != STAGE_OPEN || channel->retirement)
        return;
    if (loop_after(channel->loop, channel->retire_ms, on_retired, channel, &channel->retirement,
                   &err) < 0)
        channel_end_later(channel, &err);
}

struct channel_facts channel_facts(const struct channel *channel)
{
    const struct appraisal *appraisal = &channel->appraisal;
    const struct evidence_verdict *verdict = channel->control ? &channel->control->verdict
                                                              : &channel->verdict;
    struct channel_facts facts = {
        .class = channel->class,
        .role = channel->role,
        .evidence = appraisal->type->name,
        .anchor = evidence_anchor_name(appraisal->type->anchor),
        .insecure = appraisal->type->insecure,
        .tls_version = appraisal->tls_version,
        .appraisals = channel->number,
        .measurement_size = verdict->measurement_size,
        .chip_size = verdict->chip_size,
        .opened_ms = channel->opened_ms,
    };

    memcpy(facts.measurement, verdict->measurement, sizeof(facts.measurement));
    memcpy(facts.chip, verdict->chip, sizeof(facts.chip));
    memcpy(facts.guest_spki, appraisal->guest_spki, sizeof(facts.guest_spki));
    memcpy(facts.tenant_spki, appraisal->tenant_spki, sizeof(facts.tenant_spki));
    memcpy(facts.instance, channel->instance, sizeof(facts.instance));
    return facts;
}

const uint8_t *channel_instance(const struct channel *channel)
{
    return channel->instance;
}

const char *channel_class_name(enum channel_class class)
{
    return (size_t) class < ARRAY_LENGTH(class_names) && class_names[class] ? class_names[class]
                                                                            : "unknown class";
}

bool channel_class_joins(enum channel_class class)
{
    return class > CHANNEL_CONTROL && (size_t) class < ARRAY_LENGTH(class_names);
}

bool channel_class_is_raw(enum channel_class class)
{
    return class == CHANNEL_FRAMES || class == CHANNEL_SHARE;
}

struct channel *channel_control(const struct channel *channel)
{
    return channel->control;
}
