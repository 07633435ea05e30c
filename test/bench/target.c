/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <protobuf-c/protobuf-c.h>

#include "base/error.h"
#include "io/loop.h"
#include "task.pb-c.h"
#include "ttrpc/client.h"

enum { CALL_MS = 60 * 1000 };

static char process_type[] = "types.containerd.io/opencontainers/runtime-spec/1/Process";

void die(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void) vfprintf(stderr, fmt, args);
    va_end(args);
    (void) fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

static char *text(const char *value)
{
    return (char *) (uintptr_t) (value ? value : "");
}

void target_open(struct target *target, const char *socket)
{
    struct error err;

    if (loop_new(&target->loop, &err) < 0 ||
        ttrpc_client_connect(target->loop, socket, NULL, NULL, &target->client, &err) < 0)
        die("%s", err.message);
}

void target_close(struct target *target)
{
    ttrpc_client_free(target->client);
    loop_free(target->loop);
}

void target_turn(struct target *target, uint64_t ms)
{
    struct error err;

    if (loop_turn(target->loop, ms, &err) < 0)
        die("loop: %s", err.message);
}

struct answer {
    const char *method;
    bool done;
    uint32_t exit_status; /* of Wait */
};

static void answered(void *user, const void *reply, const struct error *err)
{
    struct answer *answer = user;

    if (err)
        die("%s: %s: %s", answer->method, status_name(err->status), err->message);
    if (((const ProtobufCMessage *) reply)->descriptor == &task__wait_response__descriptor)
        answer->exit_status = ((const Task__WaitResponse *) reply)->exit_status;
    answer->done = true;
}

static struct ttrpc_call_options options_of(const struct target *target, const char *method,
                                            const ProtobufCMessage *message,
                                            const ProtobufCMessageDescriptor *reply)
{
    return (struct ttrpc_call_options){.service = target->service,
                                       .method = method,
                                       .message = message,
                                       .reply = reply,
                                       .containerd_namespace = "k8s.io",
                                       .deadline_ms = 0};
}

static uint32_t call(struct target *target, const char *method, const ProtobufCMessage *message,
                     const ProtobufCMessageDescriptor *reply)
{
    struct ttrpc_call_options options = options_of(target, method, message, reply);
    struct answer answer = {.method = method};
    struct error err;

    if (ttrpc_client_call(target->client, &options, answered, &answer, &err) < 0)
        die("%s: %s", method, err.message);
    while (!answer.done)
        target_turn(target, CALL_MS);
    return answer.exit_status;
}

void target_connect(struct target *target)
{
    Task__ConnectRequest request = TASK__CONNECT_REQUEST__INIT;

    request.id = text(target->task);
    (void) call(target, "Connect", &request.base, &task__connect_response__descriptor);
}

void target_state(struct target *target)
{
    Task__StateRequest request = TASK__STATE_REQUEST__INIT;

    request.id = text(target->task);
    (void) call(target, "State", &request.base, &task__state_response__descriptor);
}

void target_stats(struct target *target)
{
    Task__StatsRequest request = TASK__STATS_REQUEST__INIT;

    request.id = text(target->task);
    (void) call(target, "Stats", &request.base, &task__stats_response__descriptor);
}

void target_kill(struct target *target, uint32_t signal)
{
    Task__KillRequest request = TASK__KILL_REQUEST__INIT;

    request.id = text(target->task);
    request.signal = signal;
    (void) call(target, "Kill", &request.base, &ttrpc__empty__descriptor);
}

const char *target_exec(struct target *target, const char *process, const char *stdout_path,
                        const char *stderr_path)
{
    static char id[40];
    Task__ExecProcessRequest request = TASK__EXEC_PROCESS_REQUEST__INIT;
    Ttrpc__Any spec = TTRPC__ANY__INIT;

    (void) snprintf(id, sizeof(id), "bench-%d-%u", (int) getpid(), target->serial++);
    spec.type_url = process_type;
    spec.value.data = (uint8_t *) text(process);
    spec.value.len = strlen(process);
    request.id = text(target->task);
    request.exec_id = id;
    request.stdout = text(stdout_path);
    request.stderr = text(stderr_path);
    request.spec = &spec;
    (void) call(target, "Exec", &request.base, &ttrpc__empty__descriptor);
    return id;
}

void target_start(struct target *target, const char *exec_id)
{
    Task__StartRequest request = TASK__START_REQUEST__INIT;

    request.id = text(target->task);
    request.exec_id = text(exec_id);
    (void) call(target, "Start", &request.base, &task__start_response__descriptor);
}

uint32_t target_wait(struct target *target, const char *exec_id)
{
    Task__WaitRequest request = TASK__WAIT_REQUEST__INIT;

    request.id = text(target->task);
    request.exec_id = text(exec_id);
    return call(target, "Wait", &request.base, &task__wait_response__descriptor);
}

static void waited(void *user, const void *reply, const struct error *err)
{
    if (err)
        die("Wait: %s: %s", status_name(err->status), err->message);
    *(int *) user = 1;
}

void target_wait_begin(struct target *target, const char *exec_id, int *done)
{
    Task__WaitRequest request = TASK__WAIT_REQUEST__INIT;
    struct ttrpc_call_options options = options_of(target, "Wait", &request.base,
                                                   &task__wait_response__descriptor);
    struct error err;

    request.id = text(target->task);
    request.exec_id = text(exec_id);
    if (ttrpc_client_call(target->client, &options, waited, done, &err) < 0)
        die("Wait: %s", err.message);
}

void target_delete(struct target *target, const char *exec_id)
{
    Task__DeleteRequest request = TASK__DELETE_REQUEST__INIT;

    request.id = text(target->task);
    request.exec_id = text(exec_id);
    (void) call(target, "Delete", &request.base, &task__delete_response__descriptor);
}
