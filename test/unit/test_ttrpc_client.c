/* SPDX-License-Identifier: Apache-2.0 */
/* The client and the publisher against our own server and against a peer of raw bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "io/fd.h"
#include "io/loop.h"
#include "suite.h"
#include "task.pb-c.h"
#include "ttrpc.pb-c.h"
#include "ttrpc/client.h"
#include "ttrpc/frame.h"
#include "ttrpc/server.h"

static char directory[] = "/tmp/test_ttrpc_client.XXXXXX";
static char path[128];
static struct loop *loop;
static struct ttrpc_server *server;
static struct ttrpc_client *client;
static struct call_list parked;
static unsigned ended;
static struct error err;

struct result {
    unsigned count;
    enum status status;
    char text[512];
};

static void connect_rpc(struct call *call, const void *message)
{
    Task__ConnectResponse response = TASK__CONNECT_RESPONSE__INIT;
    char text[256];

    (void) snprintf(text, sizeof(text), "%s %s %d", ((const Task__ConnectRequest *) message)->id,
                    call_namespace(call) ? call_namespace(call) : "-",
                    call_left_ms(call) == UINT64_MAX);
    response.version = text;
    call_reply(call, &response);
}

static void park_rpc(struct call *call, const void *request)
{
    call_park(&parked, call);
}

static void fail_rpc(struct call *call, const void *request)
{
    call_fail(call, STATUS_PERMISSION_DENIED, "ask elsewhere");
}

static const struct ttrpc_method methods[] = {
    TTRPC_METHOD("Connect", task__connect_request, task__connect_response, connect_rpc),
    TTRPC_METHOD("Park", task__connect_request, task__connect_response, park_rpc),
    TTRPC_METHOD("Fail", task__connect_request, task__connect_response, fail_rpc),
};

static void on_end(void *user)
{
    ended++;
}

static void turn(uint64_t ms)
{
    ck_assert_int_eq(loop_turn(loop, ms, &err), 0);
}

static void on_done(void *user, const void *reply, const struct error *error)
{
    struct result *result = user;

    ck_assert(!reply != !error);
    result->count++;
    result->status = error ? error->status : STATUS_OK;
    (void) snprintf(result->text, sizeof(result->text), "%s",
                    error ? error->message : ((const Task__ConnectResponse *) reply)->version);
}

static void on_done_free(void *user, const void *reply, const struct error *error)
{
    on_done(user, reply, error);
    ttrpc_client_free(client);
    client = NULL;
}

static int call(const char *method, ttrpc_done_fn *done, struct result *result,
                uint64_t deadline_ms)
{
    Task__ConnectRequest request = TASK__CONNECT_REQUEST__INIT;
    const struct ttrpc_call_options options = {
        .service = "containerd.task.v3.Task",
        .method = method,
        .message = &request.base,
        .reply = &task__connect_response__descriptor,
        .containerd_namespace = "k8s.io",
        .deadline_ms = deadline_ms,
    };

    request.id = (char *) "web";
    return ttrpc_client_call(client, &options, done, result, &err);
}

static void wait_for(const struct result *result)
{
    for (int i = 0; i < 400 && !result->count; i++)
        turn(5);
    ck_assert_uint_eq(result->count, 1);
}

static void setup(void)
{
    int fd;

    ck_assert_int_eq(loop_new(&loop, &err), 0);
    ck_assert_int_eq(fd_listen_unix(path, &fd, &err), 0);
    ck_assert_int_eq(ttrpc_server_new(loop, fd, NULL, &server, &err), 0);
    ttrpc_server_register(server, "containerd.task.v3.Task", methods, ARRAY_LENGTH(methods), NULL);
    ck_assert_int_eq(ttrpc_client_connect(loop, path, on_end, NULL, &client, &err), 0);
    ended = 0;
}

static void teardown(void)
{
    ttrpc_client_free(client);
    ttrpc_server_free(server);
    loop_free(loop);
    (void) unlink(path);
}

START_TEST(a_call_is_answered)
{
    struct result first = {0}, second = {0};

    ck_assert_int_eq(call("Connect", on_done, &first, 0), 0);
    ck_assert_uint_eq(first.count, 0);
    wait_for(&first);
    ck_assert_str_eq(first.text, "web k8s.io 1");
    ck_assert_int_eq(call("Connect", on_done, &second, 1000), 0);
    wait_for(&second);
    ck_assert_str_eq(second.text, "web k8s.io 0");
}
END_TEST

START_TEST(an_error_keeps_its_code_and_text)
{
    struct result result = {0};

    ck_assert_int_eq(call("Fail", on_done, &result, 0), 0);
    wait_for(&result);
    ck_assert_int_eq(result.status, STATUS_PERMISSION_DENIED);
    ck_assert_str_eq(result.text, "ask elsewhere");
}
END_TEST

START_TEST(answers_come_in_any_order)
{
    struct result first = {0}, second = {0};

    ck_assert_int_eq(call("Park", on_done, &first, 0), 0);
    ck_assert_int_eq(call("Connect", on_done, &second, 0), 0);
    wait_for(&second);
    ck_assert_uint_eq(first.count, 0);
    call_reply(call_unpark(&parked), NULL);
    wait_for(&first);
    ck_assert_int_eq(first.status, STATUS_OK);
}
END_TEST

START_TEST(silence_ends_with_the_deadline)
{
    struct result result = {0};

    ck_assert_int_eq(call("Park", on_done, &result, 30), 0);
    wait_for(&result);
    ck_assert_int_eq(result.status, STATUS_DEADLINE_EXCEEDED);
    for (int i = 0; i < 5; i++)
        turn(5);
    ck_assert_uint_eq(result.count, 1);
}
END_TEST

START_TEST(a_lost_connection_ends_every_call_once)
{
    struct result first = {0}, second = {0}, third = {0};

    ck_assert_int_eq(call("Park", on_done, &first, 0), 0);
    ck_assert_int_eq(call("Park", on_done, &second, 10000), 0);
    turn(5);
    ttrpc_server_free(server);
    server = NULL;
    wait_for(&first);
    wait_for(&second);
    ck_assert_int_eq(first.status, STATUS_UNAVAILABLE);
    ck_assert_uint_eq(ended, 1);
    ck_assert(!ttrpc_client_is_connected(client));
    ck_assert_int_lt(call("Connect", on_done, &third, 0), 0);
    ck_assert_int_eq(err.status, STATUS_UNAVAILABLE);
    ck_assert_uint_eq(third.count, 0);
}
END_TEST

START_TEST(a_callback_may_free_the_client)
{
    struct result first = {0}, second = {0}, third = {0};

    ck_assert_int_eq(call("Connect", on_done_free, &first, 0), 0);
    ck_assert_int_eq(call("Connect", on_done, &second, 0), 0);
    ck_assert_int_eq(call("Park", on_done, &third, 0), 0);
    wait_for(&first);
    turn(5);
    ck_assert_ptr_null(client);
    ck_assert_uint_eq(second.count + third.count, 0);
    ck_assert_uint_eq(ended, 0);
}
END_TEST

START_TEST(a_callback_may_free_the_client_when_it_is_lost)
{
    struct result first = {0}, second = {0};

    ck_assert_int_eq(call("Park", on_done_free, &first, 0), 0);
    ck_assert_int_eq(call("Park", on_done_free, &second, 0), 0);
    turn(5);
    ttrpc_server_free(server);
    server = NULL;
    for (int i = 0; i < 100 && client; i++)
        turn(5);
    ck_assert_ptr_null(client);
    ck_assert_uint_eq(first.count + second.count, 1);
    ck_assert_uint_eq(ended, 0);
}
END_TEST

START_TEST(nobody_there_is_unavailable)
{
    struct ttrpc_client *other;

    ck_assert_int_lt(ttrpc_client_connect(loop, "/nowhere/at/all", NULL, NULL, &other, &err), 0);
    ck_assert_int_eq(err.status, STATUS_UNAVAILABLE);
}
END_TEST

/* A server of raw bytes on the other end. */
static int hostile(void)
{
    int listener, fd = -1;
    char other[140];

    ttrpc_client_free(client);
    client = NULL;
    (void) snprintf(other, sizeof(other), "%s.raw", path);
    ck_assert_int_eq(fd_listen_unix(other, &listener, &err), 0);
    ck_assert_int_eq(ttrpc_client_connect(loop, other, on_end, NULL, &client, &err), 0);
    fd = accept(listener, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    close(listener);
    (void) unlink(other);
    return fd;
}

START_TEST(a_nonsense_answer_is_an_error)
{
    static const uint8_t bad_response[] = {0, 0, 0, 2, 0, 0, 0, 1, 2, 0, 0x0a, 0x7f};
    static const uint8_t bad_payload[] = {0, 0, 0, 4, 0, 0, 0, 3, 2, 0, 0x12, 2, 0x0a, 0x7f};
    static const uint8_t strange_code[] = {0, 0, 0, 4, 0, 0, 0, 5, 2, 0, 0x0a, 2, 0x08, 99};
    struct result first = {0}, second = {0}, third = {0};
    int fd = hostile();

    ck_assert_int_eq(call("Connect", on_done, &first, 0), 0);
    ck_assert_int_eq(call("Connect", on_done, &second, 0), 0);
    ck_assert_int_eq(call("Connect", on_done, &third, 0), 0);
    ck_assert_int_gt(write(fd, bad_response, sizeof(bad_response)), 0);
    wait_for(&first);
    ck_assert_int_eq(first.status, STATUS_INTERNAL);
    ck_assert_int_gt(write(fd, bad_payload, sizeof(bad_payload)), 0);
    wait_for(&second);
    ck_assert_int_eq(second.status, STATUS_INTERNAL);
    ck_assert_int_gt(write(fd, strange_code, sizeof(strange_code)), 0);
    wait_for(&third);
    ck_assert_int_eq(third.status, STATUS_UNKNOWN);
    close(fd);
}
END_TEST

START_TEST(answers_to_nothing_are_ignored)
{
    static const uint8_t stray[] = {0, 0, 0, 0, 0, 0, 0, 77, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 9, 0};
    static const uint8_t right[] = {0, 0, 0, 0, 0, 0, 0, 1, 2, 0};
    struct result result = {0};
    int fd = hostile();

    ck_assert_int_eq(call("Connect", on_done, &result, 0), 0);
    ck_assert_int_gt(write(fd, stray, sizeof(stray)), 0);
    turn(5);
    turn(5);
    ck_assert_uint_eq(result.count, 0);
    ck_assert_int_gt(write(fd, right, sizeof(right)), 0);
    wait_for(&result);
    ck_assert_int_eq(result.status, STATUS_OK);
    close(fd);
}
END_TEST

START_TEST(a_giant_answer_is_refused)
{
    static const uint8_t giant[] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 2, 0};
    struct result result = {0};
    int fd = hostile();

    ck_assert_int_eq(call("Connect", on_done, &result, 0), 0);
    ck_assert_int_gt(write(fd, giant, sizeof(giant)), 0);
    wait_for(&result);
    ck_assert_int_eq(result.status, STATUS_RESOURCE_EXHAUSTED);
    close(fd);
}
END_TEST

START_TEST(a_giant_request_is_not_sent)
{
    Task__ConnectRequest request = TASK__CONNECT_REQUEST__INIT;
    scoped(freep) char *text = xalloc(FRAME_BODY_MAX + 1);
    struct ttrpc_call_options options = {
        .service = "containerd.task.v3.Task",
        .method = "Connect",
        .message = &request.base,
        .reply = &task__connect_response__descriptor,
    };

    memset(text, 'x', FRAME_BODY_MAX);
    request.id = text;
    ck_assert_int_lt(ttrpc_client_call(client, &options, on_done, NULL, &err), 0);
    ck_assert_int_eq(err.status, STATUS_RESOURCE_EXHAUSTED);
    ck_assert(ttrpc_client_is_connected(client));
}
END_TEST

int main(void)
{
    int failed;

    if (!mkdtemp(directory))
        return EXIT_FAILURE;
    (void) snprintf(path, sizeof(path), "%s/socket", directory);
    failed = suite_run_with(
        &(struct suite){.name = "ttrpc_client", .setup = setup, .teardown = teardown},
        (const TTest *[]){a_call_is_answered, an_error_keeps_its_code_and_text,
                          answers_come_in_any_order, silence_ends_with_the_deadline,
                          a_lost_connection_ends_every_call_once, a_callback_may_free_the_client,
                          a_callback_may_free_the_client_when_it_is_lost,
                          nobody_there_is_unavailable, a_nonsense_answer_is_an_error,
                          answers_to_nothing_are_ignored, a_giant_answer_is_refused,
                          a_giant_request_is_not_sent, NULL});
    (void) rmdir(directory);
    return failed;
}
