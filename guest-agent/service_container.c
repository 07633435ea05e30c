/* SPDX-License-Identifier: Apache-2.0 */
/* Calls about a container. */
#include "agent.pb-c.h"
#include "codec_answer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "cgroup.h"
#include "codec_exit.h"
#include "container.h"
#include "grpc/server.h"
#include "idempotency.h"
#include "pod.h"
#include "service.h"
#include "session.h"
#include "share.h"

enum { NEVER_RAN = 255 };

static struct pod *pod_of(const struct rpc *rpc)
{
    return ((struct session *) rpc_context(rpc))->pod;
}

static void started(void *user, struct process *process, const struct error *err)
{
    Agent__StartResponse reply = AGENT__START_RESPONSE__INIT;

    if (err)
        return answer_fail(user, err);
    reply.pid = (uint32_t) process->pid;
    answer_reply(user, &reply.base);
}

void service_start(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    const Agent__StartRequest *request = (const Agent__StartRequest *) message;
    struct pod *pod = pod_of(rpc);
    struct answer_call call = {rpc, message, request->key, request->container_id,
                               &agent__start_response__descriptor};
    struct idempotency_entry *entry = answer_begin(&call);
    struct container *container;
    struct error err;

    if (!entry)
        return;
    container = container_find(pod, request->container_id, &err);
    if (!container || container_start(container, started, entry, &err) < 0)
        answer_fail(entry, &err);
}

static void emptied(void *user, struct process *process, const struct error *err)
{
    Agent__Empty reply = AGENT__EMPTY__INIT;

    if (err)
        answer_fail(user, err);
    else
        answer_reply(user, &reply.base);
}

void service_update(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    const Agent__UpdateRequest *request = (const Agent__UpdateRequest *) message;
    struct container_resources resources = {request->resources.data, request->resources.len};
    struct pod *pod = pod_of(rpc);
    struct answer_call call = {rpc, message, request->key, request->container_id,
                               &agent__empty__descriptor};
    struct idempotency_entry *entry = answer_begin(&call);
    struct container *container;
    struct error err;

    if (!entry)
        return;
    container = container_find(pod, request->container_id, &err);
    if (!container || container_update(container, &resources, emptied, entry, &err) < 0)
        answer_fail(entry, &err);
}

typedef int state_fn(struct container *container, container_done_fn *done, void *user,
                     struct error *err);

static void change_state(struct rpc *rpc, const struct ProtobufCMessage *message, state_fn *fn)
{
    const Agent__StateRequest *request = (const Agent__StateRequest *) message;
    struct pod *pod = pod_of(rpc);
    struct answer_call call = {rpc, message, request->key, request->container_id,
                               &agent__empty__descriptor};
    struct idempotency_entry *entry = answer_begin(&call);
    struct container *container;
    struct error err;

    if (!entry)
        return;
    container = container_find(pod, request->container_id, &err);
    if (!container || fn(container, emptied, entry, &err) < 0)
        answer_fail(entry, &err);
}

void service_pause(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    change_state(rpc, message, container_pause);
}

void service_resume(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    change_state(rpc, message, container_resume);
}

static void deleted(void *user, struct process *process, const struct error *err)
{
    Agent__ExitRecord reply = AGENT__EXIT_RECORD__INIT;

    if (err)
        return answer_fail(user, err);
    if (process && process->state == PROCESS_ENDED) {
        reply = codec_exit(&process->record);
    } else { /* it never ran: nothing that looks like a good end */
        reply.container_id = (char *) (uintptr_t) (process ? process->container_id : "");
        reply.exit_status = NEVER_RAN;
    }
    answer_reply(user, &reply.base);
}

static int delete_exec(struct container *container, const char *exec_id,
                       struct idempotency_entry *entry, struct error *err)
{
    struct process *process = container_process(container, exec_id, err);
    struct exit_record record;
    Agent__ExitRecord reply;

    if (!process)
        return -1;
    exit_record_copy(&record, &process->record);
    if (container_delete_exec(container, process, err) < 0) {
        exit_record_fini(&record);
        return -1;
    }
    reply = codec_exit(&record);
    answer_reply(entry, &reply.base);
    exit_record_fini(&record);
    return 0;
}

/* One that waits for the live share is no container yet; whoever deletes it wants it no more. */
static int withdraw(struct pod *pod, const char *container_id, struct idempotency_entry *entry)
{
    if (!pod->share || !share_withdraw(pod->share, container_id))
        return -1;
    idempotency_forget(pod->answers, container_id);
    deleted(entry, NULL, NULL);
    return 0;
}

void service_delete(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    const Agent__DeleteRequest *request = (const Agent__DeleteRequest *) message;
    struct pod *pod = pod_of(rpc);
    struct answer_call call = {rpc, message, request->key, IDEMPOTENCY_DELETIONS,
                               &agent__exit_record__descriptor};
    struct idempotency_entry *entry = answer_begin(&call);
    struct container *container;
    struct error err;
    int result = -1;

    if (!entry)
        return;
    container = container_find(pod, request->container_id, &err);
    if (container && *request->exec_id)
        result = delete_exec(container, request->exec_id, entry, &err);
    else if (container)
        result = container_delete(container, deleted, entry, &err);
    else if (!*request->exec_id)
        result = withdraw(pod, request->container_id, entry);
    if (result < 0)
        answer_fail(entry, &err);
}

void service_stats(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    const Agent__ContainerRequest *request = (const Agent__ContainerRequest *) message;
    Agent__StatsResponse reply = AGENT__STATS_RESPONSE__INIT;
    struct container *container;
    struct cgroup_stats stats;
    struct error err;

    container = container_find(pod_of(rpc), request->container_id, &err);
    if (!container || container_stats(container, &stats, &err) < 0)
        return rpc_fail_with(rpc, &err);
    reply.sampled_at_ns = clock_wall_ns();
    reply.cpu_usage_ns = stats.cpu_usage_ns;
    reply.cpu_user_ns = stats.cpu_user_ns;
    reply.cpu_system_ns = stats.cpu_system_ns;
    reply.memory_usage = stats.memory_usage;
    reply.memory_limit = stats.memory_limit;
    reply.memory_anon = stats.memory_anon;
    reply.memory_inactive_file = stats.memory_inactive_file;
    reply.page_faults = stats.page_faults;
    reply.major_page_faults = stats.major_page_faults;
    reply.pids_current = stats.pids_current;
    reply.pids_limit = stats.pids_limit;
    rpc_reply(rpc, &reply.base);
}

void service_pids(struct rpc *rpc, const struct ProtobufCMessage *message)
{
    const Agent__ContainerRequest *request = (const Agent__ContainerRequest *) message;
    Agent__PidsResponse reply = AGENT__PIDS_RESPONSE__INIT;
    scoped(freep) pid_t *pids = NULL;
    scoped(freep) uint32_t *numbers = NULL;
    struct container *container;
    struct error err;

    container = container_find(pod_of(rpc), request->container_id, &err);
    if (!container || container_pids(container, &pids, &reply.n_pids, &err) < 0)
        return rpc_fail_with(rpc, &err);
    numbers = xnew_array(uint32_t, reply.n_pids + 1);
    for (size_t i = 0; i < reply.n_pids; i++)
        numbers[i] = (uint32_t) pids[i];
    reply.pids = numbers;
    rpc_reply(rpc, &reply.base);
}
