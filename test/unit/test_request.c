/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/hex.h"
#include "base/scoped.h"
#include "machine.h"
#include "pod.h"
#include "suite.h"
#include "watch.h"

static struct error err;

static struct pod pod(void)
{
    return (struct pod){
        .initdata = (uint8_t *) "hello",
        .initdata_length = 5,
        .vcpus = 2,
        .memory = UINT64_C(512) << 20,
        .cgroup_parent = (char *) "/pods/1",
        .netns = (char *) "/run/netns/x",
        .dial_out = {.family = AF_INET, .port = 7433, .address = {192, 0, 2, 1}},
    };
}

static struct machine_target target(void)
{
    return (struct machine_target){
        .id = "abc",
        .uri = "qemu:///system",
        .call_timeout = 7,
        .scratch = "/srv/scratch",
        .process = {.pid = 4711, .start_time = 99},
    };
}

static int parse(const char *text, enum request_scope scope, struct request *ret)
{
    return request_parse(text, strlen(text), scope, ret, &err);
}

static void refuse(const char *text, enum request_scope scope, enum status status, const char *word)
{
    struct request request = {0};

    ck_assert_msg(parse(text, scope, &request) < 0, "%s was taken", text);
    ck_assert_msg(err.status == status && strstr(err.message, word), "%s", err.message);
    ck_assert_ptr_null(request.id);
}

START_TEST(what_the_shim_writes_the_helper_reads)
{
    struct machine_target about = target();
    struct pod wanted = pod();
    scoped(freep) char *text = machine_create_input(&about, &wanted);
    struct request request;

    ck_assert_msg(parse(text, REQUEST_CREATE, &request) == 0, "%s", err.message);
    ck_assert_str_eq(request.id, "abc");
    ck_assert_str_eq(request.directory, "/run/cleave/h/abc");
    ck_assert_str_eq(request.netns, "/run/netns/x");
    ck_assert_uint_eq(request.initdata_length, 5);
    ck_assert_mem_eq(request.initdata, "hello", 5);
    ck_assert_uint_eq(request.vcpus, 2);
    ck_assert_uint_eq(request.memory, UINT64_C(512) << 20);
    ck_assert_str_eq(request.cgroup_parent, "/pods/1");
    ck_assert_str_eq(request.uri, "qemu:///system");
    ck_assert_uint_eq(request.call_timeout, 7);
    ck_assert_int_eq(request.parent, getpid());
    ck_assert_int_eq(request.dial_out.family, AF_INET);
    ck_assert_uint_eq(request.dial_out.port, 7433);
    ck_assert_mem_eq(request.dial_out.address, wanted.dial_out.address, 16);
    request_clear(&request);
}
END_TEST

START_TEST(a_process_is_named_within_its_boot)
{
    struct machine_target about = target();
    struct request request;

    about.late = true;
    scoped(freep) char *text = machine_input(&about);
    ck_assert_int_eq(parse(text, REQUEST_ID_ONLY, &request), 0);
    ck_assert_int_eq(request.pid, 4711);
    ck_assert_uint_eq(request.start_time, 99);
    ck_assert(request.late);
    request_clear(&request);
}
END_TEST

START_TEST(a_process_of_another_boot_is_a_stranger)
{
    struct request request;

    ck_assert_int_eq(parse("{\"version\":1,\"id\":\"a\",\"pid\":4711,\"start_time\":99,"
                           "\"boot_id\":\"00000000-0000-0000-0000-000000000000\"}",
                           REQUEST_ID_ONLY, &request),
                     0);
    ck_assert_int_eq(request.pid, 0);
    ck_assert_uint_eq(request.start_time, 0);
    request_clear(&request);
}
END_TEST

START_TEST(a_question_of_an_older_shim_leaves_the_place_to_the_configuration)
{
    struct request request;

    ck_assert_int_eq(parse("{\"version\":1,\"id\":\"a\",\"pid\":4711,\"start_time\":9,\"new\":{}}",
                           REQUEST_ID_ONLY, &request),
                     0);
    ck_assert_ptr_null(request.uri);
    ck_assert_int_eq(request.pid, 4711);
    request_clear(&request);
}
END_TEST

START_TEST(impossible_processes_are_no_process)
{
    static const char *const numbers[] = {"0", "1", "-4711", "4294967297", "\"4711\""};

    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        scoped(freep) char *text = xformat(
            "{\"version\":1,\"id\":\"a\",\"pid\":%s,\"start_time\":9}", numbers[i]);
        struct request request;

        ck_assert_int_eq(parse(text, REQUEST_ID_ONLY, &request), 0);
        ck_assert_msg(request.pid == 0, "pid %s", numbers[i]);
        request_clear(&request);
    }
}
END_TEST

START_TEST(what_is_malformed_is_refused)
{
    refuse("", REQUEST_ID_ONLY, STATUS_INVALID_ARGUMENT, "question");
    refuse("[]", REQUEST_ID_ONLY, STATUS_INVALID_ARGUMENT, "question");
    refuse("{\"version\":2,\"id\":\"a\"}", REQUEST_ID_ONLY, STATUS_FAILED_PRECONDITION, "versions");
    refuse("{\"id\":\"a\"}", REQUEST_ID_ONLY, STATUS_INVALID_ARGUMENT, "version");
    refuse("{\"version\":1}", REQUEST_ID_ONLY, STATUS_INVALID_ARGUMENT, "id");
    refuse("{\"version\":1,\"id\":\"../x\"}", REQUEST_ID_ONLY, STATUS_INVALID_ARGUMENT, "id");
    refuse("{\"version\":1,\"id\":\"a\",\"uri\":\"x\"}", REQUEST_ID_ONLY, STATUS_INVALID_ARGUMENT,
           "call_timeout");
    refuse("{\"version\":1,\"id\":\"a\"}", REQUEST_CREATE, STATUS_INVALID_ARGUMENT, "netns");
    refuse("{\"version\":1,\"id\":\"a\",\"netns\":\"/n\",\"initdata\":\"aGVsbG8=\",\"vcpus\":1,"
           "\"memory\":536870912,\"dial_out\":\"127.0.0.1:1\"}",
           REQUEST_CREATE, STATUS_INVALID_ARGUMENT, "loopback");
}
END_TEST

START_TEST(a_machine_has_a_possible_size)
{
    static const char *const sizes[] = {
        "\"vcpus\":0,\"memory\":536870912", "\"vcpus\":513,\"memory\":536870912",
        "\"vcpus\":1,\"memory\":1", "\"vcpus\":1,\"memory\":9223372036854775807"};

    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        scoped(freep) char *text = xformat(
            "{\"version\":1,\"id\":\"a\",\"netns\":\"/n\",\"initdata\":\"aGVsbG8=\",%s}", sizes[i]);

        struct request request = {0};

        ck_assert_msg(parse(text, REQUEST_CREATE, &request) < 0, "%s was taken", sizes[i]);
        ck_assert_ptr_null(request.id);
    }
}
END_TEST

START_TEST(initdata_has_a_limit)
{
    scoped(freep) uint8_t *bytes = xalloc(POD_INITDATA_MAX + 1);
    scoped(freep) char *initdata = base64_encode(bytes, POD_INITDATA_MAX + 1);
    scoped(freep) char *text = xformat("{\"version\":1,\"id\":\"a\",\"netns\":\"/n\",\"vcpus\":1,"
                                       "\"memory\":536870912,\"initdata\":\"%s\"}",
                                       initdata);
    struct request request = {0};

    ck_assert_int_lt(parse(text, REQUEST_CREATE, &request), 0);
    ck_assert_ptr_null(request.initdata);
}
END_TEST

int main(void)
{
    return suite_run(
        "request",
        (const TTest *[]){what_the_shim_writes_the_helper_reads, a_process_is_named_within_its_boot,
                          a_process_of_another_boot_is_a_stranger,
                          a_question_of_an_older_shim_leaves_the_place_to_the_configuration,
                          impossible_processes_are_no_process, what_is_malformed_is_refused,
                          a_machine_has_a_possible_size, initdata_has_a_limit, NULL});
}
