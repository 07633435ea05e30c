/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "cri.pb-c.h"
#include "grpc/client.h"
#include "grpc/queue.h"
#include "host_cri.h"
#include "io/loop.h"

#define CALL(name) "/runtime.v1.RuntimeService/" name
#define NAMESPACE  "cleave"
#define ID_LABEL   "cleave.dev/id" /* also an annotation: labels are for finding only */

enum {
    CALL_MS = 20 * 1000,
    REMOVE_MS = 30 * 1000, /* longer than the host's own patience with its machine, 20 s */
    CPU_PERIOD = 100000,
};

struct host_cri {
    struct loop *loop;
    struct rpc_queue *queue;
    struct rpc_channel *channel;
};

static void message_freep(ProtobufCMessage **p)
{
    if (*p)
        protobuf_c_message_free_unpacked(*p, NULL);
}

int host_cri_open(const char *path, struct host_cri **ret, struct error *err)
{
    scoped(host_cri_closep) struct host_cri *cri = xnew(struct host_cri);

    if (loop_new(&cri->loop, err) < 0 || rpc_queue_new(cri->loop, &cri->queue, err) < 0 ||
        rpc_channel_to_unix(cri->queue, path, 0, &cri->channel, err) < 0)
        return -1;
    *ret = take_ptr(cri);
    return 0;
}

void host_cri_close(struct host_cri *cri)
{
    rpc_channel_freep(&cri->channel);
    rpc_queue_freep(&cri->queue);
    loop_freep(&cri->loop);
    free(cri);
}

static int call(struct host_cri *cri, const char *method, const ProtobufCMessage *message,
                const ProtobufCMessageDescriptor *reply, uint64_t deadline_ms,
                ProtobufCMessage **ret, struct error *err)
{
    const struct rpc_request request = {
        .method = method, .message = message, .reply = reply, .deadline_ms = deadline_ms};

    if (rpc_call_blocking(cri->loop, cri->channel, &request, ret, err) < 0)
        return error_wrap(err, "host's CRI, %s", strrchr(method, '/') + 1);
    return 0;
}

static Cri__MapEntry entry(const char *key, const char *value)
{
    Cri__MapEntry made = CRI__MAP_ENTRY__INIT;

    made.key = (char *) key;
    made.value = (char *) value;
    return made;
}

int host_cri_run(struct host_cri *cri, const struct host_pod *pod, uint64_t deadline_ms, char *ret,
                 struct error *err)
{
    Cri__PodSandboxMetadata metadata = CRI__POD_SANDBOX_METADATA__INIT;
    Cri__LinuxContainerResources resources = CRI__LINUX_CONTAINER_RESOURCES__INIT;
    Cri__LinuxPodSandboxConfig os = CRI__LINUX_POD_SANDBOX_CONFIG__INIT;
    Cri__PodSandboxConfig config = CRI__POD_SANDBOX_CONFIG__INIT;
    Cri__RunPodSandboxRequest request = CRI__RUN_POD_SANDBOX_REQUEST__INIT;
    Cri__MapEntry id = entry(ID_LABEL, pod->sandbox_id);
    Cri__MapEntry initdata = entry("cleave.dev/initdata", pod->initdata);
    Cri__MapEntry dial_out = entry("cleave.dev/dial-out", pod->dial_out);
    Cri__MapEntry *annotations[] = {&id, &initdata, &dial_out}, *labels[] = {&id};
    scoped(message_freep) ProtobufCMessage *reply = NULL;

    metadata.name = (char *) pod->name;
    metadata.uid = (char *) pod->uid;
    metadata.namespace_ = (char *) NAMESPACE;
    resources.cpu_period = CPU_PERIOD;
    resources.cpu_quota = (int64_t) pod->vcpus * CPU_PERIOD;
    resources.memory_limit_in_bytes = (int64_t) pod->memory;
    os.resources = &resources;
    config.metadata = &metadata;
    config.labels = labels;
    config.n_labels = ARRAY_LENGTH(labels);
    config.annotations = annotations;
    config.n_annotations = ARRAY_LENGTH(annotations) - (pod->dial_out ? 0 : 1);
    config.linux_config = &os;
    request.config = &config;
    request.runtime_handler = (char *) pod->runtime_handler;
    if (call(cri, CALL("RunPodSandbox"), &request.base, &cri__run_pod_sandbox_response__descriptor,
             deadline_ms, &reply, err) < 0)
        return -1;
    return text_format(ret, HOST_CRI_ID_MAX, err, "%s",
                       ((Cri__RunPodSandboxResponse *) reply)->pod_sandbox_id);
}

/* Asks for the one: a list of all would hold everybody's initdata. */
int host_cri_find(struct host_cri *cri, const char *sandbox_id, struct host_pod_state *ret,
                  struct error *err)
{
    Cri__MapEntry id = entry(ID_LABEL, sandbox_id);
    Cri__MapEntry *selector[] = {&id};
    Cri__PodSandboxFilter filter = CRI__POD_SANDBOX_FILTER__INIT;
    Cri__ListPodSandboxRequest request = CRI__LIST_POD_SANDBOX_REQUEST__INIT;
    scoped(message_freep) ProtobufCMessage *reply = NULL;
    const Cri__ListPodSandboxResponse *list;

    filter.label_selector = selector;
    filter.n_label_selector = ARRAY_LENGTH(selector);
    request.filter = &filter;
    if (call(cri, CALL("ListPodSandbox"), &request.base,
             &cri__list_pod_sandbox_response__descriptor, CALL_MS, &reply, err) < 0)
        return -1;
    list = (const Cri__ListPodSandboxResponse *) reply;
    *ret = (struct host_pod_state){0};
    for (size_t i = 0; i < list->n_items; i++) {
        const Cri__PodSandbox *pod = list->items[i];

        if (!pod->metadata || !text_equal(pod->metadata->namespace_, NAMESPACE))
            continue;
        ret->ready = pod->state == CRI__POD_SANDBOX_STATE__SANDBOX_READY;
        return text_format(ret->id, sizeof(ret->id), err, "%s", pod->id);
    }
    return 0;
}

static int status_of(struct host_cri *cri, const char *id, ProtobufCMessage **ret,
                     struct error *err)
{
    Cri__PodSandboxStatusRequest request = CRI__POD_SANDBOX_STATUS_REQUEST__INIT;

    request.pod_sandbox_id = (char *) id;
    return call(cri, CALL("PodSandboxStatus"), &request.base,
                &cri__pod_sandbox_status_response__descriptor, CALL_MS, ret, err);
}

int host_cri_look(struct host_cri *cri, const char *id, struct host_pod_state *ret,
                  struct error *err)
{
    scoped(message_freep) ProtobufCMessage *reply = NULL;
    struct host_pod_state state = {0};
    const Cri__PodSandboxStatus *status;

    if (status_of(cri, id, &reply, err) < 0) {
        if (err->status != STATUS_NOT_FOUND)
            return -1;
        *ret = state;
        return 0;
    }
    status = ((const Cri__PodSandboxStatusResponse *) reply)->status;
    state.ready = status && status->state == CRI__POD_SANDBOX_STATE__SANDBOX_READY;
    if (text_format(state.id, sizeof(state.id), err, "%s", id) < 0)
        return -1;
    *ret = state;
    return 0;
}

int host_cri_address(struct host_cri *cri, const char *id, char *ret, size_t size,
                     struct error *err)
{
    scoped(message_freep) ProtobufCMessage *reply = NULL;
    const Cri__PodSandboxStatus *status;

    if (status_of(cri, id, &reply, err) < 0)
        return -1;
    status = ((const Cri__PodSandboxStatusResponse *) reply)->status;
    if (!status || !status->network || !status->network->ip || !status->network->ip[0])
        return error_set(err, STATUS_FAILED_PRECONDITION, "the host's pod %s has no address", id);
    return text_format(ret, size, err, "%s", status->network->ip);
}

static int stop(struct host_cri *cri, const char *id, struct error *err)
{
    Cri__StopPodSandboxRequest request = CRI__STOP_POD_SANDBOX_REQUEST__INIT;
    scoped(message_freep) ProtobufCMessage *reply = NULL;

    request.pod_sandbox_id = (char *) id;
    return call(cri, CALL("StopPodSandbox"), &request.base,
                &cri__stop_pod_sandbox_response__descriptor, REMOVE_MS, &reply, err);
}

int host_cri_remove(struct host_cri *cri, const char *id, struct error *err)
{
    Cri__RemovePodSandboxRequest request = CRI__REMOVE_POD_SANDBOX_REQUEST__INIT;
    scoped(message_freep) ProtobufCMessage *reply = NULL;

    request.pod_sandbox_id = (char *) id;
    if ((stop(cri, id, err) < 0 ||
         call(cri, CALL("RemovePodSandbox"), &request.base,
              &cri__remove_pod_sandbox_response__descriptor, REMOVE_MS, &reply, err) < 0) &&
        err->status != STATUS_NOT_FOUND)
        return -1;
    return 0;
}
