/* SPDX-License-Identifier: Apache-2.0 */
#include "pair.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "io/loop.h"
#include "secure/key.h"

const uint64_t pair_deadlines_ms[PAIR_DEADLINES] = {200, 1000, 4000, 16000};
const char *const pair_allow_sample[] = {"sample", NULL};

static void must(int rc, const struct error *err)
{
    ck_assert_msg(rc == 0, "%s", err->message);
}

struct initdata *pair_make_initdata(const struct pair *pair, const char *evidence, uint64_t epoch)
{
    struct initdata_content content = {
        .algorithm = initdata_algorithm_of(evidence),
        .peers = {{.role = PEER_CONTROL}, {.role = PEER_OBSERVE}},
        .peer_count = 2,
        .epoch = epoch,
        .limits = {.vcpus = 1, .memory = 1 << 28},
        .network = INITDATA_NETWORK_NONE,
    };
    struct initdata *initdata;
    struct error err;

    snprintf(content.limits.evidence, sizeof(content.limits.evidence), "%s", evidence);
    memset(content.sandbox_id, 0x5b, sizeof(content.sandbox_id));
    memcpy(content.peers[0].spki, key_spki(pair->tenant_key), 32);
    memcpy(content.peers[1].spki, key_spki(pair->other_key), 32);
    must(initdata_make(&content, &initdata, &err), &err);
    return initdata;
}

void pair_init(struct pair *pair)
{
    struct error err;

    memset(pair, 0, sizeof(*pair));
    must(loop_new(&pair->loop, &err), &err);
    must(key_generate(&pair->tenant_key, &err), &err);
    must(key_generate(&pair->guest_key, &err), &err);
    must(key_generate(&pair->other_key, &err), &err);
    random_bytes(pair->instance, sizeof(pair->instance));
    pair->initdata = pair_make_initdata(pair, "sample", 7);
}

int pair_socket_listen(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *) &address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void on_end(void *user, struct channel *channel, const struct error *err)
{
    struct outcome *outcome = user;

    outcome->ended = true;
    outcome->in_order = err == NULL;
    if (err)
        outcome->err = *err;
}

static void on_due(void *user, struct channel *channel)
{
    struct outcome *outcome = user;

    outcome->due = true;
    outcome->due_ms = clock_monotonic_ms();
}

void outcome_watch(struct outcome *outcome)
{
    channel_on_end(outcome->channel, on_end, outcome);
    channel_on_replacement_due(outcome->channel, on_due, outcome);
}

static void on_guest_opened(void *user, struct channel *channel)
{
    struct pair *pair = user;
    struct outcome *outcome = &pair->guest[pair->guest_count++];

    ck_assert_uint_le(pair->guest_count, PAIR_CHANNELS_MAX);
    outcome->channel = channel;
    outcome->opened = true;
    outcome_watch(outcome);
    if (pair->serve)
        pair->serve(outcome);
}

static void on_refused(void *user, const struct error *err)
{
    struct pair *pair = user;

    pair->refused_count++;
    pair->refused = *err;
}

void pair_listen(struct pair *pair)
{
    static const struct channel_listener_events events = {on_guest_opened, on_refused};
    struct channel_listener_options options = {
        .fd = pair->dials ? -1 : pair_socket_listen(&pair->port),
        .key = pair->guest_key,
        .initdata = pair->initdata,
        .instance = pair->instance,
        .maker = pair->maker,
        .produce = pair->produce,
        .produce_user = pair->produce_user,
        .deadline_ms = pair->guest_deadline_ms,
    };
    struct error err;

    must(channel_listen(pair->loop, &options, &events, pair, &pair->listener, &err), &err);
}

void pair_fini(struct pair *pair)
{
    for (size_t i = 0; i < pair->guest_count; i++)
        channel_free(pair->guest[i].channel);
    channel_listener_free(pair->listener);
    initdata_free(pair->initdata);
    key_free(pair->tenant_key);
    key_free(pair->guest_key);
    key_free(pair->other_key);
    loop_free(pair->loop);
}

struct channel_dial_options pair_dial_options(const struct pair *pair)
{
    struct channel_dial_options options = {
        .key = pair->tenant_key,
        .initdata = pair->initdata,
        .policy = {.allow_insecure = pair_allow_sample},
        .deadline_ms = 5000,
        .records_max = pair->records_max,
        .age_ms = pair->age_ms,
        .retire_ms = pair->retire_ms,
    };
    struct error err;

    must(endpoint_make("direct", "127.0.0.1", pair->port, &options.endpoint, &err), &err);
    return options;
}

static void on_open(void *user, struct channel *channel, const struct error *err)
{
    struct outcome *outcome = user;

    outcome->opened = err == NULL;
    outcome->failed = err != NULL;
    if (err)
        outcome->err = *err;
    else
        outcome_watch(outcome);
}

static void run_until_outcome(struct pair *pair, const struct outcome *outcome)
{
    struct error err;

    for (int i = 0; i < PAIR_TURNS_MAX && !outcome->opened && !outcome->failed; i++)
        must(loop_turn(pair->loop, 10, &err), &err);
    ck_assert_msg(outcome->opened || outcome->failed, "no outcome");
}

void pair_dial(struct pair *pair, const struct channel_dial_options *options, struct outcome *ret)
{
    struct error err;

    memset(ret, 0, sizeof(*ret));
    must(channel_dial(pair->loop, options, on_open, ret, &ret->channel, &err), &err);
    run_until_outcome(pair, ret);
}

static void join_class(struct pair *pair, struct outcome *control, enum channel_class class,
                       struct outcome *ret)
{
    struct error err;

    memset(ret, 0, sizeof(*ret));
    must(channel_join(control->channel, class, on_open, ret, &ret->channel, &err), &err);
    run_until_outcome(pair, ret);
}

void pair_join(struct pair *pair, struct outcome *control, struct outcome *ret)
{
    join_class(pair, control, CHANNEL_BULK, ret);
}

struct outcome *pair_join_class(struct pair *pair, struct outcome *control,
                                enum channel_class class, struct outcome *tenant)
{
    size_t before = pair->guest_count;

    join_class(pair, control, class, tenant);
    ck_assert_msg(tenant->opened, "%s", tenant->err.message);
    pair_until(pair, &pair->guest[before].opened);
    return &pair->guest[before];
}

struct outcome *pair_open(struct pair *pair, struct outcome *tenant)
{
    struct channel_dial_options options = pair_dial_options(pair);
    size_t before = pair->guest_count;

    pair_dial(pair, &options, tenant);
    ck_assert_msg(tenant->opened, "%s", tenant->err.message);
    pair_until(pair, &pair->guest[before].opened);
    return &pair->guest[before];
}

struct outcome *pair_join_open(struct pair *pair, struct outcome *control, struct outcome *tenant)
{
    size_t before = pair->guest_count;

    pair_join(pair, control, tenant);
    ck_assert_msg(tenant->opened, "%s", tenant->err.message);
    pair_until(pair, &pair->guest[before].opened);
    return &pair->guest[before];
}

void outcome_fini(struct outcome *outcome)
{
    channel_free(outcome->channel);
    memset(outcome, 0, sizeof(*outcome));
}

void pair_until(struct pair *pair, const bool *flag)
{
    struct error err;

    for (int i = 0; i < PAIR_TURNS_MAX && !*flag; i++)
        must(loop_turn(pair->loop, 5, &err), &err);
    ck_assert_msg(*flag, "it did not happen; last refusal: %s", pair->refused.message);
}

void pair_until_refused(struct pair *pair, size_t count)
{
    struct error err;

    for (int i = 0; i < PAIR_TURNS_MAX && pair->refused_count < count; i++)
        must(loop_turn(pair->loop, 5, &err), &err);
    ck_assert_uint_eq(pair->refused_count, count);
}

void pair_turns(struct pair *pair, int turns)
{
    struct error err;

    for (int i = 0; i < turns; i++)
        must(loop_turn(pair->loop, 2, &err), &err);
}

int pair_connect(const struct pair *pair)
{
    struct channel_dial_options options = pair_dial_options(pair);
    struct error err;
    int fd;

    must(endpoint_open(&options.endpoint, &fd, &err), &err);
    return fd;
}
