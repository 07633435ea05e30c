/* SPDX-License-Identifier: Apache-2.0 */
/* No RPC before ACCEPT, with real gRPC on both ends. A real server stands behind a listener as in
 * the agent, and a peer whose key is good says what a real client says, too early. A real client
 * stands behind a dialled channel as in the tenant's shim, and the guest looks at every byte. */
#include <protobuf-c/protobuf-c.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent.pb-c.h"
#include "base/bytes.h"
#include "base/scoped.h"
#include "evidence/evidence.h"
#include "grpc/client.h"
#include "grpc/queue.h"
#include "grpc/server.h"
#include "io/fd.h"
#include "io/loop.h"
#include "pair.h"
#include "raw.h"
#include "secure/appraisal.h"
#include "secure/key.h"
#include "suite.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

enum { CALL_MAX = 4096, FRAME_HEAD = 9, SILENCE_TURNS = 60 };

static struct pair pair;
static struct raw *raw;
static struct rpc_queue *queue;
static struct rpc_server *server;
static struct rpc_channel *channel;
static struct rpc_call *call;
static unsigned admitted, served;
static bool answered;
static uint64_t answer;
static struct outcome tenant;
static int listening;
static uint8_t early[CALL_MAX]; /* a whole unary call, as a gRPC client begins a connection */
static size_t early_size;

/* ---- a guest with a real server ------------------------------------------------------------- */

static void ping(struct rpc *rpc, const struct ProtobufCMessage *request)
{
    Agent__PingResponse reply = AGENT__PING_RESPONSE__INIT;

    served++;
    reply.uptime_ms = 4711;
    rpc_reply(rpc, &reply.base);
}

static const struct rpc_method *admit(void *context, const char *name, struct error *err)
{
    static const struct rpc_method method = {"/agent.Control/Ping", RPC_UNARY,
                                             &agent__ping_request__descriptor, ping};

    admitted++;
    if (strcmp(name, method.name) == 0)
        return &method;
    error_set(err, STATUS_UNIMPLEMENTED, "no method %s", name);
    return NULL;
}

static void serve(struct outcome *guest)
{
    static const struct rpc_server_options options = {.admit = admit};
    struct error err;
    int fd;

    ck_assert_int_eq(channel_take_fd(guest->channel, &fd, &err), 0);
    ck_assert_int_eq(rpc_server_new(queue, fd, &options, &server, &err), 0);
}

/* ---- a real client -------------------------------------------------------------------------- */

static void on_answer(void *user, const struct rpc_result *result)
{
    answered = true;
    if (result->status == STATUS_OK)
        answer = ((const Agent__PingResponse *) result->reply)->uptime_ms;
}

/* Takes fd. */
static void call_over(int fd)
{
    static const Agent__PingRequest ping_request = AGENT__PING_REQUEST__INIT;
    const struct rpc_request request = {
        .method = "/agent.Control/Ping",
        .message = &ping_request.base,
        .reply = &agent__ping_response__descriptor,
    };

    ck_assert_int_eq(rpc_channel_from_fd(queue, fd, NULL, NULL, &channel), 0);
    ck_assert_int_eq(rpc_call_unary(channel, &request, on_answer, NULL, &call), 0);
}

static void hang_up(void)
{
    rpc_call_freep(&call);
    call = NULL;
    rpc_channel_freep(&channel);
    channel = NULL;
}

/* Preface and frames up to the data with END_STREAM. */
static bool is_whole_call(const uint8_t *bytes, size_t size)
{
    size_t at = strlen(PREFACE);

    while (at + FRAME_HEAD <= size) {
        size_t length = (size_t) bytes[at] << 16 | (size_t) bytes[at + 1] << 8 | bytes[at + 2];
        bool is_last = bytes[at + 3] == 0 && (bytes[at + 4] & 1);

        at += FRAME_HEAD + length;
        if (is_last)
            return at <= size;
    }
    return false;
}

/* What a client really sends, before it has heard anything from a server. */
static void record_a_call(void)
{
    struct error err;
    int ends[2];

    ck_assert_int_eq(fd_pair(ends, &err), 0);
    call_over(ends[0]);
    for (int i = 0; i < PAIR_TURNS_MAX && !is_whole_call(early, early_size); i++) {
        ssize_t n = recv(ends[1], early + early_size, sizeof(early) - early_size, MSG_DONTWAIT);

        early_size += n > 0 ? (size_t) n : 0;
        pair_turns(&pair, 1);
    }
    ck_assert_mem_eq(early, PREFACE, strlen(PREFACE));
    ck_assert(is_whole_call(early, early_size));
    hang_up();
    close(ends[1]);
}

/* ---- both ------------------------------------------------------------------------------------ */

static void setup(void)
{
    struct error err;

    pair_init(&pair);
    pair.guest_deadline_ms = 3000;
    pair.serve = serve;
    ck_assert_int_eq(rpc_queue_new(pair.loop, &queue, &err), 0);
    listening = -1;
}

static void teardown(void)
{
    hang_up();
    rpc_server_freep(&server);
    outcome_fini(&tenant);
    raw_free(take_ptr(raw));
    closep(&listening);
    rpc_queue_free(take_ptr(queue)); /* it lives on the pair's loop */
    pair_fini(&pair);
}

static void start_guest(void)
{
    record_a_call();
    pair_listen(&pair);
}

static void nothing_was_served(const char *why)
{
    pair_until_refused(&pair, 1);
    ck_assert_msg(strstr(pair.refused.message, why), "%s", pair.refused.message);
    ck_assert(raw_is_ended(raw)); /* not a byte came, no SETTINGS of a server */
    pair_turns(&pair, SILENCE_TURNS);
    ck_assert_uint_eq(pair.guest_count, 0);
    ck_assert_ptr_null(server);
    ck_assert_uint_eq(admitted, 0);
    ck_assert_uint_eq(served, 0);
}

static void shake(void)
{
    raw = raw_dial(&pair, pair.tenant_key);
    ck_assert_msg(raw_handshake(raw), "%s", raw->err.message);
}

/* ---- the guest ------------------------------------------------------------------------------- */

START_TEST(a_call_right_after_the_handshake_is_not_served)
{
    start_guest();
    shake();
    ck_assert(raw_send(raw, early, early_size));
    nothing_was_served("a frame of unknown type 80");
}
END_TEST

START_TEST(a_call_behind_hello_is_not_served)
{
    struct writer writer;
    const struct hello hello = {.number = 1, .evidence = EVIDENCE_SAMPLE};

    start_guest();
    shake();
    writer_init(&writer, CALL_MAX + 100);
    hello_write(&writer, &hello);
    writer_bytes(&writer, early, early_size);
    ck_assert(raw_send(raw, writer.data, writer.size));
    writer_fini(&writer);
    nothing_was_served("left over behind HELLO");
}
END_TEST

START_TEST(a_call_instead_of_accept_is_not_served)
{
    start_guest();
    shake();
    raw_hello(raw, 1);
    ck_assert(raw_send(raw, early, early_size));
    nothing_was_served("a frame of unknown type 80");
}
END_TEST

START_TEST(a_call_in_the_record_of_accept_is_not_served)
{
    struct writer writer;

    start_guest();
    shake();
    raw_hello(raw, 1);
    writer_init(&writer, CALL_MAX + 100);
    accept_write(&writer);
    writer_bytes(&writer, early, early_size);
    ck_assert(raw_send(raw, writer.data, writer.size));
    writer_fini(&writer);
    nothing_was_served("left over behind ACCEPT");
}
END_TEST

START_TEST(a_call_without_tls_is_not_served)
{
    start_guest();
    int fd = pair_connect(&pair);
    pair_turns(&pair, 2);
    ck_assert_int_eq(send(fd, early, early_size, MSG_NOSIGNAL), (ssize_t) early_size);
    pair_until_refused(&pair, 1);
    ck_assert_msg(strstr(pair.refused.message, "TLS handshake"), "%s", pair.refused.message);
    ck_assert_uint_eq(admitted + served + pair.guest_count, 0);
    close(fd);
}
END_TEST

/* The bytes are good: behind ACCEPT, in a record of their own, they are a call. */
START_TEST(the_same_call_after_accept_is_served)
{
    start_guest();
    raw = raw_dial(&pair, pair.tenant_key);
    raw_open_control(raw);
    ck_assert(raw_send(raw, early, early_size));
    for (int i = 0; i < PAIR_TURNS_MAX && served == 0; i++)
        pair_turns(&pair, 1);
    ck_assert_uint_eq(served, 1);
    ck_assert_uint_ge(admitted, 1);
}
END_TEST

START_TEST(two_real_ends_speak_after_accept)
{
    struct error err;
    int fd;

    pair_listen(&pair);
    pair_open(&pair, &tenant);
    ck_assert_uint_eq(served, 0);
    ck_assert_int_eq(channel_take_fd(tenant.channel, &fd, &err), 0);
    call_over(fd);
    pair_until(&pair, &answered);
    ck_assert_uint_eq(answer, 4711);
    ck_assert_uint_eq(served, 1);
}
END_TEST

/* ---- the tenant ------------------------------------------------------------------------------ */

/* As the shim: the client exists from the moment on in which the channel is open. */
static void on_tenant_open(void *user, struct channel *opened, const struct error *err)
{
    struct error fault;
    int fd;

    tenant.opened = err == NULL;
    tenant.failed = err != NULL;
    if (err) {
        tenant.err = *err;
        return;
    }
    ck_assert_int_eq(channel_take_fd(opened, &fd, &fault), 0);
    call_over(fd);
}

static void nothing_more_comes(void)
{
    uint8_t byte;
    size_t length;

    pair_turns(&pair, SILENCE_TURNS);
    ck_assert_int_eq(tls_read(raw->tls, &byte, 1, &length, &raw->err), TLS_WANT_READ);
    ck_assert(!tls_record_begun(raw->tls));
}

/* HELLO has come, and with it all that the tenant has said. */
static void start_tenant(void)
{
    struct channel_dial_options options;
    struct error err;
    int fd;

    listening = pair_socket_listen(&pair.port);
    options = pair_dial_options(&pair);
    ck_assert_int_eq(channel_dial(pair.loop, &options, on_tenant_open, NULL, &tenant.channel, &err),
                     0);
    ck_assert_int_lt(channel_take_fd(tenant.channel, &fd, &err), 0);
    ck_assert_int_eq(err.status, STATUS_FAILED_PRECONDITION);
    raw = raw_serve(&pair, raw_accept(&pair, listening), pair.guest_key);
    ck_assert_msg(raw_handshake(raw), "%s", raw->err.message);
    ck_assert(raw_read_frame(raw));
    ck_assert_int_eq(raw->type, FRAME_HELLO);
    nothing_more_comes();
    ck_assert_int_lt(channel_take_fd(tenant.channel, &fd, &err), 0);
    ck_assert_int_eq(err.status, STATUS_FAILED_PRECONDITION);
}

static void good_evidence(struct writer *frame)
{
    struct appraisal appraisal = {
        .initdata = pair.initdata,
        .type = evidence_find_name("sample"),
        .tls_version = tls_version(raw->tls),
    };
    const struct appraisal_producer producer = {.instance = pair.instance};
    struct hello hello;
    struct writer body;
    struct error err;

    ck_assert_int_eq(hello_parse(raw->body, raw->length, &hello, &err), 0);
    ck_assert_int_eq(tls_export(raw->tls, EXPORTER_LABEL_CHANNEL, appraisal.exporter, &err), 0);
    memcpy(appraisal.guest_spki, key_spki(pair.guest_key), 32);
    memcpy(appraisal.tenant_spki, tls_peer_spki(raw->tls), 32);
    writer_init(&body, FRAME_BODY_MAX);
    ck_assert_int_eq(appraisal_produce(&appraisal, &producer, &hello, &body, &err), 0);
    writer_init(frame, FRAME_BODY_MAX);
    evidence_write(frame, body.data, body.size);
    writer_fini(&body);
}

/* All that comes is REJECT or nothing, then the end. */
static void tenant_sent_no_call(const char *why)
{
    pair_until(&pair, &tenant.failed);
    ck_assert_msg(strstr(tenant.err.message, why), "%s", tenant.err.message);
    if (raw_read_frame(raw))
        ck_assert_int_eq(raw->type, FRAME_REJECT);
    ck_assert(raw_is_ended(raw));
    ck_assert_ptr_null(channel);
}

START_TEST(http2_comes_behind_accept_and_not_before)
{
    static const uint8_t accept[] = {FRAME_ACCEPT, 0, 0, 0, 0};
    uint8_t said[sizeof(accept) + sizeof(PREFACE) - 1];
    struct writer evidence;

    start_tenant();
    good_evidence(&evidence);
    ck_assert(raw_send(raw, evidence.data, evidence.size));
    writer_fini(&evidence);
    for (size_t have = 0, n = 0; have < sizeof(said); have += n, n = 0) {
        for (int i = 0; i < PAIR_TURNS_MAX && tls_read(raw->tls, said + have, sizeof(said) - have,
                                                       &n, &raw->err) == TLS_WANT_READ;
             i++)
            pair_turns(&pair, 1);
        ck_assert_msg(n > 0, "%zu bytes came", have);
    }
    ck_assert_mem_eq(said, accept, sizeof(accept));
    ck_assert_mem_eq(said + sizeof(accept), PREFACE, strlen(PREFACE));
}
END_TEST

START_TEST(a_tenant_that_rejects_sends_no_call)
{
    struct writer evidence;

    start_tenant();
    good_evidence(&evidence);
    evidence.data[evidence.size - 1 - pair.initdata->length - 20] ^= 1; /* in the signed report */
    ck_assert(raw_send(raw, evidence.data, evidence.size));
    writer_fini(&evidence);
    tenant_sent_no_call("appraisal failed");
}
END_TEST

START_TEST(a_server_that_speaks_http2_at_once_gets_no_call)
{
    static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};

    start_tenant();
    ck_assert(raw_send(raw, settings, sizeof(settings)));
    tenant_sent_no_call("a frame of unknown type 0");
}
END_TEST

START_TEST(settings_behind_evidence_get_no_call)
{
    static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    struct writer evidence;

    start_tenant();
    good_evidence(&evidence);
    writer_bytes(&evidence, settings, sizeof(settings));
    ck_assert(raw_send(raw, evidence.data, evidence.size));
    writer_fini(&evidence);
    tenant_sent_no_call("left over behind EVIDENCE");
}
END_TEST

int main(void)
{
    return suite_run_with(
        &(struct suite){.name = "grpc_gate", .setup = setup, .teardown = teardown, .timeout_s = 60},
        (const TTest *[]){
            a_call_right_after_the_handshake_is_not_served, a_call_behind_hello_is_not_served,
            a_call_instead_of_accept_is_not_served, a_call_in_the_record_of_accept_is_not_served,
            a_call_without_tls_is_not_served, the_same_call_after_accept_is_served,
            two_real_ends_speak_after_accept, http2_comes_behind_accept_and_not_before,
            a_tenant_that_rejects_sends_no_call, a_server_that_speaks_http2_at_once_gets_no_call,
            settings_behind_evidence_get_no_call, NULL});
}
