/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that claim to belong to an appraised one, and do not. */
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "evidence/sample.h"
#include "io/loop.h"
#include "pair.h"
#include "raw.h"
#include "secure/appraisal.h"
#include "secure/join.h"
#include "secure/key.h"
#include "suite.h"

static struct pair pair;
static struct raw *control, *bulk;

static void setup(void)
{
    pair_init(&pair);
    pair_listen(&pair);
}

static void teardown(void)
{
    raw_free(take_ptr(control));
    raw_free(take_ptr(bulk));
    pair_fini(&pair);
}

static void exported(const struct raw *raw, const char *label, uint8_t ret[32])
{
    struct error err;

    ck_assert_msg(tls_export(raw->tls, label, ret, &err) == 0, "%s", err.message);
}

/* What a genuine tenant would say; tests change it, before or after the mac. */
static struct join genuine(uint16_t serial)
{
    struct join join = {.class = CHANNEL_BULK, .serial = serial};
    uint8_t exporter[32];

    exported(control, EXPORTER_LABEL_CHANNEL, exporter);
    join_control_id(exporter, join.control_id);
    memset(join.nonce, 0x11, sizeof(join.nonce));
    return join;
}

static void seal(struct join *join, enum join_direction direction)
{
    struct join_statement statement = {
        .direction = direction, .class = join->class, .serial = join->serial};
    uint8_t key[32];

    exported(control, EXPORTER_LABEL_JOIN, key);
    exported(bulk, EXPORTER_LABEL_CHANNEL, statement.exporter);
    memcpy(statement.control_id, join->control_id, sizeof(statement.control_id));
    memcpy(statement.nonce, join->nonce, sizeof(statement.nonce));
    memcpy(statement.guest_spki, tls_peer_spki(bulk->tls), 32);
    memcpy(statement.tenant_spki, key_spki(pair.tenant_key), 32);
    join_mac(key, &statement, join->mac);
}

static void send_join(const struct join *join)
{
    struct writer writer;

    writer_init(&writer, 256);
    join_write(&writer, join);
    ck_assert(raw_send(bulk, writer.data, writer.size));
    writer_fini(&writer);
}

static void open_control(void)
{
    control = raw_dial(&pair, pair.tenant_key);
    raw_open_control(control);
}

static void dial_bulk(const struct key *key)
{
    bulk = raw_dial(&pair, key);
    ck_assert_msg(raw_handshake(bulk), "%s", bulk->err.message);
}

static void refused_for(const char *why)
{
    pair_until_refused(&pair, 1);
    ck_assert_msg(strstr(pair.refused.message, why), "%s", pair.refused.message);
    ck_assert(raw_is_ended(bulk)); /* no JOINED */
}

static void join_ok(uint16_t serial)
{
    size_t before = pair.guest_count;

    dial_bulk(pair.tenant_key);
    struct join join = genuine(serial);
    seal(&join, JOIN_TO_GUEST);
    send_join(&join);
    ck_assert_msg(raw_read_frame(bulk), "%s", pair.refused.message);
    ck_assert_int_eq(bulk->type, FRAME_JOINED);
    pair_until(&pair, &pair.guest[before].opened);
    ck_assert_int_eq(channel_facts(pair.guest[before].channel).class, CHANNEL_BULK);
}

START_TEST(a_genuine_join_is_answered)
{
    open_control();
    join_ok(1);
    struct join mine = genuine(1);
    seal(&mine, JOIN_TO_TENANT);
    ck_assert_mem_eq(bulk->body, mine.mac, 32); /* with a mac of its own direction */
    seal(&mine, JOIN_TO_GUEST);
    ck_assert_mem_ne(bulk->body, mine.mac, 32);
}
END_TEST

static void join_for(enum channel_class class)
{
    open_control();
    dial_bulk(pair.tenant_key);
    size_t before = pair.guest_count;
    struct join join = genuine(1);
    join.class = (uint8_t) class;
    seal(&join, JOIN_TO_GUEST);
    send_join(&join);
    ck_assert_msg(raw_read_frame(bulk), "%s", pair.refused.message);
    ck_assert_int_eq(bulk->type, FRAME_JOINED);
    pair_until(&pair, &pair.guest[before].opened);
    ck_assert_int_eq(channel_facts(pair.guest[before].channel).class, class);
}

START_TEST(a_genuine_join_for_frames_is_answered)
{
    join_for(CHANNEL_FRAMES);
}
END_TEST

START_TEST(a_genuine_join_for_the_share_is_answered)
{
    join_for(CHANNEL_SHARE);
}
END_TEST

/* What a host could gain: a flood of stdio in the place of the pod's network, or the reverse. */
START_TEST(a_join_for_bulk_is_none_for_frames)
{
    open_control();
    dial_bulk(pair.tenant_key);
    struct join join = genuine(1);
    seal(&join, JOIN_TO_GUEST);
    join.class = CHANNEL_FRAMES;
    send_join(&join);
    refused_for("JOIN has a wrong mac");
}
END_TEST

START_TEST(a_wrong_mac_is_refused)
{
    open_control();
    dial_bulk(pair.tenant_key);
    struct join join = genuine(1);
    seal(&join, JOIN_TO_GUEST);
    join.mac[31] ^= 1;
    send_join(&join);
    refused_for("JOIN has a wrong mac");
}
END_TEST

START_TEST(each_field_under_the_mac_counts)
{
    for (int i = 0; i < 5; i++) {
        open_control();
        dial_bulk(pair.tenant_key);
        struct join join = genuine(3);
        seal(&join, JOIN_TO_GUEST);
        if (i == 0)
            join.serial = 4;
        if (i == 1)
            join.nonce[0] ^= 1;
        if (i == 2)
            seal(&join, JOIN_TO_TENANT); /* reflected: the mac of the other direction */
        if (i == 3) {                    /* the mac of another connection: its exporter differs */
            raw_free(bulk);
            pair_until_refused(&pair, 1);
            pair.refused_count = 0;
            dial_bulk(pair.tenant_key);
        }
        if (i == 4)
            memset(join.mac, 0, sizeof(join.mac));
        send_join(&join);
        refused_for("JOIN has a wrong mac");
        teardown();
        setup();
    }
}
END_TEST

START_TEST(a_used_serial_is_refused)
{
    open_control();
    join_ok(5);
    for (uint16_t serial = 4; serial <= 5; serial++) {
        raw_free(bulk);
        dial_bulk(pair.tenant_key);
        struct join join = genuine(serial);
        seal(&join, JOIN_TO_GUEST);
        send_join(&join);
        pair_until_refused(&pair, serial - 3u);
        ck_assert_msg(strstr(pair.refused.message, "after 5"), "%s", pair.refused.message);
    }
    raw_free(bulk);
    join_ok(6);
}
END_TEST

START_TEST(a_join_before_its_control_is_accepted_is_refused)
{
    control = raw_dial(&pair, pair.tenant_key);
    ck_assert(raw_handshake(control));
    raw_hello(control, 1); /* and no ACCEPT */
    dial_bulk(pair.tenant_key);
    struct join join = genuine(1);
    seal(&join, JOIN_TO_GUEST);
    send_join(&join);
    refused_for("a control that is not accepted");
    ck_assert_uint_eq(pair.guest_count, 0);
}
END_TEST

START_TEST(a_join_of_itself_is_refused)
{
    control = raw_dial(&pair, pair.tenant_key);
    bulk = control;
    ck_assert(raw_handshake(control));
    struct join join = genuine(1);
    seal(&join, JOIN_TO_GUEST);
    send_join(&join);
    control = NULL;
    refused_for("a control that is not accepted");
}
END_TEST

START_TEST(a_join_after_its_control_ended_is_refused)
{
    open_control();
    dial_bulk(pair.tenant_key);
    struct join join = genuine(1);
    seal(&join, JOIN_TO_GUEST);
    raw_free(take_ptr(control));
    pair_until(&pair, &pair.guest[0].ended);
    send_join(&join);
    refused_for("a control that has ended");
}
END_TEST

START_TEST(a_join_of_an_unknown_control_is_refused)
{
    open_control();
    dial_bulk(pair.tenant_key);
    struct join join = genuine(1);
    join.control_id[0] ^= 1;
    seal(&join, JOIN_TO_GUEST);
    send_join(&join);
    refused_for("a control that does not exist");
}
END_TEST

START_TEST(a_join_with_another_key_is_refused)
{
    open_control();
    dial_bulk(pair.other_key); /* named in initdata, but not the key of this control */
    struct join join = genuine(1);
    seal(&join, JOIN_TO_GUEST);
    send_join(&join);
    refused_for("another key than its control");
}
END_TEST

START_TEST(a_join_of_another_class_is_refused)
{
    static const uint8_t classes[] = {0, CHANNEL_CONTROL, CHANNEL_SHARE + 1};

    for (size_t i = 0; i < ARRAY_LENGTH(classes); i++) {
        open_control();
        dial_bulk(pair.tenant_key);
        struct join join = genuine(1);
        join.class = classes[i];
        seal(&join, JOIN_TO_GUEST);
        send_join(&join);
        refused_for("JOIN asks for class");
        teardown();
        setup();
    }
}
END_TEST

static void malformed(size_t length, uint8_t version, const char *why)
{
    uint8_t body[85] = {version, CHANNEL_BULK};

    open_control();
    dial_bulk(pair.tenant_key);
    raw_send_frame(bulk, FRAME_JOIN, body, length);
    refused_for(why);
    teardown();
    setup();
}

START_TEST(a_malformed_join_is_refused)
{
    malformed(84, 2, "JOIN has version 2");
    malformed(83, 1, "JOIN is cut short");
    malformed(85, 1, "JOIN says 85 bytes");
}
END_TEST

START_TEST(data_behind_join_is_refused)
{
    struct writer writer;

    open_control();
    dial_bulk(pair.tenant_key);
    struct join join = genuine(1);
    seal(&join, JOIN_TO_GUEST);
    writer_init(&writer, 256);
    join_write(&writer, &join);
    writer_bytes(&writer, "PRI", 3);
    raw_send(bulk, writer.data, writer.size);
    refused_for("3 bytes left over behind JOIN");

    raw_free(bulk); /* in a record of its own, before JOINED */
    dial_bulk(pair.tenant_key);
    seal(&join, JOIN_TO_GUEST);
    send_join(&join);
    raw_send(bulk, "PRI", 3);
    pair_until_refused(&pair, 2);
    ck_assert_ptr_nonnull(strstr(pair.refused.message, "bytes behind JOIN before their turn"));
    ck_assert_uint_eq(pair.guest_count, 1);
    writer_fini(&writer);
}
END_TEST

START_TEST(more_joined_connections_than_allowed_are_refused)
{
    struct raw *joined[CHANNEL_JOINED_MAX] = {0};

    open_control();
    for (int i = 0; i < CHANNEL_JOINED_MAX; i++) {
        join_ok((uint16_t) (i + 1));
        joined[i] = take_ptr(bulk);
    }
    dial_bulk(pair.tenant_key);
    struct join join = genuine(100);
    seal(&join, JOIN_TO_GUEST);
    send_join(&join);
    refused_for("more than 8 connections");
    for (int i = 0; i < CHANNEL_JOINED_MAX; i++)
        raw_free(joined[i]);
}
END_TEST

/* ---- the tenant's side ------------------------------------------------------------------------
 */

static struct outcome tenant, joining;
static int listening;

static void setup_tenant(void)
{
    memset(&tenant, 0, sizeof(tenant));
    memset(&joining, 0, sizeof(joining));
    pair_init(&pair);
    listening = pair_socket_listen(&pair.port);
}

static void teardown_tenant(void)
{
    outcome_fini(&joining);
    outcome_fini(&tenant);
    closep(&listening);
    teardown();
}

static void on_open(void *user, struct channel *channel, const struct error *err)
{
    struct outcome *outcome = user;

    outcome->opened = err == NULL;
    outcome->failed = err != NULL;
    if (err)
        outcome->err = *err;
}

static struct raw *serve(const struct key *key)
{
    return raw_serve(&pair, raw_accept(&pair, listening), key);
}

/* A guest that is genuine up to here: its control is appraised and accepted. */
static void serve_control(void)
{
    struct appraisal appraisal = {.initdata = pair.initdata, .type = &evidence_sample};
    const struct appraisal_producer producer = {.instance = pair.instance};
    struct channel_dial_options options = pair_dial_options(&pair);
    struct hello hello;
    struct writer writer;
    struct error err;

    ck_assert_int_eq(channel_dial(pair.loop, &options, on_open, &tenant, &tenant.channel, &err), 0);
    control = serve(pair.guest_key);
    ck_assert(raw_handshake(control) && raw_read_frame(control));
    ck_assert_int_eq(hello_parse(control->body, control->length, &hello, &err), 0);
    appraisal.tls_version = tls_version(control->tls);
    exported(control, EXPORTER_LABEL_CHANNEL, appraisal.exporter);
    memcpy(appraisal.guest_spki, key_spki(pair.guest_key), 32);
    memcpy(appraisal.tenant_spki, tls_peer_spki(control->tls), 32);
    writer_init(&writer, FRAME_BODY_MAX);
    ck_assert_int_eq(appraisal_produce(&appraisal, &producer, &hello, &writer, &err), 0);
    raw_send_frame(control, FRAME_EVIDENCE, writer.data, writer.size);
    writer_fini(&writer);
    pair_until(&pair, &tenant.opened);
    ck_assert(raw_read_frame(control));
    ck_assert_int_eq(control->type, FRAME_ACCEPT);
}

static struct join serve_join(void)
{
    struct join join;
    struct error err;

    serve_control();
    ck_assert_int_eq(
        channel_join(tenant.channel, CHANNEL_BULK, on_open, &joining, &joining.channel, &err), 0);
    bulk = serve(pair.guest_key);
    ck_assert(raw_handshake(bulk) && raw_read_frame(bulk));
    ck_assert_int_eq(bulk->type, FRAME_JOIN);
    ck_assert_int_eq(join_parse(bulk->body, bulk->length, &join, &err), 0);
    return join;
}

static void mac_of_guest(struct join *join)
{
    struct join_statement statement = {
        .direction = JOIN_TO_TENANT, .class = join->class, .serial = join->serial};
    uint8_t key[32];

    exported(control, EXPORTER_LABEL_JOIN, key);
    exported(bulk, EXPORTER_LABEL_CHANNEL, statement.exporter);
    memcpy(statement.control_id, join->control_id, sizeof(statement.control_id));
    memcpy(statement.nonce, join->nonce, sizeof(statement.nonce));
    memcpy(statement.guest_spki, key_spki(pair.guest_key), 32);
    memcpy(statement.tenant_spki, key_spki(pair.tenant_key), 32);
    join_mac(key, &statement, join->mac);
}

static void tenant_refuses(const char *why)
{
    pair_until(&pair, &joining.failed);
    ck_assert_msg(strstr(joining.err.message, why), "%s", joining.err.message);
    ck_assert(!joining.opened);
    ck_assert(raw_is_ended(bulk));
}

START_TEST(the_tenant_takes_a_genuine_joined)
{
    struct join join = serve_join();

    mac_of_guest(&join);
    raw_send_frame(bulk, FRAME_JOINED, join.mac, 32);
    pair_until(&pair, &joining.opened);
}
END_TEST

START_TEST(the_tenant_refuses_its_own_mac_reflected)
{
    struct join join = serve_join();

    raw_send_frame(bulk, FRAME_JOINED, join.mac, 32);
    tenant_refuses("JOINED has a wrong mac");
}
END_TEST

START_TEST(the_tenant_refuses_a_wrong_mac)
{
    struct join join = serve_join();

    mac_of_guest(&join);
    join.mac[0] ^= 0x80;
    raw_send_frame(bulk, FRAME_JOINED, join.mac, 32);
    tenant_refuses("JOINED has a wrong mac");
}
END_TEST

START_TEST(the_tenant_refuses_data_behind_joined_in_its_record)
{
    struct join join = serve_join();
    struct writer writer;

    mac_of_guest(&join);
    writer_init(&writer, 256);
    joined_write(&writer, join.mac);
    writer_bytes(&writer, "HTTP", 4);
    raw_send(bulk, writer.data, writer.size);
    writer_fini(&writer);
    tenant_refuses("4 bytes left over behind JOINED");
}
END_TEST

START_TEST(the_tenant_refuses_other_frames_for_joined)
{
    static const struct {
        uint8_t type;
        uint8_t length;
        const char *why;
    } cases[] = {
        {FRAME_ACCEPT, 0, "ACCEPT came where JOINED is due"},
        {FRAME_JOIN, 84, "JOIN came where JOINED is due"},
        {FRAME_JOINED, 33, "JOINED says 33 bytes"},
        {FRAME_JOINED, 31, "JOINED is cut short"},
    };
    static const uint8_t body[84];

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        (void) serve_join();
        raw_send_frame(bulk, cases[i].type, body, cases[i].length);
        tenant_refuses(cases[i].why);
        teardown_tenant();
        setup_tenant();
    }
}
END_TEST

START_TEST(the_tenant_refuses_another_guest_key_for_a_join)
{
    struct error err;

    serve_control();
    ck_assert_int_eq(
        channel_join(tenant.channel, CHANNEL_BULK, on_open, &joining, &joining.channel, &err), 0);
    bulk = serve(pair.other_key);
    (void) raw_handshake(bulk);
    pair_until(&pair, &joining.failed);
    ck_assert_msg(strstr(joining.err.message, "not one that is named"), "%s", joining.err.message);
}
END_TEST

START_TEST(a_join_fails_with_its_control)
{
    (void) serve_join();
    raw_free(take_ptr(control));
    pair_until(&pair, &joining.failed);
    ck_assert_msg(strstr(joining.err.message, "has ended"), "%s", joining.err.message);
}
END_TEST

START_TEST(a_joined_that_comes_with_the_end_of_its_control_is_not_heard)
{
    struct join join = serve_join();

    mac_of_guest(&join);
    raw_send_frame(bulk, FRAME_JOINED, join.mac, 32);
    outcome_fini(
        &tenant); /* one turn of the loop then has both: JOINED, and the end that follows */
    pair_until(&pair, &joining.failed);
    ck_assert_msg(strstr(joining.err.message, "has ended"), "%s", joining.err.message);
}
END_TEST

START_TEST(a_control_does_not_join)
{
    static const enum channel_class classes[] = {(enum channel_class) 0, CHANNEL_CONTROL,
                                                 (enum channel_class)(CHANNEL_SHARE + 1)};
    struct error err;

    serve_control();
    for (size_t i = 0; i < ARRAY_LENGTH(classes); i++) {
        ck_assert_int_lt(
            channel_join(tenant.channel, classes[i], on_open, &joining, &joining.channel, &err), 0);
        ck_assert_int_eq(err.status, STATUS_INVALID_ARGUMENT);
    }
}
END_TEST

int main(void)
{
    int failed = suite_run_with(
        &(struct suite){
            .name = "channel_join", .setup = setup, .teardown = teardown, .timeout_s = 60},
        (const TTest *[]){
            a_genuine_join_is_answered, a_genuine_join_for_frames_is_answered,
            a_genuine_join_for_the_share_is_answered, a_join_for_bulk_is_none_for_frames,
            a_wrong_mac_is_refused, each_field_under_the_mac_counts, a_used_serial_is_refused,
            a_join_before_its_control_is_accepted_is_refused, a_join_of_itself_is_refused,
            a_join_after_its_control_ended_is_refused, a_join_of_an_unknown_control_is_refused,
            a_join_with_another_key_is_refused, a_join_of_another_class_is_refused,
            a_malformed_join_is_refused, data_behind_join_is_refused,
            more_joined_connections_than_allowed_are_refused, NULL});
    int own = suite_run_with(
        &(struct suite){.name = "channel_join_tenant",
                        .setup = setup_tenant,
                        .teardown = teardown_tenant,
                        .timeout_s = 60},
        (const TTest *[]){
            the_tenant_takes_a_genuine_joined, the_tenant_refuses_its_own_mac_reflected,
            the_tenant_refuses_a_wrong_mac, the_tenant_refuses_data_behind_joined_in_its_record,
            the_tenant_refuses_other_frames_for_joined,
            the_tenant_refuses_another_guest_key_for_a_join, a_join_fails_with_its_control,
            a_joined_that_comes_with_the_end_of_its_control_is_not_heard, a_control_does_not_join,
            NULL});

    return failed ? failed : own;
}
