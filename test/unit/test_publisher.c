/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scoped.h"
#include "events.pb-c.h"
#include "io/fd.h"
#include "io/loop.h"
#include "shim/publisher.h"
#include "suite.h"
#include "ttrpc/server.h"

static char directory[] = "/tmp/test_publisher.XXXXXX";
static char path[128];
static struct loop *loop;
static struct ttrpc_server *server;
static struct publisher *publisher;
static struct error err;
static char seen[4096];
static unsigned failures; /* how many calls containerd's side still fails */
static enum status failure = STATUS_UNAVAILABLE;
static bool flushed;

static void forward_rpc(struct call *call, const void *message)
{
    const Events__ForwardRequest *request = message;
    const Events__Envelope *envelope = request->envelope;
    size_t length = strlen(seen);

    ck_assert_ptr_nonnull(envelope);
    ck_assert_int_gt(envelope->timestamp->seconds, 1700000000);
    ck_assert_str_eq(envelope->namespace_, "k8s.io");
    ck_assert_str_eq(call_namespace(call), "k8s.io");
    if (failures) {
        failures--;
        return call_fail(call, failure, "not now");
    }
    Events__TaskStart *start = events__task_start__unpack(NULL, envelope->event->value.len,
                                                          envelope->event->value.data);
    ck_assert_ptr_nonnull(start);
    (void) snprintf(seen + length, sizeof(seen) - length, "%s %s %s;", envelope->topic,
                    envelope->event->type_url, start->container_id);
    events__task_start__free_unpacked(start, NULL);
    call_reply(call, NULL);
}

static const struct ttrpc_method methods[] = {
    TTRPC_METHOD("Forward", events__forward_request, ttrpc__empty, forward_rpc),
};

static void make_server(void)
{
    int fd;

    ck_assert_int_eq(fd_listen_unix(path, &fd, &err), 0);
    ck_assert_int_eq(ttrpc_server_new(loop, fd, NULL, &server, &err), 0);
    ttrpc_server_register(server, "containerd.services.events.ttrpc.v1.Events", methods,
                          ARRAY_LENGTH(methods), NULL);
}

static void make_publisher(const char *address)
{
    const struct publisher_options options = {
        .ttrpc_address = address, .ns = "k8s.io", .retry_delay_ms = 10};

    ck_assert_int_eq(publisher_new(loop, &options, &publisher, &err), 0);
}

static void send_start(const char *id)
{
    Events__TaskStart event = EVENTS__TASK_START__INIT;

    event.container_id = (char *) id;
    publisher_send(publisher, "/tasks/start", &event.base);
}

static void on_flushed(void *user)
{
    flushed = true;
}

static void settle(void)
{
    for (int i = 0; i < 300 && publisher_pending(publisher) > 0; i++)
        ck_assert_int_eq(loop_turn(loop, 5, &err), 0);
}

static void setup(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    ck_assert_int_eq(loop_new(&loop, &err), 0);
    server = NULL;
    seen[0] = '\0';
    failures = 0;
    flushed = false;
}

static void teardown(void)
{
    publisher_free(publisher);
    ttrpc_server_free(server);
    loop_free(loop);
    (void) unlink(path);
}

START_TEST(events_arrive_in_order)
{
    make_server();
    make_publisher(path);
    send_start("a");
    send_start("b");
    send_start("c");
    settle();
    ck_assert_str_eq(seen, "/tasks/start containerd.events.TaskStart a;"
                           "/tasks/start containerd.events.TaskStart b;"
                           "/tasks/start containerd.events.TaskStart c;");
}
END_TEST

START_TEST(nobody_listens_and_nothing_happens)
{
    make_publisher("");
    send_start("a");
    ck_assert_uint_eq(publisher_pending(publisher), 0);
    publisher_flush(publisher, 1000, on_flushed, NULL);
    ck_assert_int_eq(loop_turn(loop, 50, &err), 0);
    ck_assert(flushed);
}
END_TEST

START_TEST(an_event_waits_for_containerd_to_come_back)
{
    make_publisher(path);
    send_start("a");
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(loop_turn(loop, 5, &err), 0);
    ck_assert_uint_eq(publisher_pending(publisher), 1);
    make_server();
    settle();
    ck_assert_str_eq(seen, "/tasks/start containerd.events.TaskStart a;");
}
END_TEST

START_TEST(a_restart_of_containerd_loses_nothing)
{
    make_server();
    make_publisher(path);
    send_start("a");
    settle();
    ttrpc_server_free(server);
    make_server();
    send_start("b");
    settle();
    ck_assert_ptr_nonnull(strstr(seen, " a;"));
    ck_assert_ptr_nonnull(strstr(seen, " b;"));
}
END_TEST

START_TEST(a_passing_failure_is_tried_again)
{
    make_server();
    make_publisher(path);
    failures = PUBLISHER_ATTEMPTS - 1;
    send_start("a");
    send_start("b");
    settle();
    ck_assert_uint_eq(failures, 0);
    ck_assert_ptr_eq(strstr(seen, " a;"),
                     seen + strlen("/tasks/start containerd.events.TaskStart"));
    ck_assert_ptr_nonnull(strstr(seen, " b;"));
}
END_TEST

START_TEST(an_event_is_given_up_after_some_attempts)
{
    make_server();
    make_publisher(path);
    failures = PUBLISHER_ATTEMPTS;
    send_start("a");
    send_start("b");
    settle();
    ck_assert_str_eq(seen, "/tasks/start containerd.events.TaskStart b;");
}
END_TEST

START_TEST(a_refusal_is_final)
{
    make_server();
    make_publisher(path);
    failures = 1;
    failure = STATUS_INVALID_ARGUMENT;
    send_start("a");
    send_start("b");
    settle();
    failure = STATUS_UNAVAILABLE;
    ck_assert_str_eq(seen, "/tasks/start containerd.events.TaskStart b;");
}
END_TEST

START_TEST(the_queue_is_bounded)
{
    make_publisher(path);
    for (int i = 0; i < PUBLISHER_QUEUE_MAX + 10; i++)
        send_start("a");
    ck_assert_uint_eq(publisher_pending(publisher), PUBLISHER_QUEUE_MAX);
}
END_TEST

START_TEST(a_flush_waits_for_the_last_event)
{
    make_server();
    make_publisher(path);
    send_start("a");
    publisher_flush(publisher, 1000, on_flushed, NULL);
    ck_assert(!flushed);
    for (int i = 0; i < 100 && !flushed; i++)
        ck_assert_int_eq(loop_turn(loop, 5, &err), 0);
    ck_assert(flushed);
    ck_assert_uint_eq(publisher_pending(publisher), 0);
    ck_assert_ptr_nonnull(strstr(seen, " a;"));
}
END_TEST

START_TEST(a_flush_does_not_wait_for_ever)
{
    make_publisher(path);
    send_start("a");
    publisher_flush(publisher, 20, on_flushed, NULL);
    for (int i = 0; i < 20 && !flushed; i++)
        ck_assert_int_eq(loop_turn(loop, 5, &err), 0);
    ck_assert(flushed);
}
END_TEST

int main(void)
{
    int failed;

    if (!mkdtemp(directory))
        return EXIT_FAILURE;
    (void) snprintf(path, sizeof(path), "%s/socket", directory);
    failed = suite_run_with(
        &(struct suite){.name = "publisher", .setup = setup, .teardown = teardown},
        (const TTest *[]){events_arrive_in_order, nobody_listens_and_nothing_happens,
                          an_event_waits_for_containerd_to_come_back,
                          a_restart_of_containerd_loses_nothing, a_passing_failure_is_tried_again,
                          an_event_is_given_up_after_some_attempts, a_refusal_is_final,
                          the_queue_is_bounded, a_flush_waits_for_the_last_event,
                          a_flush_does_not_wait_for_ever, NULL});
    (void) rmdir(directory);
    return failed;
}
