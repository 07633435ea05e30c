/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's side: a listener that takes few handshakes at a time, answers HELLO with evidence and
 * JOIN with a proof, and knows which controls live. */
#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/socket.h>

#include "io/loop.h"
#include "secure/channel_private.h"
#include "secure/join.h"
#include "secure/key.h"

enum {
    CONTROLS_PER_KEY = 2, /* one, and the one that replaces it */
    CONTROLS_MAX = CONTROLS_PER_KEY * INITDATA_PEERS_MAX,
    ENDED_REMEMBERED = 16,
    ACCEPTS_PER_TURN = 8,
    ACCEPT_PAUSE_MS = 1000,
    RESERVE_CHUNKS = 4,
    RESERVE_CHUNK = 64 * 1024, /* below the allocator's threshold for mappings of their own */
    RESERVES = CHANNEL_HANDSHAKES_MAX * RESERVE_CHUNKS * RESERVE_CHUNK,
};

/* mbedTLS before 2.28.10 computes Finished wrongly when an allocation fails (CVE-2025-27810), and
 * the host chooses how much memory a guest has. So what a handshake needs is held back from boot on
 * and freed into the allocator only while a handshake runs. The allocator would return what lies at
 * the end of its heap to the kernel, where a container could take it: keep_freed_memory() forbids
 * that. Within the agent it is anybody's for so long; only its own calls could spend it. */
struct reserve {
    void *chunks[RESERVE_CHUNKS];
};

struct channel_listener {
    struct loop *loop;
    struct channel_listener_options options;
    struct channel_listener_events events;
    void *user;
    uint8_t instance[32];
    const struct evidence_type *type;
    struct source *source, *pause;
    struct channel *pending[CHANNEL_HANDSHAKES_MAX];
    struct reserve reserves[CHANNEL_HANDSHAKES_MAX];
    struct channel *controls[CONTROLS_MAX]; /* open; oldest first */
    uint8_t ended[ENDED_REMEMBERED][HELLO_CONTROL_ID_SIZE];
    size_t ended_count;
};

/* ---- memory ---------------------------------------------------------------------------------- */

/* For the whole process, which is the agent: nobody else listens. Trimming leaves at least the pad;
 * setting either also ends the drift of the threshold for mappings. glibc never refuses these two;
 * the allocator of a sanitizer does. */
static void keep_freed_memory(void)
{
    (void) mallopt(M_TOP_PAD, RESERVES);
    (void) mallopt(M_TRIM_THRESHOLD, 2 * RESERVES);
}

static void reserve_release(struct reserve *reserve)
{
    for (size_t i = 0; i < RESERVE_CHUNKS; i++)
        free(take_ptr(reserve->chunks[i]));
}

static int reserve_fill(struct reserve *reserve, struct error *err)
{
    for (size_t i = 0; i < RESERVE_CHUNKS; i++) {
        if (!reserve->chunks[i])
            reserve->chunks[i] = malloc(RESERVE_CHUNK);
        if (!reserve->chunks[i])
            return error_set(err, STATUS_RESOURCE_EXHAUSTED, "no memory for a handshake");
        memset(reserve->chunks[i], 0x5a, RESERVE_CHUNK); /* touched: really there */
    }
    return 0;
}

/* ---- HELLO ----------------------------------------------------------------------------------- */

static int begin_evidence(struct channel *channel, const struct hello *hello,
                          channel_evidence_fn *made, void *user, struct error *err)
{
    const struct channel_listener_options *given = &channel->listener->options;
    const struct channel_evidence_options options = {
        .maker = given->maker,
        .produce = given->produce,
        .produce_user = given->produce_user,
        .made = made,
        .user = user,
    };

    return channel_make_evidence(channel, hello, &options, err);
}

static void hello_evidence_made(void *user, const uint8_t *body, size_t length,
                                const struct error *err)
{
    struct channel *channel = user;
    struct error fault;

    if (!err) {
        evidence_write(&channel->output, body, length);
        channel->answered = true;
        if (channel_say(channel, &fault) < 0)
            err = &fault;
    }
    if (err)
        channel_end(channel, err);
    else
        source_set_events(channel->socket_source, LOOP_WRITE);
}

static int answer_hello(struct channel *channel, const struct blob *body, struct error *err)
{
    struct hello hello;

    if (hello_parse(body->data, body->length, &hello, err) < 0)
        return -1;
    if (hello.evidence != channel->appraisal.type->code)
        return error_set(err, STATUS_UNIMPLEMENTED, "HELLO asks for evidence type %u, here is %d",
                         hello.evidence, channel->appraisal.type->code);
    if (channel_expect_silence(channel, err) < 0)
        return -1;
    if (begin_evidence(channel, &hello, hello_evidence_made, channel, err) < 0)
        return -1;
    channel->stage = STAGE_MAKE;
    return 0;
}

static int take_verdict(struct channel *channel, const struct blob *body, struct error *err)
{
    struct reject reject;

    if (channel->input.type == FRAME_ACCEPT) {
        channel->stage = STAGE_OPEN;
        return 0;
    }
    if (channel->input.type != FRAME_REJECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s came where a verdict is due",
                         frame_name(channel->input.type));
    if (reject_parse(body->data, body->length, &reject, err) < 0)
        return -1;
    return error_set(err, STATUS_UNAUTHENTICATED, "the tenant rejected the evidence: %u (%s): %s",
                     reject.code, appraisal_check_name((enum appraisal_check) reject.code),
                     reject.text);
}

/* ---- JOIN ------------------------------------------------------------------------------------ */

static bool has_id(const struct channel *channel, const uint8_t *id)
{
    return channel && memcmp(channel->control_id, id, HELLO_CONTROL_ID_SIZE) == 0;
}

static int no_control(const struct channel_listener *listener, const uint8_t *id, struct error *err)
{
    for (size_t i = 0; i < CHANNEL_HANDSHAKES_MAX; i++)
        if (has_id(listener->pending[i], id))
            return error_set(err, STATUS_FAILED_PRECONDITION,
                             "JOIN names a control that is not accepted");
    for (size_t i = 0; i < ENDED_REMEMBERED; i++)
        if (i < listener->ended_count && memcmp(listener->ended[i], id, HELLO_CONTROL_ID_SIZE) == 0)
            return error_set(err, STATUS_FAILED_PRECONDITION,
                             "JOIN names a control that has ended");
    return error_set(err, STATUS_NOT_FOUND, "JOIN names a control that does not exist");
}

static int find_control(const struct channel_listener *listener, const uint8_t *id,
                        struct channel **ret, struct error *err)
{
    for (size_t i = 0; i < CONTROLS_MAX; i++) {
        if (has_id(listener->controls[i], id)) {
            *ret = listener->controls[i];
            return 0;
        }
    }
    return no_control(listener, id, err);
}

static void make_mac(const struct channel *channel, const struct channel *control,
                     const struct join *join, enum join_direction direction, uint8_t ret[32])
{
    struct join_statement statement = {
        .direction = direction,
        .class = join->class,
        .serial = join->serial,
    };

    memcpy(statement.control_id, join->control_id, sizeof(statement.control_id));
    memcpy(statement.nonce, join->nonce, sizeof(statement.nonce));
    memcpy(statement.exporter, channel->appraisal.exporter, sizeof(statement.exporter));
    memcpy(statement.guest_spki, channel->appraisal.guest_spki, sizeof(statement.guest_spki));
    memcpy(statement.tenant_spki, channel->appraisal.tenant_spki, sizeof(statement.tenant_spki));
    join_mac(control->join_key, &statement, ret);
}

static int check_join(const struct channel *channel, const struct join *join,
                      struct channel *control, struct error *err)
{
    uint8_t mac[HELLO_MAC_SIZE];

    if (memcmp(control->appraisal.tenant_spki, channel->appraisal.tenant_spki, KEY_SPKI_SIZE) != 0)
        return error_set(err, STATUS_UNAUTHENTICATED,
                         "JOIN comes with another key than its control");
    make_mac(channel, control, join, JOIN_TO_GUEST, mac);
    if (!bytes_equal_secret(mac, join->mac, sizeof(mac)))
        return error_set(err, STATUS_UNAUTHENTICATED, "JOIN has a wrong mac");
    if (join->serial <= control->serial)
        return error_set(err, STATUS_UNAUTHENTICATED, "JOIN has the serial %u after %u",
                         join->serial, control->serial);
    return 0;
}

static int answer_join(struct channel *channel, const struct blob *body, struct error *err)
{
    struct channel *control = NULL;
    struct join join;
    uint8_t mac[HELLO_MAC_SIZE];

    if (join_parse(body->data, body->length, &join, err) < 0)
        return -1;
    if (!channel_class_joins((enum channel_class) join.class))
        return error_set(err, STATUS_UNIMPLEMENTED, "JOIN asks for class %u (%s)", join.class,
                         channel_class_name((enum channel_class) join.class));
    if (find_control(channel->listener, join.control_id, &control, err) < 0 ||
        check_join(channel, &join, control, err) < 0 || channel_expect_silence(channel, err) < 0 ||
        channel_add_joined(control, channel, err) < 0)
        return -1;
    control->serial = join.serial;
    channel->class = (enum channel_class) join.class;
    channel->role = control->role;
    channel->number = control->number;
    make_mac(channel, control, &join, JOIN_TO_TENANT, mac);
    joined_write(&channel->output, mac);
    channel->answered = true;
    return channel_say(channel, err);
}

/* ---- script ---------------------------------------------------------------------------------- */

static int await_first(struct channel *channel, struct error *err)
{
    channel->stage = STAGE_RECEIVE;
    return 0;
}

static int received(struct channel *channel, const struct blob *body, struct error *err)
{
    if (channel->answered)
        return take_verdict(channel, body, err);
    if (channel->input.type == FRAME_HELLO)
        return answer_hello(channel, body, err);
    if (channel->input.type == FRAME_JOIN)
        return answer_join(channel, body, err);
    return error_set(err, STATUS_INVALID_ARGUMENT, "%s came where HELLO or JOIN is due",
                     frame_name(channel->input.type));
}

static int answer_sent(struct channel *channel, struct error *err)
{
    channel->stage = channel->class == CHANNEL_CONTROL ? STAGE_RECEIVE : STAGE_OPEN;
    return 0;
}

static void forget_pending(struct channel_listener *listener, const struct channel *channel)
{
    struct error err;

    for (size_t i = 0; i < CHANNEL_HANDSHAKES_MAX; i++) {
        if (listener->pending[i] != channel)
            continue;
        listener->pending[i] = NULL;
        (void) !reserve_fill(&listener->reserves[i], &err); /* tried again before the next one */
    }
}

static void remember_ended(struct channel_listener *listener, const struct channel *channel)
{
    memcpy(listener->ended[listener->ended_count % ENDED_REMEMBERED], channel->control_id,
           HELLO_CONTROL_ID_SIZE);
    listener->ended_count++;
}

/* A newer control of the same key replaces the older ones: they get their time to end, and no more
 * than two live at once. */
static void remember_control(struct channel_listener *listener, struct channel *channel)
{
    struct channel *older[CONTROLS_MAX];
    size_t count = 0, others = 0;
    struct error err;

    error_set(&err, STATUS_ABORTED, "too many newer connections have taken over");
    for (size_t i = 0; i < CONTROLS_MAX; i++)
        if (listener->controls[i])
            older[others++] = listener->controls[i];
    memset(listener->controls, 0, sizeof(listener->controls));
    for (size_t i = others; i-- > 0;) {
        if (memcmp(older[i]->appraisal.tenant_spki, channel->appraisal.tenant_spki,
                   KEY_SPKI_SIZE) != 0)
            continue;
        channel_retire(older[i]);
        if (++count < CONTROLS_PER_KEY)
            continue;
        channel_end_later(older[i], &err);
        older[i]->listener = NULL;
        remember_ended(listener, older[i]);
        older[i] = NULL;
    }
    count = 0;
    for (size_t i = 0; i < others; i++)
        if (older[i])
            listener->controls[count++] = older[i];
    listener->controls[count] = channel;
}

static void opened(struct channel *channel)
{
    struct channel_listener *listener = channel->listener;

    forget_pending(listener, channel);
    if (channel->class == CHANNEL_CONTROL)
        remember_control(listener, channel);
    else
        channel->listener = NULL; /* it belongs to its control from here on */
    listener->events.opened(listener->user, channel);
}

static void refuse(const struct channel_listener *listener, const struct error *err)
{
    if (listener->events.refused)
        listener->events.refused(listener->user, err);
}

static void guest_failed(struct channel *channel, const struct error *err)
{
    struct channel_listener *listener = channel->listener;

    channel_free(channel);
    refuse(listener, err);
}

static const struct channel_script guest_script = {
    .greeted = await_first,
    .received = received,
    .sent = answer_sent,
    .opened = opened,
    .failed = guest_failed,
};

/* ---- accept ---------------------------------------------------------------------------------- */

static bool is_named(void *user, const uint8_t spki[32])
{
    const struct channel *channel = user;

    return initdata_peer(channel->appraisal.initdata, spki) != NULL;
}

static int start_guest(struct channel_listener *listener, int fd, struct channel **ret,
                       struct error *err)
{
    scoped(channel_freep) struct channel *channel = channel_new(listener->loop, &guest_script, fd,
                                                                TLS_GUEST);

    transport_tune(fd);
    channel->stage = STAGE_HANDSHAKE;
    channel->key = listener->options.key;
    channel->appraisal.initdata = listener->options.initdata;
    channel->appraisal.type = listener->type;
    memcpy(channel->instance, listener->instance, sizeof(channel->instance));
    if (channel_begin(channel, is_named, listener->options.deadline_ms, err) < 0)
        return -1;
    channel->listener = listener;
    *ret = take_ptr(channel);
    return 0;
}

static int find_slot(const struct channel_listener *listener, size_t *ret, struct error *err)
{
    for (size_t i = 0; i < CHANNEL_HANDSHAKES_MAX; i++) {
        if (!listener->pending[i]) {
            *ret = i;
            return 0;
        }
    }
    return error_set(err, STATUS_RESOURCE_EXHAUSTED, "%d handshakes are in flight already",
                     CHANNEL_HANDSHAKES_MAX);
}

static int take_connection(struct channel_listener *listener, int accepted, struct error *err)
{
    scoped(closep) int fd = accepted;
    size_t slot = 0;

    if (find_slot(listener, &slot, err) < 0 || reserve_fill(&listener->reserves[slot], err) < 0)
        return -1;
    reserve_release(&listener->reserves[slot]);
    return start_guest(listener, take_fd(fd), &listener->pending[slot], err);
}

static void take_or_refuse(struct channel_listener *listener, int fd)
{
    struct error err;

    if (take_connection(listener, fd, &err) < 0)
        refuse(listener, &err);
}

static void on_pause_over(void *user)
{
    struct channel_listener *listener = user;

    if (listener->source)
        source_set_events(listener->source, LOOP_READ);
}

static void on_connection(void *user, uint32_t events)
{
    struct channel_listener *listener = user;
    struct error err;

    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(listener->options.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            take_or_refuse(listener, fd);
            continue;
        }
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
            return;
        error_errno(&err, errno, "accept");
        source_set_events(listener->source, 0); /* out of descriptors: do not spin */
        source_rearm(listener->pause, ACCEPT_PAUSE_MS);
        refuse(listener, &err);
        return;
    }
}

void channel_listener_forget(struct channel_listener *listener, struct channel *channel)
{
    forget_pending(listener, channel);
    for (size_t i = 0; i < CONTROLS_MAX; i++) {
        if (listener->controls[i] != channel)
            continue;
        listener->controls[i] = NULL;
        remember_ended(listener, channel);
    }
}

static int prepare(struct channel_listener *listener, struct error *err)
{
    const char *evidence = listener->options.initdata->content.limits.evidence;

    listener->type = evidence_find_name(evidence);
    if (!listener->type)
        return error_set(err, STATUS_UNIMPLEMENTED, "evidence type %s is not in this build",
                         evidence);
    keep_freed_memory();
    for (size_t i = 0; i < CHANNEL_HANDSHAKES_MAX; i++)
        if (reserve_fill(&listener->reserves[i], err) < 0)
            return -1;
    /* Armed only to exist: it fires once, for nothing. */
    if (loop_after(listener->loop, ACCEPT_PAUSE_MS, on_pause_over, listener, &listener->pause,
                   err) < 0)
        return -1;
    if (listener->options.fd < 0)
        return 0;
    return loop_watch_fd(listener->loop, listener->options.fd, LOOP_READ, on_connection, listener,
                         &listener->source, err);
}

int channel_listen(struct loop *loop, const struct channel_listener_options *options,
                   const struct channel_listener_events *events, void *user,
                   struct channel_listener **ret, struct error *err)
{
    scoped(channel_listener_freep) struct channel_listener *listener = xnew(
        struct channel_listener);

    listener->loop = loop;
    listener->options = *options;
    listener->events = *events;
    listener->user = user;
    memcpy(listener->instance, options->instance, sizeof(listener->instance));
    if (prepare(listener, err) < 0)
        return -1;
    *ret = take_ptr(listener);
    return 0;
}

void channel_listener_free(struct channel_listener *listener)
{
    if (!listener)
        return;
    for (size_t i = 0; i < CHANNEL_HANDSHAKES_MAX; i++)
        channel_free(listener->pending[i]);
    for (size_t i = 0; i < CONTROLS_MAX; i++)
        if (listener->controls[i])
            listener->controls[i]->listener = NULL;
    source_freep(&listener->source);
    source_freep(&listener->pause);
    for (size_t i = 0; i < CHANNEL_HANDSHAKES_MAX; i++)
        reserve_release(&listener->reserves[i]);
    closep(&listener->options.fd);
    free(listener);
}

void channel_listener_take(struct channel_listener *listener, int fd)
{
    take_or_refuse(listener, fd);
}

int channel_evidence(struct channel *control, const struct appraise_question *question,
                     channel_evidence_fn *made, void *user, struct error *err)
{
    struct hello hello = {.number = (uint16_t) question->number};

    if (control->stage != STAGE_OPEN || control->class != CHANNEL_CONTROL || !control->listener)
        return error_set(err, STATUS_FAILED_PRECONDITION, "only an open control is appraised");
    if (question->number <= control->number || question->number > UINT16_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "appraisal number %u after %u",
                         question->number, control->number);
    memcpy(hello.nonce, question->nonce, sizeof(hello.nonce));
    return begin_evidence(control, &hello, made, user, err);
}
