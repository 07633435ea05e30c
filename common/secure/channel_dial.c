/* SPDX-License-Identifier: Apache-2.0 */
/* The tenant's side: HELLO, judge EVIDENCE, ACCEPT or REJECT; or JOIN, check JOINED. */
#include <string.h>

#include "base/random.h"
#include "secure/channel_private.h"
#include "secure/join.h"
#include "secure/key.h"

/* ---- control --------------------------------------------------------------------------------- */

static int say_hello(struct channel *channel, struct error *err)
{
    channel->hello.number = 1;
    channel->hello.evidence = (uint8_t) channel->appraisal.type->code;
    random_bytes(channel->hello.nonce, sizeof(channel->hello.nonce));
    hello_write(&channel->output, &channel->hello);
    return channel_say(channel, err);
}

static int expect(const struct channel *channel, enum frame_type type, struct error *err)
{
    if (channel->input.type != type)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s came where %s is due",
                         frame_name(channel->input.type), frame_name(type));
    return 0;
}

/* The guest hears why; then the connection ends with the same words on this side. */
static int reject(struct channel *channel, const struct evidence_verdict *verdict,
                  struct error *err)
{
    (void) !appraisal_error(verdict, &channel->end_error);
    channel->rejected = true;
    reject_write(&channel->output, (uint32_t) verdict->failed, verdict->text);
    return channel_say(channel, err);
}

/* -1: it could not be judged. */
static int judge(struct channel *channel, const struct hello *hello,
                 const struct appraisal_answer *answer, struct evidence_verdict *ret,
                 struct error *err)
{
    struct channel_dial_options *options = &channel->dial;
    uint8_t instance[32];

    if (options->refresh && options->refresh(options->refresh_user, &options->policy, err) < 0)
        return error_wrap(err, "appraisal");
    appraisal_judge(&channel->appraisal, &options->policy, hello, answer, instance, ret);
    if (ret->failed != APPRAISAL_OK)
        return 0;
    memcpy(channel->instance, instance, sizeof(instance));
    channel->verdict = *ret;
    channel->number = hello->number;
    return 0;
}

static int judge_evidence(struct channel *channel, const struct blob *body, struct error *err)
{
    const struct appraisal_answer answer = {
        .body = body->data,
        .length = body->length,
        .instance = channel->instance_known ? channel->expected_instance : NULL,
    };
    struct evidence_verdict verdict = {0};

    if (expect(channel, FRAME_EVIDENCE, err) < 0 || channel_expect_silence(channel, err) < 0)
        return -1;
    if (judge(channel, &channel->hello, &answer, &verdict, err) < 0)
        return -1;
    if (verdict.failed != APPRAISAL_OK)
        return reject(channel, &verdict, err);
    accept_write(&channel->output);
    return channel_say(channel, err);
}

static int hello_or_verdict_sent(struct channel *channel, struct error *err)
{
    if (channel->rejected) {
        *err = channel->end_error;
        return -1;
    }
    channel->stage = channel->number ? STAGE_OPEN : STAGE_RECEIVE;
    return 0;
}

/* ---- join ------------------------------------------------------------------------------------ */

static void make_mac(const struct channel *channel, enum join_direction direction, uint8_t ret[32])
{
    const struct join *join = &channel->join;
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
    join_mac(channel->control->join_key, &statement, ret);
}

static int need_control(const struct channel *channel, struct error *err)
{
    if (channel->control)
        return 0;
    return error_set(err, STATUS_UNAVAILABLE, "the control connection has ended");
}

static int say_join(struct channel *channel, struct error *err)
{
    struct channel *control = channel->control;

    if (need_control(channel, err) < 0)
        return -1;
    if (control->serial == UINT16_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "the control's serials are used up");
    channel->join.class = (uint8_t) channel->class;
    channel->join.serial = ++control->serial;
    memcpy(channel->join.control_id, control->control_id, sizeof(channel->join.control_id));
    random_bytes(channel->join.nonce, sizeof(channel->join.nonce));
    make_mac(channel, JOIN_TO_GUEST, channel->join.mac);
    join_write(&channel->output, &channel->join);
    return channel_say(channel, err);
}

static int check_joined(struct channel *channel, const struct blob *body, struct error *err)
{
    uint8_t mac[HELLO_MAC_SIZE], expected[HELLO_MAC_SIZE];

    if (need_control(channel, err) < 0 || expect(channel, FRAME_JOINED, err) < 0 ||
        joined_parse(body->data, body->length, mac, err) < 0)
        return -1;
    make_mac(channel, JOIN_TO_TENANT, expected);
    if (!bytes_equal_secret(mac, expected, sizeof(mac)))
        return error_set(err, STATUS_UNAUTHENTICATED, "JOINED has a wrong mac");
    channel->stage = STAGE_OPEN;
    return 0;
}

static int join_sent(struct channel *channel, struct error *err)
{
    channel->stage = STAGE_RECEIVE;
    return 0;
}

static bool is_controls_guest(void *user, const uint8_t spki[32])
{
    const struct channel *channel = user;

    return channel->control &&
           memcmp(channel->control->appraisal.guest_spki, spki, KEY_SPKI_SIZE) == 0;
}

/* ---- both ------------------------------------------------------------------------------------ */

static void opened(struct channel *channel)
{
    channel->open_fn(channel->open_user, channel, NULL);
}

static void dial_failed(struct channel *channel, const struct error *err)
{
    channel->open_fn(channel->open_user, channel, err);
}

static const struct channel_script control_script = {
    .greeted = say_hello,
    .received = judge_evidence,
    .sent = hello_or_verdict_sent,
    .opened = opened,
    .failed = dial_failed,
};

static const struct channel_script join_script = {
    .greeted = say_join,
    .received = check_joined,
    .sent = join_sent,
    .opened = opened,
    .failed = dial_failed,
};

static struct channel *new_dial(struct loop *loop, const struct channel_dial_options *options,
                                const struct channel_script *script, int socket)
{
    struct channel *channel = channel_new(loop, script, socket, TLS_TENANT);

    channel->dial = *options;
    channel->dial.instance = NULL;
    channel->key = options->key;
    channel->appraisal.initdata = options->initdata;
    if (options->records_max)
        channel->records_max = options->records_max;
    if (options->age_ms)
        channel->age_ms = options->age_ms;
    if (options->retire_ms)
        channel->retire_ms = options->retire_ms;
    return channel;
}

static int check_options(const struct channel_dial_options *options,
                         const struct evidence_type **ret_type, struct error *err)
{
    const char *name = options->initdata->content.limits.evidence;
    const struct evidence_type *type = evidence_find_name(name);

    if (!type)
        return error_set(err, STATUS_UNIMPLEMENTED, "evidence type %s is not in this build", name);
    if (!evidence_allowed(type, &options->policy))
        return error_set(err, STATUS_PERMISSION_DENIED,
                         "appraisal failed: policy: evidence type %s is insecure; only "
                         "allow_insecure_evidence = [\"%s\"] takes it",
                         name, name);
    if (!initdata_peer(options->initdata, key_spki(options->key)))
        return error_set(err, STATUS_FAILED_PRECONDITION, "our key is not in the initdata");
    *ret_type = type;
    return 0;
}

int channel_dial(struct loop *loop, const struct channel_dial_options *options,
                 channel_open_fn *open_fn, void *user, struct channel **ret, struct error *err)
{
    const struct evidence_type *type = NULL;
    int fd;

    if (check_options(options, &type, err) < 0 || endpoint_open(&options->endpoint, &fd, err) < 0)
        return -1;
    scoped(channel_freep) struct channel *channel = new_dial(loop, options, &control_script, fd);
    channel->appraisal.type = type;
    channel->open_fn = open_fn;
    channel->open_user = user;
    if (options->instance) {
        memcpy(channel->expected_instance, options->instance, sizeof(channel->expected_instance));
        channel->instance_known = true;
    }
    if (channel_begin(channel, NULL, options->deadline_ms, err) < 0)
        return -1;
    *ret = take_ptr(channel);
    return 0;
}

int channel_join(struct channel *control, enum channel_class class, channel_open_fn *open_fn,
                 void *user, struct channel **ret, struct error *err)
{
    int fd;

    if (!channel_class_joins(class))
        return error_set(err, STATUS_INVALID_ARGUMENT, "a connection of class %u does not join",
                         class);
    if (control->stage != STAGE_OPEN || control->class != CHANNEL_CONTROL)
        return error_set(err, STATUS_FAILED_PRECONDITION, "there is no open control to join");
    if (endpoint_open(&control->dial.endpoint, &fd, err) < 0)
        return -1;
    scoped(channel_freep) struct channel *channel = new_dial(control->loop, &control->dial,
                                                             &join_script, fd);
    channel->class = class;
    channel->appraisal.type = control->appraisal.type;
    channel->number = control->number;
    memcpy(channel->instance, control->instance, sizeof(channel->instance));
    channel->open_fn = open_fn;
    channel->open_user = user;
    if (channel_add_joined(control, channel, err) < 0 ||
        channel_begin(channel, is_controls_guest,
                      channel_class_is_raw(class) ? 0 : control->dial.deadline_ms, err) < 0)
        return -1;
    *ret = take_ptr(channel);
    return 0;
}

bool channel_is_reached(const struct channel *channel)
{
    return channel->stage != STAGE_CONNECT || channel->dial.endpoint.offers;
}

int channel_appraise_verify(struct channel *control, const struct appraise_answer *answer,
                            enum appraisal_check *ret_failed, struct error *err)
{
    const struct appraisal_answer appraised = {
        .body = answer->body,
        .length = answer->length,
        .instance = control->instance,
    };
    struct hello hello = {.number = (uint16_t) answer->number,
                          .evidence = (uint8_t) control->appraisal.type->code};
    struct evidence_verdict verdict = {0};

    *ret_failed = APPRAISAL_OK;
    memcpy(hello.nonce, answer->nonce, sizeof(hello.nonce));
    if (control->stage != STAGE_OPEN || control->class != CHANNEL_CONTROL ||
        control->side != TLS_TENANT)
        return error_set(err, STATUS_FAILED_PRECONDITION, "only an open control is appraised");
    if (answer->number <= control->number || answer->number > UINT16_MAX) {
        evidence_fail(&verdict, APPRAISAL_NUMBER, "appraisal number %u after %u", answer->number,
                      control->number);
        *ret_failed = verdict.failed;
        return appraisal_error(&verdict, err);
    }
    if (judge(control, &hello, &appraised, &verdict, err) < 0)
        return -1;
    *ret_failed = verdict.failed;
    return verdict.failed == APPRAISAL_OK ? 0 : appraisal_error(&verdict, err);
}
