/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_agent.h"

#include <string.h>

#include "agent.pb-c.h"
#include "agent_api.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "base/scoped.h"
#include "link.h"
#include "pod_config.h"
#include "pod_network.h"
#include "spec_rules.h"

enum { KEY_BYTES = 16 };

struct asked {
    agent_done_fn *done;
    void *user;
    const char *method;
};

struct call_key {
    char text[2 * KEY_BYTES + 1];
};

static struct call_key key_new(void)
{
    uint8_t bytes[KEY_BYTES];
    struct call_key key;

    random_bytes(bytes, sizeof(bytes));
    hex_encode(bytes, sizeof(bytes), key.text);
    return key;
}

static int take_configure(const Agent__ConfigureResponse *in, struct agent_reply *out,
                          struct error *err)
{
    if (agent_api_check(in->api, in->agent_version, err) < 0)
        return -1;
    log_info("guest agent %.32s, API %u", in->agent_version, in->api ? in->api : 1);
    out->kernel_release = in->kernel_release;
    out->memory_total = in->memory_total;
    out->offloads = in->offloads;
    return 0;
}

static void take_stats(const Agent__StatsResponse *in, struct agent_reply *out)
{
    out->sample = (struct container_sample){
        .cpu_usage_ns = in->cpu_usage_ns,
        .cpu_user_ns = in->cpu_user_ns,
        .cpu_system_ns = in->cpu_system_ns,
        .memory_usage = in->memory_usage,
        .memory_limit = in->memory_limit,
        .memory_anon = in->memory_anon,
        .memory_inactive_file = in->memory_inactive_file,
        .page_faults = in->page_faults,
        .major_page_faults = in->major_page_faults,
        .pids_current = in->pids_current,
        .pids_limit = in->pids_limit,
    };
}

static void on_done(void *user, const struct rpc_result *result)
{
    const struct asked *asked = user;
    struct agent_reply reply = {0};
    struct error err;

    if (result->status != STATUS_OK) {
        error_set(&err, result->status, "guest: %s", result->message);
        if (asked->done)
            asked->done(asked->user, NULL, &err);
        else
            log_debug("%s: %s", asked->method, err.message);
        return;
    }
    if (result->reply->descriptor == &agent__configure_response__descriptor) {
        const Agent__ConfigureResponse *in = (const Agent__ConfigureResponse *) result->reply;

        if (take_configure(in, &reply, &err) < 0) {
            asked->done(asked->user, NULL, &err);
            return;
        }
    } else if (result->reply->descriptor == &agent__stats_response__descriptor) {
        take_stats((const Agent__StatsResponse *) result->reply, &reply);
    }
    if (asked->done)
        asked->done(asked->user, &reply, NULL);
}

static struct link_call *send(const struct agent_ask *ask, const char *method,
                              const ProtobufCMessage *message,
                              const ProtobufCMessageDescriptor *reply)
{
    struct link_request request = {.lane = LINK_CONTROL,
                                   .method = method,
                                   .message = message,
                                   .reply = reply,
                                   .deadline_ms = ask->deadline_ms};
    struct asked *asked = xnew(struct asked);

    *asked = (struct asked){.done = ask->done, .user = ask->user, .method = method};
    return link_call(ask->link, &request, on_done, asked);
}

/* Parts have no key: where one belongs says its offset. */
struct link_call *agent_seal(const struct agent_ask *ask, const struct agent_part *part)
{
    Agent__SealPodRequest request = AGENT__SEAL_POD_REQUEST__INIT;

    request.offset = part->offset;
    request.total = part->total;
    request.data.data = (uint8_t *) part->data;
    request.data.len = part->length;
    return send(ask, "/agent.Control/SealPod", &request.base, &agent__empty__descriptor);
}

struct link_call *agent_configure(const struct agent_ask *ask, const struct pod_config *config,
                                  const struct pod_network_facts *network)
{
    Agent__ConfigureRequest request = AGENT__CONFIGURE_REQUEST__INIT;
    scoped(freep) Agent__Sysctl *sysctls = xnew_array(Agent__Sysctl, config->sysctl_count + 1);
    scoped(freep) Agent__Sysctl **list = xnew_array(Agent__Sysctl *, config->sysctl_count + 1);
    struct call_key key = key_new();

    for (size_t i = 0; i < config->sysctl_count; i++) {
        agent__sysctl__init(&sysctls[i]);
        sysctls[i].name = config->sysctls[i].name;
        sysctls[i].value = config->sysctls[i].value;
        list[i] = &sysctls[i];
    }
    request.key = key.text;
    request.hostname = config->hostname;
    request.resolv_conf.data = (uint8_t *) config->resolv_conf;
    request.resolv_conf.len = config->resolv_conf_length;
    request.hosts.data = (uint8_t *) config->hosts;
    request.hosts.len = config->hosts_length;
    request.n_sysctls = config->sysctl_count;
    request.sysctls = list;
    request.wall_clock_ns = clock_wall_ns();
    if (network) {
        request.network.data = (uint8_t *) network->block;
        request.network.len = network->length;
        request.offloads = network->offloads;
    }
    request.api_min = AGENT_API_MIN;
    request.api_max = AGENT_API_MAX;
    request.tenant_version = (char *) CLEAVE_VERSION;
    return send(ask, "/agent.Control/Configure", &request.base,
                &agent__configure_response__descriptor);
}

static void fill_files(const struct guest_spec *spec, Agent__CopiedFile *files,
                       Agent__CopiedFile **list)
{
    for (size_t i = 0; i < spec->file_count; i++) {
        const struct spec_file *file = &spec->files[i];

        agent__copied_file__init(&files[i]);
        files[i].name = file->name;
        files[i].content.data = (uint8_t *) file->content;
        files[i].content.len = file->length;
        files[i].mode = file->mode;
        files[i].uid = file->uid;
        files[i].gid = file->gid;
        list[i] = &files[i];
    }
}

struct link_call *agent_create(const struct agent_ask *ask, const struct agent_process *process,
                               const struct guest_spec *spec, const struct agent_layer *layers,
                               size_t layer_count)
{
    Agent__CreateRequest request = AGENT__CREATE_REQUEST__INIT;
    scoped(freep) Agent__Layer *layer = xnew_array(Agent__Layer, layer_count + 1);
    scoped(freep) Agent__Layer **list = xnew_array(Agent__Layer *, layer_count + 1);
    Agent__CopiedFile files[SPEC_FILES_MAX], *file_list[SPEC_FILES_MAX];
    scoped(freep) char *json = js_print(spec->spec);
    struct call_key key = key_new();

    for (size_t i = 0; i < layer_count; i++) {
        agent__layer__init(&layer[i]);
        layer[i].digest = (char *) layers[i].digest;
        layer[i].diff_id = (char *) layers[i].diff_id;
        list[i] = &layer[i];
    }
    fill_files(spec, files, file_list);
    request.key = key.text;
    request.container_id = (char *) process->container_id;
    if (process->slot)
        request.slot = (char *) process->slot;
    request.spec.data = (uint8_t *) json;
    request.spec.len = strlen(json);
    request.n_layers = layer_count;
    request.layers = list;
    request.terminal = process->terminal;
    request.stdin = process->has_stdin;
    request.stdout = process->has_stdout;
    request.stderr = process->has_stderr;
    request.n_files = spec->file_count;
    request.files = file_list;
    return send(ask, "/agent.Control/Create", &request.base, &agent__create_response__descriptor);
}

struct link_call *agent_start(const struct agent_ask *ask, const char *container_id)
{
    Agent__StartRequest request = AGENT__START_REQUEST__INIT;
    struct call_key key = key_new();

    request.key = key.text;
    request.container_id = (char *) container_id;
    return send(ask, "/agent.Control/Start", &request.base, &agent__start_response__descriptor);
}

struct link_call *agent_exec(const struct agent_ask *ask, const struct agent_process *process,
                             const char *spec)
{
    Agent__ExecRequest request = AGENT__EXEC_REQUEST__INIT;
    struct call_key key = key_new();

    request.key = key.text;
    request.container_id = (char *) process->container_id;
    request.exec_id = (char *) process->exec_id;
    request.process.data = (uint8_t *) spec;
    request.process.len = strlen(spec);
    request.terminal = process->terminal;
    request.stdin = process->has_stdin;
    request.stdout = process->has_stdout;
    request.stderr = process->has_stderr;
    request.width = process->width;
    request.height = process->height;
    return send(ask, "/agent.Control/Exec", &request.base, &agent__exec_response__descriptor);
}

struct link_call *agent_kill(const struct agent_ask *ask, const struct agent_process *process,
                             uint32_t signal, enum agent_kill_scope scope)
{
    Agent__KillRequest request = AGENT__KILL_REQUEST__INIT;
    struct call_key key = key_new();

    request.key = key.text;
    request.container_id = (char *) process->container_id;
    request.exec_id = (char *) process->exec_id;
    request.signal = signal;
    request.all = scope == AGENT_KILL_ALL;
    return send(ask, "/agent.Control/Kill", &request.base, &agent__empty__descriptor);
}

struct link_call *agent_delete(const struct agent_ask *ask, const struct agent_process *process)
{
    Agent__DeleteRequest request = AGENT__DELETE_REQUEST__INIT;
    struct call_key key = key_new();

    request.key = key.text;
    request.container_id = (char *) process->container_id;
    request.exec_id = (char *) process->exec_id;
    return send(ask, "/agent.Control/Delete", &request.base, &agent__exit_record__descriptor);
}

struct link_call *agent_resize(const struct agent_ask *ask, const struct agent_process *process)
{
    Agent__ResizeRequest request = AGENT__RESIZE_REQUEST__INIT;
    struct call_key key = key_new();

    request.key = key.text;
    request.container_id = (char *) process->container_id;
    request.exec_id = (char *) process->exec_id;
    request.width = process->width;
    request.height = process->height;
    return send(ask, "/agent.Control/Resize", &request.base, &agent__empty__descriptor);
}

struct link_call *agent_update(const struct agent_ask *ask, const char *container_id,
                               const char *resources)
{
    Agent__UpdateRequest request = AGENT__UPDATE_REQUEST__INIT;
    struct call_key key = key_new();

    request.key = key.text;
    request.container_id = (char *) container_id;
    request.resources.data = (uint8_t *) resources;
    request.resources.len = strlen(resources);
    return send(ask, "/agent.Control/Update", &request.base, &agent__empty__descriptor);
}

static struct link_call *send_state(const struct agent_ask *ask, const char *method,
                                    const char *container_id)
{
    Agent__StateRequest request = AGENT__STATE_REQUEST__INIT;
    struct call_key key = key_new();

    request.key = key.text;
    request.container_id = (char *) container_id;
    return send(ask, method, &request.base, &agent__empty__descriptor);
}

struct link_call *agent_pause(const struct agent_ask *ask, const char *container_id)
{
    return send_state(ask, "/agent.Control/Pause", container_id);
}

struct link_call *agent_resume(const struct agent_ask *ask, const char *container_id)
{
    return send_state(ask, "/agent.Control/Resume", container_id);
}

struct link_call *agent_stats(const struct agent_ask *ask, const char *container_id)
{
    Agent__ContainerRequest request = AGENT__CONTAINER_REQUEST__INIT;

    request.container_id = (char *) container_id;
    return send(ask, "/agent.Control/Stats", &request.base, &agent__stats_response__descriptor);
}

struct link_call *agent_open_share(const struct agent_ask *ask)
{
    Agent__OpenShareRequest request = AGENT__OPEN_SHARE_REQUEST__INIT;
    struct call_key key = key_new();

    request.key = key.text;
    return send(ask, "/agent.Control/OpenShare", &request.base, &agent__empty__descriptor);
}

struct link_call *agent_ack(const struct agent_ask *ask, const struct exit_record *record)
{
    Agent__AckRequest request = AGENT__ACK_REQUEST__INIT;

    request.container_id = (char *) record->container_id;
    request.exec_id = (char *) record->exec_id;
    return send(ask, "/agent.Control/Ack", &request.base, &agent__empty__descriptor);
}

struct link_call *agent_shutdown(const struct agent_ask *ask, uint32_t grace_ms)
{
    Agent__ShutdownRequest request = AGENT__SHUTDOWN_REQUEST__INIT;
    struct call_key key = key_new();

    request.key = key.text;
    request.grace_ms = grace_ms;
    return send(ask, "/agent.Control/Shutdown", &request.base, &agent__empty__descriptor);
}
