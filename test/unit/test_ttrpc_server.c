/* SPDX-License-Identifier: Apache-2.0 */
/* The server against a peer that writes raw bytes. Server and peer share one thread: the peer's
 * writes and reads never block, the loop turns in between. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/text.h"
#include "io/fd.h"
#include "io/loop.h"
#include "suite.h"
#include "task.pb-c.h"
#include "ttrpc.pb-c.h"
#include "ttrpc/connection.h"

enum { INPUT_MAX = 8 << 20 };

static char directory[] = "/tmp/test_ttrpc_server.XXXXXX";
static char path[128];
static struct loop *loop;
static struct ttrpc_server *server;
static struct call_list parked;
static struct call *held;
static unsigned gone, handled;
static size_t seen_length;
static char seen_namespace[80];
static uint64_t seen_left;
static int peer;
static uint8_t *input;
static size_t input_length;

/* ---- the service ---- */

static void on_gone(void *user, struct call *call)
{
    ck_assert_ptr_eq(call, held);
    ck_assert(call_is_gone(call));
    gone++;
    held = NULL;
    call_fail(call, STATUS_CANCELLED, "nobody reads this");
}

static void connect_rpc(struct call *call, const void *message)
{
    const Task__ConnectRequest *request = message;
    Task__ConnectResponse response = TASK__CONNECT_RESPONSE__INIT;

    handled++;
    ck_assert_str_eq(call_user(call), "user");
    ck_assert_str_eq(call_method(call), "Connect");
    (void) snprintf(seen_namespace, sizeof(seen_namespace), "%s",
                    call_namespace(call) ? call_namespace(call) : "(none)");
    seen_left = call_left_ms(call);
    response.shim_pid = (uint32_t) strlen(request->id);
    response.version = request->id;
    call_reply(call, &response);
    seen_length = strlen(request->id); /* the answer is out, the request still ours to read */
}

static void park_rpc(struct call *call, const void *request)
{
    call_park(&parked, call);
}

static void hold_rpc(struct call *call, const void *request)
{
    held = call;
    call_on_gone(call, on_gone, NULL);
}

static void fail_rpc(struct call *call, const void *request)
{
    call_fail(call, STATUS_NOT_FOUND, "no \xff\xfe such");
}

static void create_rpc(struct call *call, const void *request)
{
    handled++;
    call_reply(call, NULL);
}

static const struct ttrpc_method methods[] = {
    TTRPC_METHOD("Connect", task__connect_request, task__connect_response, connect_rpc),
    TTRPC_METHOD("Wait", task__wait_request, task__wait_response, park_rpc),
    TTRPC_METHOD("Hold", task__wait_request, task__wait_response, hold_rpc),
    TTRPC_METHOD("Fail", task__wait_request, task__wait_response, fail_rpc),
    TTRPC_METHOD("Create", task__create_task_request, task__create_task_response, create_rpc),
};

/* ---- the peer ---- */

static void turn(uint64_t ms)
{
    struct error err;

    ck_assert_int_eq(loop_turn(loop, ms, &err), 0);
}

static int connect_peer(void)
{
    struct error err;
    int fd;

    ck_assert_int_eq(fd_connect_unix(path, &fd, &err), 0);
    turn(20);
    return fd;
}

static bool send_bytes(const void *data, size_t length)
{
    const uint8_t *next = data;

    while (length > 0) {
        ssize_t n = send(peer, next, length, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN)
            return false;
        if (n > 0) {
            next += n;
            length -= (size_t) n;
        }
        turn(n < 0 ? 1 : 0);
    }
    return true;
}

static void send_frame(uint32_t stream, uint8_t type, uint8_t flags, const void *body,
                       size_t length)
{
    struct frame frame = {
        .length = (uint32_t) length, .stream = stream, .type = type, .flags = flags};
    uint8_t header[FRAME_HEADER_SIZE];
    struct writer writer;

    frame_put_header(&frame, header);
    writer_init(&writer, FRAME_HEADER_SIZE + length);
    writer_bytes(&writer, header, sizeof(header));
    writer_bytes(&writer, body, length);
    ck_assert(send_bytes(writer.data, writer.size));
    writer_fini(&writer);
}

struct ask {
    const char *service, *method, *id, *ns;
    int64_t timeout_ns;
};

static size_t pack(const struct ask *ask, uint8_t **ret)
{
    Task__ConnectRequest message = TASK__CONNECT_REQUEST__INIT;
    Ttrpc__Request request = TTRPC__REQUEST__INIT;
    Ttrpc__KeyValue pair = TTRPC__KEY_VALUE__INIT, *pairs[] = {&pair};
    uint8_t payload[512];

    message.id = (char *) (ask->id ? ask->id : "x");
    request.service = (char *) (ask->service ? ask->service : "containerd.task.v2.Task");
    request.method = (char *) ask->method;
    request.payload.data = payload;
    request.payload.len = task__connect_request__pack(&message, payload);
    request.timeout_nano = ask->timeout_ns;
    if (ask->ns) {
        pair.key = (char *) "containerd-namespace-ttrpc";
        pair.value = (char *) ask->ns;
        request.metadata = pairs;
        request.n_metadata = 1;
    }
    *ret = xalloc(ttrpc__request__get_packed_size(&request) + 1);
    return ttrpc__request__pack(&request, *ret);
}

static void send_ask(uint32_t stream, const struct ask *ask)
{
    scoped(freep) uint8_t *body = NULL;
    size_t length = pack(ask, &body);

    send_frame(stream, FRAME_REQUEST, 0, body, length);
}

/* The next answer, or NULL after a while of silence. The caller frees. */
static Ttrpc__Response *next_answer(uint32_t *ret_stream)
{
    for (int tries = 0; tries < 100; tries++) {
        struct frame_decoder decoder = {0};
        struct frame frame;
        size_t used;
        ssize_t n = recv(peer, input + input_length, INPUT_MAX - input_length, MSG_DONTWAIT);

        if (n > 0)
            input_length += (size_t) n;
        if (frame_decode(&decoder, input, input_length, &frame, &used) == FRAME_COMPLETE) {
            Ttrpc__Response *response = ttrpc__response__unpack(NULL, frame.length, frame.body);

            ck_assert_ptr_nonnull(response);
            ck_assert_uint_eq(frame.type, FRAME_RESPONSE);
            *ret_stream = frame.stream;
            memmove(input, input + used, input_length - used);
            input_length -= used;
            return response;
        }
        turn(1);
    }
    return NULL;
}

static void expect(uint32_t stream, int32_t code)
{
    uint32_t got = 0;
    Ttrpc__Response *response = next_answer(&got);

    ck_assert_msg(response, "no answer on stream %u, wanted code %d", stream, code);
    ck_assert_uint_eq(got, stream);
    if (code == STATUS_OK) {
        ck_assert_ptr_null(response->status);
    } else {
        ck_assert_ptr_nonnull(response->status);
        ck_assert_int_eq(response->status->code, code);
        ck_assert(text_is_utf8(response->status->message, strlen(response->status->message)));
        ck_assert_uint_eq(response->payload.len, 0);
    }
    ttrpc__response__free_unpacked(response, NULL);
}

static void expect_silence(void)
{
    uint32_t stream = 0;
    Ttrpc__Response *response = next_answer(&stream);

    ck_assert_msg(!response, "an answer on stream %u", stream);
}

static void expect_alive(uint32_t stream)
{
    send_ask(stream, &(struct ask){.method = "Connect"});
    expect(stream, STATUS_OK);
}

static bool peer_is_cut_off(void)
{
    for (int i = 0; i < 200; i++) {
        ssize_t n = recv(peer, input, INPUT_MAX, MSG_DONTWAIT);

        if (n == 0 || (n < 0 && errno != EAGAIN))
            return true;
        turn(1);
    }
    return false;
}

static void make_server(const struct ttrpc_server_options *options)
{
    struct error err;
    int fd;

    ck_assert_int_eq(fd_listen_unix(path, &fd, &err), 0);
    ck_assert_int_eq(ttrpc_server_new(loop, fd, options, &server, &err), 0);
    ttrpc_server_register(server, "containerd.task.v2.Task", methods, ARRAY_LENGTH(methods),
                          (void *) "user");
    ttrpc_server_register(server, "containerd.task.v3.Task", methods, ARRAY_LENGTH(methods),
                          (void *) "user");
}

static void setup(void)
{
    struct error err;

    ck_assert_int_eq(loop_new(&loop, &err), 0);
    make_server(NULL);
    input = malloc(INPUT_MAX);
    input_length = 0;
    gone = handled = 0;
    held = NULL;
    peer = connect_peer();
}

static void teardown(void)
{
    close(peer);
    while (server->connections)
        connection_free(server->connections);
    ck_assert_uint_eq(server->call_count, 0);
    ck_assert_uint_eq(server->memory, 0);
    ttrpc_server_free(server);
    ck_assert_ptr_null(parked.first);
    loop_free(loop);
    (void) unlink(path);
    free(input);
}

/* ---- tests ---- */

START_TEST(a_call_is_answered_under_both_names)
{
    send_ask(1, &(struct ask){.method = "Connect", .id = "abc", .ns = "k8s.io"});
    expect(1, STATUS_OK);
    ck_assert_str_eq(seen_namespace, "k8s.io");
    ck_assert(seen_left == UINT64_MAX);
    ck_assert_uint_eq(seen_length, 3);
    send_ask(3, &(struct ask){.service = "containerd.task.v3.Task", .method = "Connect"});
    expect(3, STATUS_OK);
    ck_assert_str_eq(seen_namespace, "(none)");
    ck_assert_uint_eq(handled, 2);
}
END_TEST

START_TEST(a_namespace_that_is_no_identifier_is_none)
{
    send_ask(1, &(struct ask){.method = "Connect", .ns = "../../etc"});
    expect(1, STATUS_OK);
    ck_assert_str_eq(seen_namespace, "(none)");
}
END_TEST

START_TEST(the_example_of_the_reference_is_understood)
{
    static const uint8_t bytes[] = "\x00\x00\x00\x28\x00\x00\x00\x01\x01\x00"
                                   "\x0a\x17"
                                   "containerd.task.v3.Task"
                                   "\x12\x07"
                                   "Connect"
                                   "\x1a\x04\x0a\x02"
                                   "ab";

    ck_assert(send_bytes(bytes, sizeof(bytes) - 1));
    expect(1, STATUS_OK);
}
END_TEST

START_TEST(what_does_not_exist_is_unimplemented)
{
    char longest[1000];

    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    send_ask(1, &(struct ask){.service = "no.such", .method = "Connect"});
    expect(1, STATUS_UNIMPLEMENTED);
    send_ask(3, &(struct ask){.method = "Nothing"});
    expect(3, STATUS_UNIMPLEMENTED);
    send_ask(5, &(struct ask){.method = ""});
    expect(5, STATUS_UNIMPLEMENTED);
    send_ask(7, &(struct ask){.service = "", .method = ""});
    expect(7, STATUS_UNIMPLEMENTED);
    send_ask(9, &(struct ask){.method = longest});
    expect(9, STATUS_UNIMPLEMENTED);
    send_frame(11, FRAME_REQUEST, 0, "", 0);
    expect(11, STATUS_UNIMPLEMENTED);
    ck_assert_uint_eq(handled, 0);
    expect_alive(13);
}
END_TEST

START_TEST(stream_ids_must_be_odd_and_grow)
{
    send_ask(2, &(struct ask){.method = "Connect"});
    expect(2, STATUS_INVALID_ARGUMENT);
    send_ask(0, &(struct ask){.method = "Connect"});
    expect(0, STATUS_INVALID_ARGUMENT);
    expect_alive(7);
    send_ask(7, &(struct ask){.method = "Connect"});
    expect(7, STATUS_INVALID_ARGUMENT);
    send_ask(5, &(struct ask){.method = "Connect"});
    expect(5, STATUS_INVALID_ARGUMENT);
    expect_alive(0xffffffff);
    send_ask(1, &(struct ask){.method = "Connect"});
    expect(1, STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(frames_of_unknown_type_are_ignored)
{
    send_frame(1, 0, 0, "abc", 3);
    send_frame(1, 77, 0xff, "abc", 3);
    send_frame(1, FRAME_RESPONSE, 0, "abc", 3);
    expect_silence();
    expect_alive(1);
}
END_TEST

START_TEST(data_belongs_to_no_stream)
{
    send_frame(1, FRAME_DATA, 0, "abc", 3);
    expect(1, STATUS_INVALID_ARGUMENT);
    send_ask(3, &(struct ask){.method = "Wait"});
    send_frame(3, FRAME_DATA, FRAME_REMOTE_CLOSED | FRAME_NO_DATA, "", 0);
    expect_silence();
    struct call *call = call_unpark(&parked);
    ck_assert_ptr_nonnull(call);
    call_reply(call, NULL);
    expect(3, STATUS_OK);
    send_frame(3, FRAME_DATA, 0, "abc", 3);
    expect(3, STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(streams_are_refused)
{
    scoped(freep) uint8_t *body = NULL;
    size_t length = pack(&(struct ask){.method = "Connect"}, &body);

    send_frame(1, FRAME_REQUEST, FRAME_REMOTE_OPEN, body, length);
    expect(1, STATUS_UNIMPLEMENTED);
    expect_alive(3);
}
END_TEST

START_TEST(nonsense_in_a_request_is_invalid)
{
    static const char *const bodies[] = {
        "\x0a\x7fshort",                                /* a length past the end */
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", /* a varint of 11 bytes */
        "\x0b\x01",                                     /* wire type 3 */
        "\x0e\x01",                                     /* wire type 6 */
        "\x02\x01x",                                    /* field 0 */
        "\x1a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",     /* a length of 2^63 - 1 */
        "\x0a",                                         /* a tag and nothing */
    };
    uint32_t stream = 1;

    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++, stream += 2) {
        send_frame(stream, FRAME_REQUEST, 0, bodies[i], strlen(bodies[i]));
        expect(stream, STATUS_INVALID_ARGUMENT);
    }
    expect_alive(stream);
}
END_TEST

static void send_payload(uint32_t stream, const char *method, const void *payload, size_t length)
{
    Ttrpc__Request request = TTRPC__REQUEST__INIT;

    request.service = (char *) "containerd.task.v2.Task";
    request.method = (char *) method;
    request.payload.data = (uint8_t *) payload;
    request.payload.len = length;
    scoped(freep) uint8_t *body = xalloc(ttrpc__request__get_packed_size(&request) + 1);

    send_frame(stream, FRAME_REQUEST, 0, body, ttrpc__request__pack(&request, body));
}

START_TEST(a_message_that_does_not_parse_is_invalid)
{
    send_payload(1, "Connect", "\x0a\x7f", 2);
    expect(1, STATUS_INVALID_ARGUMENT);
    send_payload(3, "Connect", "\xff\xff\xff", 3);
    expect(3, STATUS_INVALID_ARGUMENT);
    send_payload(5, "Create", "\x1a\x02\x0a\x7f", 4);
    expect(5, STATUS_INVALID_ARGUMENT);
    ck_assert_uint_eq(handled, 0);
    expect_alive(7);
}
END_TEST

/* Two million empty mounts in 4 MiB would cost 200 MiB if each became an object. */
START_TEST(a_message_of_a_million_fields_costs_a_bounded_amount)
{
    enum { COUNT = 2000000 };
    scoped(freep) uint8_t *payload = xalloc(2 * COUNT);

    for (size_t i = 0; i < COUNT; i++)
        payload[2 * i] = 3 << 3 | 2;
    send_payload(1, "Create", payload, 2 * COUNT);
    expect(1, STATUS_INVALID_ARGUMENT);
    ck_assert_uint_eq(handled, 0);
    expect_alive(3);
}
END_TEST

START_TEST(metadata_without_end_is_harmless)
{
    enum { COUNT = 2000000 };
    scoped(freep) uint8_t *head = NULL;
    size_t length = pack(&(struct ask){.method = "Connect", .ns = "k8s.io"}, &head);
    scoped(freep) uint8_t *body = xalloc(length + 2 * COUNT);

    memcpy(body, head, length);
    for (size_t i = 0; i < COUNT; i++)
        body[length + 2 * i] = 5 << 3 | 2;
    send_frame(1, FRAME_REQUEST, 0, body, length + 2 * COUNT);
    expect(1, STATUS_OK);
    ck_assert_str_eq(seen_namespace, "k8s.io");
}
END_TEST

START_TEST(the_largest_frame_is_taken_and_one_byte_more_is_not)
{
    scoped(freep) uint8_t *body = xalloc(FRAME_BODY_MAX + 1);
    scoped(freep) uint8_t *head = NULL;
    size_t length = pack(&(struct ask){.method = "Connect"}, &head);

    memcpy(body, head, length);
    /* An unknown field fills the rest: tag, five bytes of length, zeros. */
    uint32_t rest = FRAME_BODY_MAX - (uint32_t) length - 6;
    body[length] = 15 << 3 | 2;
    for (int i = 0; i < 5; i++)
        body[length + 1 + (size_t) i] = (uint8_t) ((rest >> (7 * i) & 0x7f) | (i < 4 ? 0x80 : 0));
    send_frame(1, FRAME_REQUEST, 0, body, FRAME_BODY_MAX);
    expect(1, STATUS_OK);
    send_frame(3, FRAME_REQUEST, 0, body, FRAME_BODY_MAX + 1);
    expect(3, STATUS_RESOURCE_EXHAUSTED);
    expect_alive(5);
}
END_TEST

START_TEST(an_announced_giant_costs_nothing_and_hides_what_follows)
{
    static const uint8_t header[] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 1, 0};

    ck_assert(send_bytes(header, sizeof(header)));
    expect(1, STATUS_RESOURCE_EXHAUSTED);
    send_ask(3, &(struct ask){.method = "Connect"});
    expect_silence();
    ck_assert_uint_eq(handled, 0);
}
END_TEST

START_TEST(a_request_may_arrive_in_any_pieces)
{
    scoped(freep) uint8_t *body = NULL;
    size_t length = pack(&(struct ask){.method = "Connect", .id = "abc"}, &body);
    uint32_t stream = 1;

    for (size_t cut = 1; cut < FRAME_HEADER_SIZE + length; cut++, stream += 2) {
        struct frame frame = {.length = (uint32_t) length, .stream = stream, .type = 1};
        uint8_t header[FRAME_HEADER_SIZE];
        struct writer writer;

        frame_put_header(&frame, header);
        writer_init(&writer, 4096);
        writer_bytes(&writer, header, sizeof(header));
        writer_bytes(&writer, body, length);
        ck_assert(send_bytes(writer.data, cut));
        turn(0);
        ck_assert(send_bytes(writer.data + cut, writer.size - cut));
        writer_fini(&writer);
        expect(stream, STATUS_OK);
    }
}
END_TEST

START_TEST(a_thousand_waits_are_parked_and_answered_in_order)
{
    enum { COUNT = 1000 };

    for (uint32_t i = 0; i < COUNT; i++)
        send_ask(2 * i + 1, &(struct ask){.method = "Wait"});
    expect_alive(2 * COUNT + 1);
    for (uint32_t i = 0; i < COUNT; i++) {
        struct call *call = call_unpark(&parked);

        ck_assert_ptr_nonnull(call);
        call_reply(call, NULL);
        expect(2 * i + 1, STATUS_OK);
    }
    ck_assert_ptr_null(call_unpark(&parked));
}
END_TEST

START_TEST(parked_calls_leave_with_their_connection)
{
    for (uint32_t i = 0; i < 1000; i++)
        send_ask(2 * i + 1, &(struct ask){.method = "Wait"});
    turn(5);
    ck_assert_ptr_nonnull(parked.first);
    close(peer);
    for (int i = 0; i < 20 && parked.first; i++)
        turn(5);
    ck_assert_ptr_null(parked.first);
    peer = connect_peer();
    expect_alive(1);
}
END_TEST

START_TEST(a_handler_learns_that_nobody_waits_any_more)
{
    send_ask(1, &(struct ask){.method = "Hold"});
    turn(5);
    ck_assert_ptr_nonnull(held);
    ck_assert(!call_is_gone(held));
    close(peer);
    for (int i = 0; i < 20 && !gone; i++)
        turn(5);
    ck_assert_uint_eq(gone, 1);
    peer = connect_peer();
}
END_TEST

START_TEST(a_deadline_answers_for_the_handler)
{
    send_ask(1, &(struct ask){.method = "Hold", .timeout_ns = 20000000});
    expect(1, STATUS_DEADLINE_EXCEEDED);
    ck_assert_uint_eq(gone, 1);
    send_ask(3, &(struct ask){.method = "Wait", .timeout_ns = 20000000});
    expect(3, STATUS_DEADLINE_EXCEEDED);
    ck_assert_ptr_null(parked.first);
    expect_silence();
    expect_alive(5);
}
END_TEST

START_TEST(strange_timeouts_are_understood)
{
    send_ask(1, &(struct ask){.method = "Wait", .timeout_ns = -1});
    expect(1, STATUS_DEADLINE_EXCEEDED);
    send_ask(3, &(struct ask){.method = "Wait", .timeout_ns = INT64_MIN});
    expect(3, STATUS_DEADLINE_EXCEEDED);
    send_ask(5, &(struct ask){.method = "Connect", .timeout_ns = INT64_MAX});
    expect(5, STATUS_OK);
    ck_assert(seen_left > 1000000);
    send_ask(7, &(struct ask){.method = "Wait", .timeout_ns = INT64_MAX});
    expect_silence();
    call_reply(call_unpark(&parked), NULL);
    expect(7, STATUS_OK);
}
END_TEST

START_TEST(an_error_text_is_always_utf8)
{
    send_ask(1, &(struct ask){.method = "Fail"});
    expect(1, STATUS_NOT_FOUND);
}
END_TEST

START_TEST(too_many_pending_calls_are_refused)
{
    ttrpc_server_free(server);
    close(peer);
    make_server(&(struct ttrpc_server_options){.max_pending = 3});
    peer = connect_peer();
    for (uint32_t i = 0; i < 3; i++)
        send_ask(2 * i + 1, &(struct ask){.method = "Wait"});
    send_ask(7, &(struct ask){.method = "Wait"});
    expect(7, STATUS_RESOURCE_EXHAUSTED);
    call_reply(call_unpark(&parked), NULL);
    expect(1, STATUS_OK);
    send_ask(9, &(struct ask){.method = "Wait"});
    expect_silence();
}
END_TEST

START_TEST(too_many_connections_are_closed)
{
    int extra;

    ttrpc_server_free(server);
    close(peer);
    make_server(&(struct ttrpc_server_options){.max_connections = 1});
    extra = connect_peer();
    peer = connect_peer();
    ck_assert(peer_is_cut_off());
    close(peer);
    peer = extra;
    expect_alive(1);
}
END_TEST

START_TEST(a_peer_that_never_reads_is_cut_off)
{
    ttrpc_server_free(server);
    close(peer);
    make_server(&(struct ttrpc_server_options){.max_output = 4096});
    peer = connect_peer();
    bool cut = false;
    for (uint32_t i = 0; i < 200000 && !cut; i++) {
        static const uint8_t even[] = {0, 0, 0, 0, 0, 0, 0, 2, 1, 0};

        cut = !send_bytes(even, sizeof(even));
    }
    ck_assert(cut);
    close(peer);
    peer = connect_peer();
    expect_alive(1);
}
END_TEST

static void on_drained(void *user)
{
    *(bool *) user = true;
}

START_TEST(draining_lets_the_last_answer_leave)
{
    bool drained = false;
    struct error err;
    int fd;

    send_ask(1, &(struct ask){.method = "Wait"});
    turn(5);
    call_reply(call_unpark(&parked), NULL);
    ttrpc_server_drain(server, on_drained, &drained);
    ck_assert(!drained);
    ck_assert_int_lt(fd_connect_unix(path, &fd, &err), 0);
    expect(1, STATUS_OK);
    for (int i = 0; i < 10 && !drained; i++)
        turn(10);
    ck_assert(drained);
}
END_TEST

/* An ended call's memory serves the next one. */
START_TEST(a_call_has_nothing_of_the_one_before)
{
    send_ask(1, &(struct ask){.method = "Connect", .ns = "k8s.io", .timeout_ns = 60000000000});
    expect(1, STATUS_OK);
    ck_assert_str_eq(seen_namespace, "k8s.io");
    ck_assert_uint_le(seen_left, 60000);
    send_ask(3, &(struct ask){.method = "Connect", .id = "", .timeout_ns = 0});
    expect(3, STATUS_OK);
    ck_assert_str_eq(seen_namespace, "(none)");
    ck_assert_uint_eq(seen_left, UINT64_MAX);
    ck_assert_uint_eq(seen_length, 0);
    send_ask(5, &(struct ask){.method = "Hold"});
    turn(5);
    call_reply(take_ptr(held), NULL); /* and its wish to know is gone with it */
    expect(5, STATUS_OK);
    send_ask(7, &(struct ask){.method = "Wait"});
    turn(5);
    ck_assert_ptr_nonnull(parked.first);
    close(peer);
    for (int i = 0; i < 20 && parked.first; i++)
        turn(5);
    ck_assert_ptr_null(parked.first);
    ck_assert_uint_eq(gone, 0);
    peer = connect_peer();
    expect_alive(1);
}
END_TEST

START_TEST(a_request_that_waits_is_not_written_over)
{
    char long_id[400];

    memset(long_id, 'l', sizeof(long_id) - 1);
    long_id[sizeof(long_id) - 1] = '\0';
    for (uint32_t round = 0; round < 8; round++) {
        const char *id = round % 2 ? long_id : "kept";
        const Task__WaitRequest *request;

        send_ask(100 * round + 1, &(struct ask){.method = "Hold", .id = id});
        turn(5);
        ck_assert_ptr_nonnull(held);
        request = call_request(held);
        for (uint32_t i = 1; i < 10; i++) {
            send_ask(100 * round + 2 * i + 1,
                     &(struct ask){.method = "Connect", .id = i % 2 ? "other" : long_id});
            expect(100 * round + 2 * i + 1, STATUS_OK);
        }
        ck_assert_str_eq(request->id, id);
        call_reply(take_ptr(held), NULL);
        expect(100 * round + 1, STATUS_OK);
    }
}
END_TEST

START_TEST(calls_outlive_the_server)
{
    send_ask(1, &(struct ask){.method = "Hold"});
    turn(5);
    struct call *call = held;
    call_on_gone(call, NULL, NULL);
    ttrpc_server_free(server);
    ck_assert(call_is_gone(call));
    call_reply(call, NULL);
    make_server(NULL);
}
END_TEST

int main(void)
{
    int failed;

    if (!mkdtemp(directory))
        return EXIT_FAILURE;
    (void) snprintf(path, sizeof(path), "%s/socket", directory);
    failed = suite_run_with(
        &(struct suite){
            .name = "ttrpc_server", .setup = setup, .teardown = teardown, .timeout_s = 30},
        (const TTest *[]){a_call_is_answered_under_both_names,
                          a_namespace_that_is_no_identifier_is_none,
                          the_example_of_the_reference_is_understood,
                          what_does_not_exist_is_unimplemented,
                          stream_ids_must_be_odd_and_grow,
                          frames_of_unknown_type_are_ignored,
                          data_belongs_to_no_stream,
                          streams_are_refused,
                          nonsense_in_a_request_is_invalid,
                          a_message_that_does_not_parse_is_invalid,
                          a_message_of_a_million_fields_costs_a_bounded_amount,
                          metadata_without_end_is_harmless,
                          the_largest_frame_is_taken_and_one_byte_more_is_not,
                          an_announced_giant_costs_nothing_and_hides_what_follows,
                          a_request_may_arrive_in_any_pieces,
                          a_thousand_waits_are_parked_and_answered_in_order,
                          parked_calls_leave_with_their_connection,
                          a_handler_learns_that_nobody_waits_any_more,
                          a_deadline_answers_for_the_handler,
                          strange_timeouts_are_understood,
                          an_error_text_is_always_utf8,
                          too_many_pending_calls_are_refused,
                          too_many_connections_are_closed,
                          a_peer_that_never_reads_is_cut_off,
                          draining_lets_the_last_answer_leave,
                          a_call_has_nothing_of_the_one_before,
                          a_request_that_waits_is_not_written_over,
                          calls_outlive_the_server,
                          NULL});
    (void) rmdir(directory);
    return failed;
}
