/* SPDX-License-Identifier: Apache-2.0 */
/* Calls about a process: a container's init or an exec. */
#include "agent.pb-c.h"
#include "codec_answer.h"
#include "base/error.h"
#include "base/scoped.h"
#include "codec_exit.h"
#include "container.h"
#include "events.h"
#include "grpc/server.h"
#include "pod.h"
#include "service.h"
#include "session.h"
#include "streams.h"

enum { SIGNAL_MAX = 64, TERMINAL_SIZE_MAX = UINT16_MAX };

static struct pod *pod_of(const struct rpc *rpc)
{
    return ((struct session *) rpc_context(rpc))->pod;
}

static char *scope_of(const char *container_id, const char *exec_id)
{
    return *exec_id ? xformat("%s/%s", container_id, exec_id) : xstrdup(container_id);
}

static struct process *find(const struct pod *pod, const char *container_id, const char *exec_id,
                            struct error *err)
{
    struct container *container = container_find(pod, container_id, err);

    return container ? container_process(container, exec_id, err) : NULL;
}

static void executed(void *user, struct process *process, const struct error *err)
{
    Agent__ExecResponse reply = AGENT__EXEC_RESPONSE__INIT;

    if (err)
        return answer_fail(user, err);
    reply.pid = (uint32_t) process->pid;
    answer_reply(user, &reply.base);
}

static struct console_size console_size(uint32_t width, uint32_t height)
{
    return (struct console_size){
        .width = (unsigned short) (width > TERMINAL_SIZE_MAX ? TERMINAL_SIZE_MAX : width),
        .height = (unsigned short) (height > TERMINAL_SIZE_MAX ? TERMINAL_SIZE_MAX : height),
    };
}

void service_exec(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    const Agent__ExecRequest *request = (const Agent__ExecRequest *) message;
    struct pod *pod = pod_of(rpc);
    scoped(freep) char *scope = scope_of(request->container_id, request->exec_id);
    struct answer_call call = {rpc, message, request->key, scope,
                               &agent__exec_response__descriptor};
    struct idempotency_entry *entry = answer_begin(&call);
    struct exec_options options = {
        .id = request->exec_id,
        .process = request->process.data,
        .process_length = request->process.len,
        .wanted = (request->stdin ? STREAMS_STDIN : 0) | (request->stdout ? STREAMS_STDOUT : 0) |
                  (request->stderr ? STREAMS_STDERR : 0) |
                  (request->terminal ? STREAMS_TERMINAL : 0),
        .size = console_size(request->width, request->height),
    };
    struct container *container;
    struct error err;

    if (!entry)
        return;
    container = container_find(pod, request->container_id, &err);
    if (!container || container_exec(container, &options, executed, entry, &err) < 0)
        answer_fail(entry, &err);
}

static int kill_process(const struct pod *pod, const Agent__KillRequest *request, struct error *err)
{
    struct container *container = container_find(pod, request->container_id, err);
    struct process *process;

    if (!container)
        return -1;
    if (request->signal > SIGNAL_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%u is not a signal", request->signal);
    if (request->all && request->signal != 0)
        return container_kill_all(container, (int) request->signal, err);
    process = container_process(container, request->exec_id, err);
    if (!process)
        return -1;
    return container_kill(container, process, (int) request->signal, err);
}

void service_kill(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    const Agent__KillRequest *request = (const Agent__KillRequest *) message;
    struct pod *pod = pod_of(rpc);
    scoped(freep) char *scope = scope_of(request->container_id, request->exec_id);
    struct answer_call call = {rpc, message, request->key, scope, &agent__empty__descriptor};
    struct idempotency_entry *entry = answer_begin(&call);
    Agent__Empty reply = AGENT__EMPTY__INIT;
    struct error err;

    if (!entry)
        return;
    if (kill_process(pod, request, &err) < 0)
        answer_fail(entry, &err);
    else
        answer_reply(entry, &reply.base);
}

/* ---- Wait ---- */

struct wait {
    struct rpc *rpc;
    struct process_waiter *waiter;
};

static void wait_over(void *user, const struct exit_record *record)
{
    struct wait *wait = user;
    Agent__ExitRecord reply;

    if (record) {
        reply = codec_exit(record);
        rpc_reply(wait->rpc, &reply.base);
    } else {
        rpc_fail(wait->rpc, STATUS_NOT_FOUND, "the process was not started");
    }
    free(wait);
}

static void wait_cancelled(void *user)
{
    struct wait *wait = user;

    process_unwait(wait->waiter);
    rpc_fail(wait->rpc, STATUS_CANCELLED, "cancelled");
    free(wait);
}

void service_wait(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    const Agent__ProcessRequest *request = (const Agent__ProcessRequest *) message;
    struct process_waiter *waiter;
    struct process *process;
    struct wait *wait;
    struct error err;

    process = find(pod_of(rpc), request->container_id, request->exec_id, &err);
    if (!process)
        return rpc_fail_with(rpc, &err);
    wait = xnew(struct wait);
    wait->rpc = rpc;
    waiter = process_wait(process, wait_over, wait);
    if (!waiter)
        return;
    wait->waiter = waiter;
    rpc_on_cancel(rpc, wait_cancelled, wait);
}

/* ---- the small ones ---- */

static void reply_empty(struct rpc *rpc)
{
    Agent__Empty reply = AGENT__EMPTY__INIT;

    rpc_reply(rpc, &reply.base);
}

void service_resize(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    const Agent__ResizeRequest *request = (const Agent__ResizeRequest *) message;
    struct console_size size = console_size(request->width, request->height);
    struct pod *pod = pod_of(rpc);
    struct answer_call call = {rpc, message, request->key, request->container_id,
                               &agent__empty__descriptor};
    struct idempotency_entry *entry = answer_begin(&call);
    Agent__Empty reply = AGENT__EMPTY__INIT;
    struct process *process;
    struct error err;

    if (!entry)
        return;
    process = find(pod, request->container_id, request->exec_id, &err);
    if (!process)
        return answer_fail(entry, &err);
    streams_resize(process->streams, &size);
    answer_reply(entry, &reply.base);
}

void service_close_stdin(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    const Agent__CloseStdinRequest *request = (const Agent__CloseStdinRequest *) message;
    struct process *process;
    struct error err;

    process = find(pod_of(rpc), request->container_id, request->exec_id, &err);
    if (!process || streams_close_stdin(process->streams, request->offset, &err) < 0)
        return rpc_fail_with(rpc, &err);
    reply_empty(rpc);
}

void service_ack(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    const Agent__AckRequest *request = (const Agent__AckRequest *) message;
    struct pod *pod = pod_of(rpc);

    events_acknowledge(pod->events, request->container_id, request->exec_id);
    pod_changed(pod);
    reply_empty(rpc);
}
